import { type BatchOutcome, countBatch, type Existence, type IngestMessage, type IngestTransaction } from './count-batch.js';
import { type ErrorTypes } from './error-types.js';

/** What can be done with a message that was taken from the stream. None of these throws; one that gets lost means that it comes again. */
export interface Delivery {
  ack(): void;
  /** Gives it back; it comes again after about `ms`, for 0 at once. */
  defer(ms: number): void;
  /** It is still being worked on: the wait for its acknowledgement begins anew. */
  extend(): void;
}

export interface Taken {
  message: IngestMessage;
  delivery: Delivery;
  /** How often it has been delivered, this time included. */
  deliveries: number;
}

/** Everything of the outside that the core needs. */
export interface IngestPorts {
  clock: { now(): number; sleep(ms: number): Promise<void> };
  existence(model_ids: string[]): Promise<Map<string, Existence>>;
  types: ErrorTypes;
  /** Commits what `work` did, or nothing of it. When it rejects, it may have committed all the same. */
  transaction(work: (transaction: IngestTransaction) => Promise<BatchOutcome>): Promise<BatchOutcome>;
  /** Whether the same transaction may succeed later: the database is away, or the transaction lost a race. */
  isTransient(error: unknown): boolean;
  /** Told of each commit, and of each failure before it is tried again. */
  committed(outcome: BatchOutcome): void;
  failed(error: unknown, messages: number): void;
}

/** A small batch waits this long for more. */
const lingerMs = 20;
const smallBytes = 128 * 1024;
/** A batch is everything that has come while the one before was stored, up to these. The longer that took, the larger the next. */
const maxBatchMessages = 2_000;
const maxBatchBytes = 8 * 1024 * 1024;
const maxQueuedBytes = 64 * 1024 * 1024;
const retryMs = 500;
const extendEveryMs = 10_000;
const deferMs = 2_000;
/** About a minute of not being told whether a model exists. */
const maxDeferrals = 30;

/**
 * Takes messages in micro-batches, counts each batch in one transaction and acknowledges it after the commit. Killed in between, its messages
 * are delivered again and the ledger drops what was committed. While the database is away the batch in hand is tried again for ever and the
 * rest waits on the stream. A message that no transaction takes is found by halving its batch and put aside, so that it holds up nothing.
 */
export class IngestCore {
  private queue: Taken[] = [];
  private queuedBytes = 0;
  private stopped = false;
  private wake: () => void = () => undefined;
  /** Since when there has been work without a commit; null while there is none. Epoch milliseconds. */
  busySince: number | null = null;

  constructor(private readonly ports: IngestPorts) {}

  /** While nothing can be stored, messages come again and again: beyond a bound they are given back. */
  take(taken: Taken): void {
    if (this.stopped) return taken.delivery.defer(0);
    if (this.queuedBytes > maxQueuedBytes) return taken.delivery.defer(deferMs);
    this.queue.push(taken);
    this.queuedBytes += taken.message.body.length;
    this.wake();
  }

  /** No more is taken on, and what has only been queued is given back; `run` resolves once what is in hand has been stored, or could not be. */
  stop(): void {
    this.stopped = true;
    for (const { delivery } of this.queue.splice(0)) delivery.defer(0);
    this.wake();
  }

  async run(): Promise<void> {
    const { clock } = this.ports;
    while (!this.stopped) {
      if (this.queue.length === 0) await new Promise<void>((resolve) => (this.wake = resolve));
      if (this.queuedBytes < smallBytes) await clock.sleep(lingerMs);
      const batch = this.nextBatch();
      if (batch.length === 0) continue;
      this.busySince = clock.now();
      await this.work(batch);
      this.busySince = null;
    }
  }

  private nextBatch(): Taken[] {
    let bytes = 0;
    let length = 0;
    while (length < this.queue.length && length < maxBatchMessages && bytes < maxBatchBytes)
      bytes += this.queue[length++]!.message.body.length;
    this.queuedBytes -= bytes;
    return this.queue.splice(0, length);
  }

  private async work(batch: Taken[]): Promise<void> {
    const ids = new Set<string>();
    for (const { message } of batch) for (const { model_id } of message.events) ids.add(model_id);
    const existence = await this.ports.existence([...ids]);
    if (![...existence.values()].includes('unsure')) return this.store(batch, existence);
    const ready: Taken[] = [];
    for (const taken of batch) {
      const unsure = taken.message.events.some(({ model_id }) => existence.get(model_id) === 'unsure');
      if (!unsure) ready.push(taken);
      else if (taken.deliveries <= maxDeferrals) taken.delivery.defer(deferMs);
      else ready.push({ ...taken, message: refused(taken.message, 'model_id; nobody could tell whether there is such a model') });
    }
    if (ready.length) await this.store(ready, existence);
  }

  private async store(batch: Taken[], existence: ReadonlyMap<string, Existence>): Promise<void> {
    const { ports } = this;
    const { clock } = ports;
    const messages = batch.map(({ message }) => message);
    let extended = clock.now();
    for (;;) {
      try {
        ports.committed(await ports.transaction((open) => countBatch(open, messages, existence, ports.types, clock.now())));
        for (const { delivery } of batch) delivery.ack();
        return;
      } catch (error) {
        ports.failed(error, batch.length);
        // Given back unfinished: another replica, or this one when it comes back, takes them.
        if (this.stopped) {
          for (const { delivery } of batch) delivery.defer(0);
          return;
        }
        if (!ports.isTransient(error)) return this.divide(batch, existence);
      }
      await clock.sleep(retryMs);
      if (clock.now() - extended < extendEveryMs) continue;
      extended = clock.now();
      for (const { delivery } of batch) delivery.extend();
      for (const { delivery } of this.queue) delivery.extend();
    }
  }

  private async divide(batch: Taken[], existence: ReadonlyMap<string, Existence>): Promise<void> {
    const [only] = batch;
    if (batch.length === 1 && only) {
      const { rejected, events } = only.message;
      // Not even its refusal can be written down: it comes again later and is reported each time.
      if (events.length === 0 && rejected.length <= 1) return only.delivery.defer(deferMs);
      return this.store([{ ...only, message: refused(only.message, 'the message could not be counted') }], existence);
    }
    const middle = batch.length >>> 1;
    await this.store(batch.slice(0, middle), existence);
    await this.store(batch.slice(middle), existence);
  }
}

const refused = (message: IngestMessage, reason: string): IngestMessage => ({
  ...message,
  events: [],
  rejected: [{ index: null, code: 'NOT_COUNTED', reason }],
});

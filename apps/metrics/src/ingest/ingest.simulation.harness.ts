import { AppliedRange } from './applied-range.js';
import {
  type EventId,
  eventIdKey,
  type Existence,
  type IngestTransaction,
  type LedgerEntry,
  type Letter,
  type StreamPlace,
} from './count-batch.js';
import { Counters, foldedSums, type WindowSum } from '../windows/tally.js';
import { ErrorTypes } from './error-types.js';
import { decodeMessage } from './inference-event.js';
import { IngestCore, type Taken } from './ingest-core.js';

export type Flaw = 'early ack' | 'no ledger' | 'no event ids' | 'blind to folds' | 'folds unlocked';

// A test's globals are looked up through an interceptor, at many times the price of the arithmetic.
const { floor, imul } = Math;

const minuteMs = 60_000;
/** Faults happen in this time; afterwards everything must come to rest. */
const faultsMs = 20_000;
const restMs = 300_000;
const ackWaitMs = 5_000;

interface Sent {
  producer: string;
  sequence: number;
  body: Uint8Array;
  acked: boolean;
}

interface Stored extends Sent {
  place: StreamPlace;
  /** Deliveries under way or unanswered; 0 and not done: to be delivered again. */
  done: boolean;
  due: number;
  deliveries: number;
}

/** A few events are of the same minute, so that some come after it was folded. */
const eventsOfMinute = 6;
/** Each has a timing of its own, a power of this: the digits of a minute's `sum_ms` tell how often each event was counted. */
const digit = 16;

/** One event as it was made. */
interface Made {
  message: Sent;
  place: number;
  minute: string;
  timing_ms: number;
  kind: 'good' | 'twin' | 'unknown' | 'invalid' | 'cursed';
  event_id?: string;
}

/** A stored row. */
interface Window extends WindowSum {
  folded: boolean;
}

/** PostgreSQL, as far as counting sees it: what is committed, and who holds which row. */
interface Committed {
  ledger: Map<string, string>;
  event_ids: Set<string>;
  windows: Map<string, Window>;
  letters: Map<string, Letter>;
}

class Cursed extends Error {}
class Away extends Error {}

/**
 * One seeded run: two producers, a stream that drops, doubles, reorders, delays and forgets acknowledgements, up to three replicas that are
 * killed between any two awaits, and a store whose commits fail or lose their answer. `run` resolves to what is wrong at the end.
 */
export class Simulation {
  readonly faults = new Map<string, number>();
  readonly history: string[] = [];
  private now = Date.parse('2026-01-02T00:00:00Z');
  private readonly began = this.now;
  private agenda: { at: number; order: number; act: () => void }[] = [];
  private order = 0;
  private readonly made: Made[] = [];
  private readonly stream: Stored[] = [];
  private readonly committed: Committed = { ledger: new Map(), event_ids: new Set(), windows: new Map(), letters: new Map() };
  private readonly holders = new Map<string, SimulatedTransaction>();
  private replicas: Replica[] = [];

  constructor(
    private seed: number,
    private readonly flaw?: Flaw,
  ) {}

  async run(): Promise<string[]> {
    for (let index = 0; index < 2; index++) this.startReplica();
    for (const producer of ['p', 'q']) this.startProducer(producer);
    this.every(250, () => this.deliver());
    for (;;) {
      const next = this.agenda.shift();
      if (!next || next.at > this.began + faultsMs + restMs) break;
      this.now = next.at;
      next.act();
      // Its turn comes when no promise has anything left to do.
      await new Promise<void>((resolve) => process.nextTick(resolve));
      if (this.now > this.began + faultsMs + ackWaitMs && this.stream.every(({ done }) => done)) break;
    }
    return this.wrong();
  }

  // --- chance and time

  chance(probability: number, fault?: string): boolean {
    if (fault && this.now > this.began + faultsMs) return false;
    const hit = this.random() < probability;
    if (hit && fault) {
      this.faults.set(fault, (this.faults.get(fault) ?? 0) + 1);
      this.history.push(`${this.now - this.began} ms: ${fault}`);
    }
    return hit;
  }

  upTo(most: number): number {
    return floor(this.random() * most);
  }

  at(delay: number, act: () => void): void {
    const at = this.now + delay;
    const order = this.order++;
    let place = this.agenda.length;
    while (place > 0 && this.agenda[place - 1]!.at > at) place -= 1;
    this.agenda.splice(place, 0, { at, order, act });
  }

  get time(): number {
    return this.now;
  }

  /** Mulberry32. */
  private random(): number {
    this.seed = (this.seed + 0x6d2b79f5) | 0;
    let mixed = imul(this.seed ^ (this.seed >>> 15), 1 | this.seed);
    mixed = (mixed + imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  private every(period: number, act: () => void): void {
    act();
    this.at(period, () => this.every(period, act));
  }

  // --- producers

  private startProducer(producer: string): void {
    const count = 6 + this.upTo(6);
    for (let sequence = 0; sequence < count; sequence++) {
      const message: Sent = { producer, sequence, body: new Uint8Array(), acked: false };
      const events = Array.from({ length: 1 + this.upTo(3) }, (_, place) => this.makeEvent(message, place));
      message.body = Buffer.from(JSON.stringify({ events }));
      this.at(this.upTo(faultsMs - 5_000), () => this.send(message));
    }
  }

  private makeEvent(message: Sent, place: number): object {
    const number = this.made.length;
    const minute = new Date(this.began - (Math.floor(number / eventsOfMinute) + 5) * minuteMs).toISOString();
    const timing_ms = digit ** (number % eventsOfMinute);
    const dice = this.upTo(20);
    const kind = dice === 0 ? 'unknown' : dice === 1 ? 'invalid' : dice === 2 ? 'cursed' : dice <= 5 ? 'twin' : 'good';
    const event_id = kind === 'twin' ? `twin_${this.upTo(3)}` : undefined;
    this.made.push({ message, place, minute, timing_ms, kind, ...(event_id !== undefined && { event_id }) });
    const model_id = kind === 'unknown' ? 'ghost' : kind === 'cursed' ? 'cursed' : `m${kind === 'twin' ? 0 : this.upTo(3)}`;
    return { model_id, timing_ms: kind === 'invalid' ? -1 : timing_ms, success: this.chance(0.7), occurred_at: minute, event_id };
  }

  /** Sends until it hears that the message is stored; a producer that dies gives up. */
  private send(message: Sent): void {
    if (message.acked || this.chance(0.02, 'producer died')) return;
    if (!this.chance(0.1, 'lost message')) {
      this.at(this.upTo(20), () => {
        const place = { sequence: this.stream.length + 1, stored_ms: this.now };
        this.stream.push({ ...message, place, done: false, due: this.now, deliveries: 0 });
        if (!this.chance(0.15, 'lost store answer')) this.at(this.upTo(20), () => (message.acked = true));
      });
    }
    this.at(300 + this.upTo(1_500), () => this.send(message));
  }

  // --- the stream's consumer

  private deliver(): void {
    if (this.chance(0.01, 'forgotten acks')) for (const stored of this.stream) if (stored.done && this.chance(0.5)) stored.done = false;
    for (const stored of this.stream) {
      if (stored.done || stored.due > this.now) continue;
      if (stored.deliveries > 0) this.chance(1, 'redelivery');
      stored.due = this.now + ackWaitMs;
      stored.deliveries += 1;
      const times = this.chance(0.05, 'doubled') ? 2 : 1;
      for (let time = 0; time < times; time++) this.at(this.upTo(100), () => this.hand(stored));
    }
  }

  private hand(stored: Stored): void {
    const replica = this.replicas[this.upTo(this.replicas.length)];
    if (!replica || this.chance(0.03, 'lost delivery')) return;
    const { producer, sequence, body } = stored;
    const ack = (): void => {
      if (replica.alive && !this.chance(0.08, 'lost ack')) this.at(this.upTo(20), () => (stored.done = true));
    };
    if (this.flaw === 'early ack') ack();
    replica.core.take({
      message: { source: producer, sequence, place: stored.place, body, ...decodeMessage(body, this.now) },
      deliveries: stored.deliveries,
      delivery: {
        ack,
        defer: (ms) => (stored.due = this.now + ms),
        extend: () => (stored.due = this.now + ackWaitMs),
      },
    } satisfies Taken);
  }

  // --- replicas

  private startReplica(): void {
    const replica = new Replica(this);
    this.replicas.push(replica);
    void replica.core.run();
    void replica.fold();
  }

  crash(replica: Replica): void {
    replica.alive = false;
    this.replicas = this.replicas.filter((other) => other !== replica);
    for (const [row, holder] of this.holders) if (holder.replica === replica) this.holders.delete(row);
    this.at(this.upTo(3_000), () => this.startReplica());
  }

  existence(model_ids: string[]): Map<string, Existence> {
    return new Map(
      model_ids.map((id) => [id, id === 'ghost' ? 'unknown' : this.chance(0.02, 'unsure model') ? 'unsure' : 'known'] as const),
    );
  }

  /** Runs the work as one transaction: what it wrote is applied as a whole, or not at all. */
  async transaction<Outcome>(replica: Replica, work: (transaction: SimulatedTransaction) => Promise<Outcome>): Promise<Outcome> {
    const open = new SimulatedTransaction(this, replica, this.committed, this.flaw);
    try {
      const outcome = await work(open);
      await replica.step();
      if (this.chance(0.05, 'failed commit')) throw new Away('commit failed');
      open.apply();
      if (this.chance(0.05, 'lost commit answer')) throw new Away('no answer to the commit');
      await replica.step();
      return outcome;
    } finally {
      // A replica that was killed never comes here: `crash` frees what it held.
      for (const [row, holder] of this.holders) if (holder === open) this.holders.delete(row);
    }
  }

  /** Waits for a row as PostgreSQL does; callers ask in one order. */
  async lock(transaction: SimulatedTransaction, row: string): Promise<void> {
    while (!this.lockFree(transaction, row)) await transaction.replica.sleep(5);
  }

  /** Whether nobody else holds the row, and this transaction does from now on. */
  lockFree(transaction: SimulatedTransaction, row: string): boolean {
    if ((this.holders.get(row) ?? transaction) !== transaction) return false;
    this.holders.set(row, transaction);
    return true;
  }

  // --- the verdict

  private wrong(): string[] {
    const { windows, letters } = this.committed;
    const wrong: string[] = [];
    const left = this.stream.filter(({ done }) => !done).length;
    if (left) wrong.push(`${left} messages were never done`);
    const sums = { lifetime: 0, minute: 0, hour: 0, day: 0 };
    const ofMinute = new Map<number, number>();
    for (const { period, folded, window_start_ms, counters } of windows.values()) {
      sums[period] += counters.sum_ms;
      if (period !== 'minute') continue;
      ofMinute.set(window_start_ms, (ofMinute.get(window_start_ms) ?? 0) + counters.sum_ms);
      if (folded) continue;
      // As readers add them.
      sums.lifetime += counters.sum_ms;
      sums.hour += counters.sum_ms;
    }
    const countOf = ({ minute, timing_ms }: Made): number => floor((ofMinute.get(Date.parse(minute)) ?? 0) / timing_ms) % digit;
    for (const event of this.made) {
      const { message, place, kind } = event;
      const name = `${kind} event ${message.producer}:${message.sequence}.${place}`;
      const counted = countOf(event);
      const lettered = [place, -1].filter((at) => letters.has(`${message.producer}:${message.sequence}.${at}`)).length;
      const countable = kind === 'good';
      if (counted > 1) wrong.push(`${name} was counted ${counted} times`);
      if (!countable && kind !== 'twin' && counted) wrong.push(`${name} was counted`);
      if (message.acked && countable && counted + lettered === 0) wrong.push(`${name} was lost`);
      if (message.acked && (kind === 'unknown' || kind === 'invalid' || kind === 'cursed') && lettered === 0)
        wrong.push(`${name} left no letter`);
    }
    for (const id of new Set(this.made.flatMap(({ event_id }) => event_id ?? []))) {
      const twins = this.made.filter(({ event_id }) => event_id === id);
      const counted = twins.reduce((sum, event) => sum + countOf(event), 0);
      if (counted > 1) wrong.push(`event id ${id} was counted ${counted} times`);
    }
    if (sums.minute !== sums.hour || sums.minute !== sums.lifetime) wrong.push('windows of different widths do not add up to the same');
    return wrong;
  }
}

class Replica {
  alive = true;
  readonly core: IngestCore;

  constructor(private readonly simulation: Simulation) {
    this.core = new IngestCore({
      clock: { now: () => simulation.time, sleep: (ms) => this.sleep(ms) },
      existence: async (ids) => {
        await this.step();
        return simulation.existence(ids);
      },
      types: new ErrorTypes(),
      transaction: async (work) => {
        await this.step();
        if (simulation.chance(0.03, 'database away')) throw new Away('no connection');
        return simulation.transaction(this, work);
      },
      isTransient: (error) => !(error instanceof Cursed),
      committed: () => undefined,
      failed: () => undefined,
    });
  }

  /** Folds now and then for as long as it lives; a fold that fails is tried again with the next. */
  async fold(): Promise<void> {
    for (;;) {
      await this.sleep(this.simulation.upTo(4_000));
      await this.simulation.transaction(this, (open) => open.fold()).catch(() => undefined);
    }
  }

  /** An await: time passes, and the process may be killed, after which nothing that awaited goes on. */
  step(): Promise<void> {
    return this.sleep(this.simulation.upTo(30));
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      if (!this.alive) return;
      if (this.simulation.chance(0.01, 'crash')) return this.simulation.crash(this);
      this.simulation.at(ms, () => {
        if (this.alive) resolve();
      });
    });
  }
}

class SimulatedTransaction implements IngestTransaction {
  private readonly writes: (() => void)[] = [];

  constructor(
    private readonly simulation: Simulation,
    readonly replica: Replica,
    private readonly committed: Committed,
    private readonly flaw: Flaw | undefined,
  ) {}

  apply(): void {
    for (const write of this.writes) write();
  }

  async lockLedger(sources: string[]): Promise<Map<string, AppliedRange>> {
    for (const source of [...sources].sort()) await this.simulation.lock(this, `ledger ${source}`);
    await this.replica.step();
    const text = (source: string): string => (this.flaw === 'no ledger' ? '{}' : (this.committed.ledger.get(source) ?? '{}'));
    return new Map(sources.map((source) => [source, AppliedRange.parse(text(source))]));
  }

  async saveLedger(ledger: Map<string, LedgerEntry>): Promise<void> {
    await this.replica.step();
    for (const [source, { applied }] of ledger) {
      const text = applied.format();
      this.writes.push(() => this.committed.ledger.set(source, text));
    }
  }

  async claimEventIds(ids: EventId[]): Promise<Set<string>> {
    const keys = ids.map(eventIdKey).sort();
    for (const key of keys) await this.simulation.lock(this, `event ${key}`);
    await this.replica.step();
    const fresh = keys.filter((key) => this.flaw === 'no event ids' || !this.committed.event_ids.has(key));
    this.writes.push(() => fresh.forEach((key) => this.committed.event_ids.add(key)));
    return new Set(fresh);
  }

  async armsOf(): Promise<Map<string, Set<string>>> {
    await this.replica.step();
    return new Map();
  }

  async addWindows(sums: WindowSum[]): Promise<void> {
    await this.lockWindows(sums);
    if (sums.some(({ model_id }) => model_id === 'cursed')) {
      this.simulation.chance(1, 'poison');
      throw new Cursed('a bug of ours');
    }
    this.add(sums);
    const late = sums.filter((sum) => this.committed.windows.get(rowOf(sum))?.folded);
    if (late.length === 0 || this.flaw === 'blind to folds') return;
    this.simulation.chance(1, 'late event');
    await this.addWider(late);
  }

  /** Folds every minute that nobody holds. */
  async fold(): Promise<void> {
    const unlocked = this.flaw === 'folds unlocked';
    const minutes = [...this.committed.windows.values()].filter(
      (row) => row.period === 'minute' && !row.folded && (unlocked || this.simulation.lockFree(this, rowOf(row))),
    );
    if (minutes.length === 0) return;
    await this.replica.step();
    await this.addWider(minutes);
    await this.replica.step();
    this.simulation.chance(1, 'fold');
    this.writes.push(() => {
      for (const minute of minutes) this.committed.windows.get(rowOf(minute))!.folded = true;
    });
  }

  private async addWider(minutes: WindowSum[]): Promise<void> {
    const sums = foldedSums(minutes);
    await this.lockWindows(sums);
    this.add(sums);
  }

  private async lockWindows(sums: WindowSum[]): Promise<void> {
    for (const row of sums.map(rowOf).sort()) await this.simulation.lock(this, row);
    await this.replica.step();
  }

  private add(sums: WindowSum[]): void {
    this.writes.push(() => {
      for (const sum of sums) {
        const row = this.committed.windows.get(rowOf(sum));
        const counters = new Counters();
        for (const part of [row, sum]) if (part) counters.merge(part.counters);
        this.committed.windows.set(rowOf(sum), { ...sum, counters, folded: row?.folded ?? false });
      }
    });
  }

  async writeLetters(letters: Letter[]): Promise<void> {
    await this.replica.step();
    this.writes.push(() => {
      for (const letter of letters) this.committed.letters.set(`${letter.source}:${letter.sequence}.${letter.event}`, letter);
    });
  }
}

const rowOf = ({ model_id, period, window_start_ms }: WindowSum): string => `window ${model_id} ${period} ${window_start_ms}`;

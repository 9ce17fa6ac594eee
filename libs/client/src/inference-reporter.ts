import { connect, type NatsConnection, type NodeConnectionOptions } from '@nats-io/transport-node';
import { AckWindow, NotStoredError } from './ack-window.js';
import { EventBatches } from './event-batches.js';
import { encodeEvent, type InferenceEvent } from './inference-event.js';

const connectTimeoutMs = 5_000;
const reconnectMs = 500;
const defaultLingerMs = 5;
const defaultMaxPending = 10_000;
const defaultCloseMs = 5_000;

export interface InferenceReporterOptions {
  /** `nats://user:password@host:4222`, or `tls://…`. */
  url: string;
  /** What else the NATS client takes: certificates, tokens, more servers. */
  nats?: NodeConnectionOptions;
  /** What the account may subscribe to: acknowledgements come to `<inbox_prefix>.…`. Default `_INBOX.<user>`, with a user in `url`, else `_INBOX`. */
  inbox_prefix?: string;
  /** The least time between two messages that are not full: an event that comes in it waits for others. Default 5. */
  linger_ms?: number;
  /** Events in memory at the most, of a few hundred bytes each as a rule and 8 kB at worst. Default 10,000. */
  max_pending?: number;
}

/** `reported` = `acked` + `rejected` + `dropped` + `pending`, at any time. */
export interface ReporterStats {
  reported: number;
  /** Stored by JetStream, to be counted once. */
  acked: number;
  /** Not valid, refused by JetStream (a full stream), not permitted, or without an acknowledgement when the reporter closed. */
  rejected: number;
  /** Not taken, because memory was full or the reporter closed. */
  dropped: number;
  /** In memory: not yet acknowledged. */
  pending: number;
  /** Calls of `report` that wait until there is room. Not in `reported` yet. */
  waiting: number;
  connected: boolean;
  /** Of the latest event that was not stored, or of the latest attempt to connect; null when there was none. */
  last_error: string | null;
}

/** What an inference belongs to, where `measure` cannot know. */
export type InferenceContext = Pick<InferenceEvent, 'event_id' | 'flag_key' | 'variant'>;

/**
 * Reports inferences over NATS: many in one message, each kept in memory until JetStream has stored it, through any number of reconnects.
 * It can be used at once, also while NATS is away. What is in memory when the process is killed is lost: `close` it when you stop.
 *
 * - `measure` wraps a call and never delays or fails it.
 * - `report` waits: for room in memory, and then for the acknowledgement. Await it and you produce no faster than can be stored.
 * - `offer` never waits: when memory is full the event is dropped and counted.
 */
export class InferenceReporter {
  private readonly batches: EventBatches;
  private readonly maxPending: number;
  private readonly counts = { reported: 0, acked: 0, rejected: 0, dropped: 0, pending: 0 };
  private readonly sending = new Set<Promise<void>>();
  /** Each is called with a place in memory, or with none because the reporter has closed. */
  private readonly waiting: ((place: boolean) => void)[] = [];
  private window = new Later<AckWindow>();
  private connection: NatsConnection | undefined;
  private connected = false;
  private lastError: string | null = null;
  /** Takes nothing any more, but still sends. */
  private closing: Promise<ReporterStats> | undefined;
  /** Sends nothing any more. */
  private stopped = false;
  private wake: () => void = () => undefined;

  constructor(private readonly options: InferenceReporterOptions) {
    this.maxPending = options.max_pending ?? defaultMaxPending;
    this.batches = new EventBatches(options.linger_ms ?? defaultLingerMs, (message) => this.send(message));
    void this.stayConnected(connectionOptions(options));
  }

  /**
   * Runs `call`, and reports how long it took and whether it failed, with the error's class and message. Resolves and rejects as `call` does,
   * whatever becomes of the report.
   */
  async measure<Result>(model_id: string, call: () => Result | Promise<Result>, context: InferenceContext = {}): Promise<Result> {
    const occurred_at = new Date();
    const began = performance.now();
    const outcome = (rest: Partial<InferenceEvent>): boolean =>
      this.offer({ ...context, model_id, timing_ms: performance.now() - began, occurred_at, ...rest });
    try {
      const result = await call();
      outcome({ success: true });
      return result;
    } catch (error) {
      outcome({ success: false, error: describe(error) });
      throw error;
    }
  }

  /**
   * Resolves once the event is stored. Rejects with an InvalidEventError, or with a NotStoredError. A rejection that nobody waits for does not
   * end the process; `stats` counts it.
   */
  report(event: InferenceEvent): Promise<void> {
    const reported = this.reportInTurn(event);
    reported.catch(() => undefined);
    return reported;
  }

  /** Takes the event if it is valid and there is room for it. False: it is counted as rejected or dropped. */
  offer(event: InferenceEvent): boolean {
    const json = this.encoded(event);
    if (json instanceof Error) return false;
    if (this.closing || this.waiting.length || this.counts.pending >= this.maxPending) {
      this.drop();
      return false;
    }
    this.counts.pending += 1;
    this.take(json).catch(() => undefined);
    return true;
  }

  /** Sends what lingers, and waits until everything reported so far is stored or rejected. While NATS is away that takes as long. */
  async flush(): Promise<void> {
    this.batches.flush();
    await Promise.allSettled([...this.sending]);
  }

  /** Takes nothing more, flushes, and disconnects. What is not stored within `deadline_ms` (default 5,000) is counted as rejected. */
  close(deadline_ms = defaultCloseMs): Promise<ReporterStats> {
    return (this.closing ??= this.end(deadline_ms));
  }

  stats(): ReporterStats {
    return { ...this.counts, waiting: this.waiting.length, connected: this.connected, last_error: this.lastError };
  }

  private async reportInTurn(event: InferenceEvent): Promise<void> {
    const json = this.encoded(event);
    if (json instanceof Error) throw json;
    if (!this.closing && (this.waiting.length || this.counts.pending >= this.maxPending)) {
      // The place is handed over: `pending` stays as it is.
      if (!(await new Promise<boolean>((resolve) => this.waiting.push(resolve)))) throw this.drop();
    } else if (this.closing) {
      throw this.drop();
    } else {
      this.counts.pending += 1;
    }
    await this.take(json);
  }

  private encoded(event: InferenceEvent): string | Error {
    try {
      return encodeEvent(event, new Date());
    } catch (error) {
      this.counts.reported += 1;
      this.counts.rejected += 1;
      this.lastError = String(error);
      return error as Error;
    }
  }

  private drop(): NotStoredError {
    this.counts.reported += 1;
    this.counts.dropped += 1;
    const why = this.closing ? 'The reporter is closed' : `There are ${this.maxPending} events in memory already`;
    this.lastError = why;
    return new NotStoredError('closed', 'no', why);
  }

  /** For an event that has its place in memory. */
  private async take(json: string): Promise<void> {
    this.counts.reported += 1;
    try {
      await this.batches.add(json);
      this.counts.acked += 1;
    } catch (error) {
      this.counts.rejected += 1;
      this.lastError = String(error);
      throw error;
    } finally {
      const next = this.waiting.shift();
      if (next) next(true);
      else this.counts.pending -= 1;
    }
  }

  private send(message: Uint8Array): Promise<void> {
    const sending = this.window.value.then((window) => window.send(message));
    this.sending.add(sending);
    const forget = (): boolean => this.sending.delete(sending);
    sending.then(forget, forget);
    return sending;
  }

  /** A connection ends for good only when it is closed or its credentials are refused for good: then there is another. */
  private async stayConnected(options: NodeConnectionOptions): Promise<void> {
    while (!this.stopped) {
      try {
        this.connection = await connect(options);
        if (this.stopped) return await this.connection.close();
        this.connected = true;
        void this.followStatus(this.connection);
        this.window.resolve(new AckWindow(this.connection, { inbox_prefix: inboxPrefix(this.options) }));
        await this.connection.closed();
        this.window = new Later();
      } catch (error) {
        this.lastError = String(error);
      }
      this.connected = false;
      if (!this.stopped) await this.pause();
    }
  }

  private async followStatus(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      if (status.type === 'disconnect') this.connected = false;
      if (status.type === 'reconnect') this.connected = true;
      if (status.type === 'error') this.lastError = String(status.error);
    }
  }

  private async pause(): Promise<void> {
    const timer = setTimeout(() => this.wake(), reconnectMs);
    await new Promise<void>((resolve) => (this.wake = resolve));
    clearTimeout(timer);
  }

  private async end(deadline_ms: number): Promise<ReporterStats> {
    for (const turn of this.waiting.splice(0)) turn(false);
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => (timer = setTimeout(resolve, deadline_ms)));
    await Promise.race([this.flush(), deadline]);
    clearTimeout(timer);
    this.stopped = true;
    this.wake();
    this.window.reject(new NotStoredError('closed', 'no', 'The reporter was closed before it could connect'));
    // Rejects what is not acknowledged; a drain would wait for a server that may be away.
    await this.connection?.close();
    await Promise.allSettled([...this.sending]);
    return this.stats();
  }
}

/** A promise that is settled from outside. */
class Later<Value> {
  resolve: (value: Value) => void = () => undefined;
  reject: (error: Error) => void = () => undefined;
  readonly value = new Promise<Value>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });

  constructor() {
    this.value.catch(() => undefined);
  }
}

function inboxPrefix({ url, inbox_prefix }: InferenceReporterOptions): string | undefined {
  const { username } = new URL(url);
  return inbox_prefix ?? (/^[\w-]+$/.test(username) ? `_INBOX.${username}` : undefined);
}

function connectionOptions(options: InferenceReporterOptions): NodeConnectionOptions {
  const { url, nats } = options;
  const prefix = inboxPrefix(options);
  const { protocol, host, username, password } = new URL(url);
  return {
    servers: host,
    ...(username && { user: decodeURIComponent(username), pass: decodeURIComponent(password) }),
    ...(protocol === 'tls:' && { tls: {} }),
    ...(prefix !== undefined && { inboxPrefix: prefix }),
    name: 'inference-reporter',
    timeout: connectTimeoutMs,
    reconnectTimeWait: reconnectMs,
    pingInterval: 5_000,
    maxPingOut: 2,
    ...nats,
    // Credentials are changed on one side first, and come right again.
    ignoreAuthErrorAbort: true,
    maxReconnectAttempts: -1,
    reconnect: true,
  };
}

/** An error's class and message. What was thrown may be anything. */
function describe(error: unknown): string {
  try {
    if (!(error instanceof Error)) return String(error);
    const name = error.name === 'Error' ? error.constructor.name : error.name;
    return `${name}: ${error.message}`;
  } catch {
    return 'an error without a text';
  }
}

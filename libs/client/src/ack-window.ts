import { randomUUID } from 'node:crypto';
import {
  createInbox,
  headers as createHeaders,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  PermissionViolationError,
  type Subscription,
} from '@nats-io/transport-node';
import { inferenceSubject, producerHeader, sequenceHeader } from './event-contract.js';

const messageIdHeader = 'Nats-Msg-Id';
const traceHeader = 'traceparent';
const sweepMs = 100;
/** How long a message waits for its acknowledgement before it goes again: after the first time, the second, and from the third on. */
const resendAfterMs = [500, 1_000, 2_000] as const;
const defaultMaxUnacked = 256;

/** Who numbered a message, and as what: JetStream and the metrics service count the same producer and sequence once. */
export interface MessageIdentity {
  producer: string;
  sequence: number;
}

export type NotStoredReason =
  /** JetStream answered that it does not take the message, because the stream is full for one. */
  | 'refused'
  /** There is no stream for the subject. */
  | 'no_stream'
  /** There was no connection to NATS. */
  | 'disconnected'
  /** No acknowledgement in `give_up_ms`, or no place among the unacked within it. */
  | 'timeout'
  /** The account may not publish on the subject, or not listen on its own inbox. */
  | 'not_permitted'
  /** Larger than what the server takes. */
  | 'too_large'
  /** The window or its connection was closed. */
  | 'closed';

/** A message that is not known to be stored. */
export class NotStoredError extends Error {
  override readonly name = 'NotStoredError';

  constructor(
    readonly reason: NotStoredReason,
    /** `no`: it is not on the stream. `unknown`: it went out and the answer is missing; the same identity again is counted once. */
    readonly stored: 'no' | 'unknown',
    message: string,
  ) {
    super(message);
  }
}

export interface AckWindowOptions {
  /** Default `emr.ev.inference`. */
  subject?: string;
  /** Messages that are out without an acknowledgement at the most; further ones wait for their turn. Default 256. */
  max_unacked?: number;
  /**
   * Null, the default: a message is kept and sent again for ever, also while NATS is away or has no stream yet. A number of milliseconds: it
   * is given up after that, and at once when there is no connection or no stream to begin with.
   */
  give_up_ms?: number | null;
  /** What the account may subscribe to: acknowledgements come to `<inbox_prefix>.<random>.*`. Default `_INBOX`. */
  inbox_prefix?: string;
}

export interface AckWindowStats {
  acked: number;
  /** Refused by JetStream, given up or lost to `close`. */
  failed: number;
  /** How often a message went out again. */
  resent: number;
  unacked: number;
  waiting: number;
}

interface Pending {
  payload: Uint8Array;
  identity: MessageIdentity | undefined;
  traceparent: string | undefined;
  /** Made once, so that a message that goes again is the same to the byte. Undefined while it waits for its turn. */
  headers: MsgHdrs | undefined;
  attempts: number;
  /** Monotonic milliseconds. */
  resend_at: number;
  give_up_at: number;
  resolve: () => void;
  reject: (error: NotStoredError) => void;
}

interface PubAck {
  error?: { code: number; err_code?: number; description: string };
}

/**
 * Publishes on JetStream and resolves once it has stored the message: at most `max_unacked` at a time, all acknowledgements over one inbox.
 * (`js.publish` makes a timer and a stack trace for each message.) What is not acknowledged is kept and goes
 * again, the same to the byte, after 0.5 to 2 s and at once after a reconnect: what a NATS connection is given while it is down, it drops
 * without a word.
 *
 * A sequence number belongs to one message for ever. That of a message that is given up is not used again, because the message may be
 * stored all the same: such gaps are allowed, the metrics service takes what comes after them as a range of its own.
 */
export class AckWindow {
  /** This window's name as a producer; its messages are numbered 0, 1, 2, … */
  readonly producer = randomUUID();
  private nextSequence = 0;
  private nextToken = 0;
  private readonly unacked = new Map<string, Pending>();
  private readonly waiting: Pending[] = [];
  private readonly counts = { acked: 0, failed: 0, resent: 0 };
  private readonly subject: string;
  private readonly maxUnacked: number;
  private readonly giveUpMs: number | null;
  private readonly inbox: string;
  private subscription: Subscription | undefined;
  private sweeper: NodeJS.Timeout | undefined;
  private connected = true;
  private closed = false;

  constructor(
    private readonly connection: NatsConnection,
    { subject = inferenceSubject, max_unacked = defaultMaxUnacked, give_up_ms = null, inbox_prefix = '' }: AckWindowOptions = {},
  ) {
    this.subject = subject;
    this.maxUnacked = max_unacked;
    this.giveUpMs = give_up_ms;
    this.inbox = createInbox(inbox_prefix);
    void this.followStatus();
  }

  /**
   * Resolves once JetStream has stored `payload`; rejects with a NotStoredError. Without an identity the message gets the next number of this
   * window. While the window is full the message waits for its turn. `traceparent`: the span that the message is a part of, as W3C Trace Context
   * has it.
   */
  send(payload: Uint8Array, identity?: MessageIdentity, traceparent?: string): Promise<void> {
    if (this.closed) return this.refused('closed', 'no', 'The window is closed');
    if (!this.connected && this.giveUpMs !== null) return this.refused('disconnected', 'no', 'There is no connection to NATS');
    return new Promise((resolve, reject) => {
      const give_up_at = this.giveUpMs === null ? Infinity : performance.now() + this.giveUpMs;
      const pending: Pending = {
        payload,
        identity,
        traceparent,
        headers: undefined,
        attempts: 0,
        resend_at: 0,
        give_up_at,
        resolve,
        reject,
      };
      if (this.unacked.size < this.maxUnacked && this.waiting.length === 0) this.admit(pending);
      else this.waiting.push(pending);
      this.sweeper ??= setInterval(() => this.sweep(), sweepMs);
    });
  }

  stats(): AckWindowStats {
    return { ...this.counts, unacked: this.unacked.size, waiting: this.waiting.length };
  }

  /** Gives up whatever is not acknowledged. The connection stays open: it is its owner's. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.failAll('closed', 'The window was closed');
    this.subscription?.unsubscribe();
  }

  private admit(pending: Pending): void {
    const { producer, sequence } = pending.identity ?? { producer: this.producer, sequence: this.nextSequence++ };
    pending.headers = createHeaders();
    pending.headers.set(producerHeader, producer);
    pending.headers.set(sequenceHeader, String(sequence));
    pending.headers.set(messageIdHeader, `${producer}:${sequence}`);
    if (pending.traceparent !== undefined) pending.headers.set(traceHeader, pending.traceparent);
    const token = (this.nextToken++).toString(36);
    this.unacked.set(token, pending);
    this.publish(token, pending);
  }

  private publish(token: string, pending: Pending): void {
    if (!this.connected) return;
    try {
      this.listen();
      this.connection.publish(this.subject, pending.payload, { headers: pending.headers, reply: `${this.inbox}.${token}` });
    } catch (error) {
      const tooLarge = /max_payload/.test(String(error));
      this.settle(token, pending, tooLarge ? 'too_large' : 'closed', `NATS does not take the message: ${String(error)}`);
      return;
    }
    if (pending.attempts > 0) this.counts.resent += 1;
    pending.resend_at = performance.now() + resendAfterMs[Math.min(pending.attempts, resendAfterMs.length - 1)]!;
    pending.attempts += 1;
  }

  /** One subscription for all acknowledgements. NATS ends one that is not permitted; then there is another try with the next message. */
  private listen(): void {
    this.subscription ??= this.connection.subscribe(`${this.inbox}.*`, {
      callback: (error, message) => {
        if (!error) this.take(message);
        else if (error instanceof PermissionViolationError) {
          this.subscription = undefined;
          this.failAll('not_permitted', `The account may not subscribe to ${this.inbox}.*`);
        }
      },
    });
  }

  private take(message: Msg): void {
    const token = message.subject.slice(this.inbox.length + 1);
    const pending = this.unacked.get(token);
    // The second acknowledgement of one that went twice.
    if (!pending) return;
    if (message.headers?.code === 503) {
      // Whoever is patient tries again. So does one that went before: a server that has just come back may not have its streams yet.
      if (this.giveUpMs !== null && pending.attempts === 1) {
        this.settle(token, pending, 'no_stream', `There is no stream for ${this.subject}`);
      }
      return;
    }
    const error = refusalIn(message);
    if (error) this.settle(token, pending, 'refused', `JetStream does not take the message: ${error}`);
    else this.settle(token, pending);
  }

  private settle(token: string, pending: Pending, reason?: NotStoredReason, message = ''): void {
    this.unacked.delete(token);
    if (reason) {
      this.fail(pending, reason, message);
    } else {
      this.counts.acked += 1;
      pending.resolve();
    }
    while (this.waiting.length && this.unacked.size < this.maxUnacked) this.admit(this.waiting.shift()!);
  }

  private fail({ attempts, reject }: Pending, reason: NotStoredReason, message: string): void {
    this.counts.failed += 1;
    // An answer to the only attempt is certain; after a second one it says nothing of the first.
    const answered = reason === 'refused' || reason === 'no_stream';
    reject(new NotStoredError(reason, attempts === 0 || (answered && attempts === 1) ? 'no' : 'unknown', message));
  }

  private failAll(reason: NotStoredReason, message: string): void {
    const all = [...this.unacked.values(), ...this.waiting];
    this.unacked.clear();
    this.waiting.length = 0;
    clearInterval(this.sweeper);
    this.sweeper = undefined;
    for (const pending of all) this.fail(pending, reason, message);
  }

  private sweep(): void {
    const now = performance.now();
    while (this.waiting[0] && this.waiting[0].give_up_at <= now) {
      this.fail(this.waiting.shift()!, 'timeout', `No place among ${this.maxUnacked} unacknowledged messages`);
    }
    for (const [token, pending] of this.unacked) {
      if (pending.give_up_at <= now) this.settle(token, pending, 'timeout', 'JetStream did not acknowledge the message in time');
      else if (pending.resend_at <= now) this.publish(token, pending);
    }
    if (this.unacked.size) return;
    clearInterval(this.sweeper);
    this.sweeper = undefined;
  }

  private async followStatus(): Promise<void> {
    for await (const status of this.connection.status()) {
      if (status.type === 'disconnect') this.connected = false;
      if (status.type === 'reconnect') {
        this.connected = true;
        for (const [token, pending] of this.unacked) this.publish(token, pending);
      }
      if (status.type === 'error' && status.error instanceof PermissionViolationError) this.denied(status.error);
    }
    this.connected = false;
    this.closed = true;
    this.failAll('closed', 'The connection to NATS was closed');
  }

  private denied({ operation, subject }: PermissionViolationError): void {
    if (operation === 'publish' && subject === this.subject) this.failAll('not_permitted', `The account may not publish on ${subject}`);
  }

  private refused(reason: NotStoredReason, stored: 'no' | 'unknown', message: string): Promise<never> {
    this.counts.failed += 1;
    return Promise.reject(new NotStoredError(reason, stored, message));
  }
}

/** What JetStream says against a message, or null for an acknowledgement. */
function refusalIn(message: Msg): string | null {
  try {
    const { error } = message.json<PubAck>();
    return error ? `${error.description} (${error.err_code ?? error.code})` : null;
  } catch {
    return 'its answer is not JSON';
  }
}

import { maxEvents, maxMessageBytes } from './event-contract.js';

const opening = '{"events":[';
const closing = ']}';
const emptyBytes = opening.length + closing.length;

/** The bytes of a message of these events, each JSON: one by itself, several as `{"events": […]}`. */
export const messageOf = (events: string[]): Uint8Array =>
  Buffer.from(events.length === 1 ? events[0]! : `${opening}${events.join(',')}${closing}`);

interface Batch {
  events: string[];
  bytes: number;
  /** Settles as the sending of its message does. */
  sent: Promise<void>;
  settle: (sending: Promise<void>) => void;
}

/**
 * Puts events that come close together into one message: it goes out when it has 500 events, when the next would make it larger than 64 KiB,
 * or `linger_ms` after the message before it; where that is over already, with whatever else comes in the same turn of the event loop. Where it has
 * `enough` events it lingers no more, and takes along what is added before the running code has ended. An event that is larger by itself goes alone.
 */
export class EventBatches {
  private batch: Batch | undefined;
  private timer: NodeJS.Timeout | undefined;
  private immediate: NodeJS.Immediate | undefined;
  /** Monotonic milliseconds. */
  private flushed_at = -Infinity;

  constructor(
    private readonly linger_ms: number,
    private readonly send: (message: Uint8Array) => Promise<void>,
    private readonly enough = maxEvents,
  ) {}

  /** Settles as the sending of the message does that the event becomes a part of. `event`: JSON. */
  add(event: string): Promise<void> {
    const bytes = Buffer.byteLength(event) + 1;
    if (this.batch && this.batch.bytes + bytes > maxMessageBytes) this.flush();
    const batch = (this.batch ??= this.begin());
    batch.events.push(event);
    batch.bytes += bytes;
    if (batch.events.length === maxEvents) this.flush();
    else if (batch.events.length === this.enough) queueMicrotask(() => this.flush());
    return batch.sent;
  }

  /** Sends what lingers. */
  flush(): void {
    clearTimeout(this.timer);
    clearImmediate(this.immediate);
    this.flushed_at = performance.now();
    const { batch } = this;
    this.batch = undefined;
    if (batch) batch.settle(this.send(messageOf(batch.events)));
  }

  private begin(): Batch {
    const wait = this.flushed_at + this.linger_ms - performance.now();
    if (wait > 0) this.timer = setTimeout(() => this.flush(), wait);
    else this.immediate = setImmediate(() => this.flush());
    let settle: Batch['settle'] = () => undefined;
    const sent = new Promise<void>((resolve) => (settle = resolve));
    return { events: [], bytes: emptyBytes, sent, settle };
  }
}

import { answerWaiting } from './answer-groups.js';

/** For how long, and in how many passes, requests must have been waiting before any is refused: one large batch, or one pause, is no overload. */
const standing_ms = 500;
const standingPasses = 2;
/** The event loop waits for a moment also where much is to be read. */
const rest_ms = 1;

/** Of an event loop, in milliseconds since any moment. */
export interface LoopClock {
  now: () => number;
  /** How long it had nothing to do, in all. */
  idle: () => number;
  /** Calls back when what is readable now has been read and, where that needs nobody else, answered. */
  afterPass: (ended: () => void) => void;
}

/** This process's. */
export const ownLoop: LoopClock = {
  now: () => performance.now(),
  idle: () => performance.nodeTiming.idleTime,
  afterPass: (ended) =>
    setImmediate(() => {
      // What is answered then is a part of the pass, and would be one of the next if that were told first.
      answerWaiting();
      ended();
    }),
};

/**
 * Tells when more requests come than can be answered. What has come meanwhile is read in one pass of the event loop, together with what services
 * answered: a request has waited for as long as the pass before took, and waits for all that is read before it. Where passes have been longer
 * than `budget_ms` without a break for half a second, and without a rest between them, what is read in a pass after so long is refused: whoever
 * is accepted waits for little more than two passes, and a refusal costs a fraction of an answer. The first pass that ends in time ends it.
 *
 * What waits for others, a service or the stream, waits beside the event loop: so many requests at most are under way at a time.
 */
export class Overload {
  private underWay = 0;
  private readonly underWayOf = new Map<object, number>();
  /** Whether the pass is known in which a request is read. */
  private inPass = false;
  private began_ms = 0;
  private ended_ms: number;
  /** What the loop had rested when the last pass ended. */
  private rested_ms: number;
  /** When everything that had come was last read in time. */
  private inTime_ms: number;
  /** Passes since then that were too long. */
  private late = 0;

  /** 0: no limit of that kind. */
  constructor(
    private readonly budget_ms: number,
    private readonly maxUnderWay = 0,
    private readonly loop: LoopClock = ownLoop,
  ) {
    this.ended_ms = this.inTime_ms = loop.now();
    this.rested_ms = loop.idle();
  }

  /** To be asked once for each request, as it is read. */
  refuses(): boolean {
    if (this.maxUnderWay > 0 && this.underWay >= this.maxUnderWay) return true;
    if (this.budget_ms === 0) return false;
    const now = this.loop.now();
    if (!this.inPass) this.begin(now);
    return now - this.began_ms > this.budget_ms && this.late >= standingPasses && now - this.inTime_ms > standing_ms;
  }

  /** A request that was not refused is under way, until it has `left` or its connection is `gone`. */
  entered(connection: object): void {
    this.underWay += 1;
    this.underWayOf.set(connection, (this.underWayOf.get(connection) ?? 0) + 1);
  }

  left(connection: object): void {
    const ofConnection = this.underWayOf.get(connection);
    // It was gone before.
    if (!ofConnection) return;
    this.underWay -= 1;
    this.underWayOf.set(connection, ofConnection - 1);
  }

  gone(connection: object): void {
    this.underWay -= this.underWayOf.get(connection) ?? 0;
    this.underWayOf.delete(connection);
  }

  private begin(now: number): void {
    const rested = this.loop.idle() - this.rested_ms > rest_ms;
    // Without a rest, what was done since the last pass is a part of this one: its requests waited for that too.
    this.began_ms = rested ? now : this.ended_ms;
    if (rested) this.wasInTime(now);
    this.inPass = true;
    this.loop.afterPass(() => this.end());
  }

  private end(): void {
    this.ended_ms = this.loop.now();
    this.rested_ms = this.loop.idle();
    if (this.ended_ms - this.began_ms <= this.budget_ms) this.wasInTime(this.ended_ms);
    else this.late += 1;
    this.inPass = false;
  }

  private wasInTime(now: number): void {
    this.inTime_ms = now;
    this.late = 0;
  }
}

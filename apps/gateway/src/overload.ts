/** How long requests must have been waiting in every pass before any is refused: one large batch is no overload. */
const standing_ms = 500;

/**
 * Tells when more requests come than can be answered. What has come meanwhile is read in one pass of the event loop, so a request has waited
 * for as long as the pass before took, and waits for all that is read before it. Where passes have been longer than `budget_ms` without
 * a break for half a second, what is read in a pass after so long is refused: whoever is accepted waits for little more than two passes,
 * and a refusal costs a fraction of an answer. The first pass that ends in time ends it.
 *
 * What waits for others, a service or the stream, waits beside the event loop: so many requests at most are under way at a time.
 */
export class Overload {
  private underWay = 0;
  private readonly underWayOf = new Map<object, number>();
  private began_ms: number | null = null;
  private ended_ms = 0;
  /** When everything that had come was last read in time. */
  private inTime_ms = 0;

  /** 0: no limit of that kind. `afterPass` calls back when what is readable now has been read. */
  constructor(
    private readonly budget_ms: number,
    private readonly maxUnderWay = 0,
    private readonly now: () => number = () => performance.now(),
    private readonly afterPass: (ended: () => void) => void = setImmediate,
  ) {}

  /** To be asked once for each request, as it is read. */
  refuses(): boolean {
    if (this.maxUnderWay > 0 && this.underWay >= this.maxUnderWay) return true;
    if (this.budget_ms === 0) return false;
    const now = this.now();
    if (this.began_ms === null) {
      this.began_ms = now;
      // Nothing was waiting: it had time for a rest.
      if (now - this.ended_ms > this.budget_ms) this.inTime_ms = now;
      this.afterPass(() => this.end());
      return false;
    }
    return now - this.began_ms > this.budget_ms && now - this.inTime_ms > standing_ms;
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

  private end(): void {
    this.ended_ms = this.now();
    if (this.ended_ms - this.began_ms! <= this.budget_ms) this.inTime_ms = this.ended_ms;
    this.began_ms = null;
  }
}

const maxKeys = 10_000;

interface Allowance {
  left: number;
  at_ms: number;
}

/** So many requests a second of each key, with as many at once after a pause: a bucket of tokens for each of the latest 10,000 keys. */
export class RateLimit {
  private readonly allowances = new Map<string, Allowance>();

  /** 0: no limit. */
  constructor(private readonly perSecond: number) {}

  /** How many whole seconds a request must wait; 0: it may go on, and is counted. `now_ms` never goes back. */
  waitSeconds(key_id: string, now_ms: number): number {
    if (this.perSecond === 0) return 0;
    const { left, at_ms } = this.allowances.get(key_id) ?? { left: this.perSecond, at_ms: now_ms };
    const allowed = Math.min(this.perSecond, left + ((now_ms - at_ms) / 1000) * this.perSecond);
    // Emptied, it gives every key a full bucket once more.
    if (this.allowances.size >= maxKeys && !this.allowances.has(key_id)) this.allowances.clear();
    this.allowances.set(key_id, { left: allowed >= 1 ? allowed - 1 : allowed, at_ms: now_ms });
    return allowed >= 1 ? 0 : Math.ceil((1 - allowed) / this.perSecond);
  }
}

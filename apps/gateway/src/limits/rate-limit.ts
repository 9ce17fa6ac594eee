const maxSubjects = 10_000;

interface Allowance {
  readonly subject: string;
  /** Below 0 where other gateways let through what this one would not have: it is waited for. */
  left: number;
  at_ms: number;
  /** Spent here since it was last told. */
  untold: number;
}

/** How much of what was spent, by whom. */
export type Spent = [subject: string, count: number][];

/**
 * So many requests a second of each subject, with `burst` at once after a pause: a bucket of tokens for each of the latest 10,000 subjects. What
 * was spent elsewhere is taken off too. `now_ms` never goes back.
 */
export class RateLimit {
  private readonly allowances = new Map<string, Allowance>();
  private untold: Allowance[] = [];

  /** `per_second` of 0: no limit. */
  constructor(
    private readonly per_second: number,
    private readonly burst = per_second,
  ) {}

  get isOff(): boolean {
    return this.per_second === 0;
  }

  /** Whether anybody has spent anything. */
  get isIdle(): boolean {
    return this.allowances.size === 0;
  }

  /** How many whole seconds a request must wait; 0: it may go on. It is not counted. */
  waitSeconds(subject: string, now_ms: number): number {
    if (this.isOff || !this.allowances.has(subject)) return 0;
    const { left } = this.upToNow(subject, now_ms);
    return left >= 1 ? 0 : Math.ceil((1 - left) / this.per_second);
  }

  /** Counts a request that need not wait. */
  spend(subject: string, now_ms: number): void {
    if (this.isOff) return;
    const allowance = this.upToNow(subject, now_ms);
    allowance.left -= 1;
    if (allowance.untold === 0) this.untold.push(allowance);
    allowance.untold += 1;
  }

  /** Takes off what another gateway has let through. */
  spentElsewhere(spent: Spent, now_ms: number): void {
    if (this.isOff) return;
    for (const [subject, count] of spent) this.upToNow(subject, now_ms).left -= count;
  }

  /** What was spent here since this was last asked. */
  takeUntold(): Spent {
    const spent = this.untold.map(({ subject, untold }): Spent[number] => [subject, untold]);
    for (const allowance of this.untold) allowance.untold = 0;
    this.untold = [];
    return spent;
  }

  private upToNow(subject: string, now_ms: number): Allowance {
    const known = this.allowances.get(subject);
    if (known) {
      known.left = Math.min(this.burst, known.left + ((now_ms - known.at_ms) / 1000) * this.per_second);
      known.at_ms = now_ms;
      return known;
    }
    if (this.allowances.size >= maxSubjects) this.forgetOldest();
    const allowance = { subject, left: this.burst, at_ms: now_ms, untold: 0 };
    this.allowances.set(subject, allowance);
    return allowance;
  }

  /** It has a full bucket when it comes again. */
  private forgetOldest(): void {
    for (const subject of this.allowances.keys()) {
      this.allowances.delete(subject);
      return;
    }
  }
}

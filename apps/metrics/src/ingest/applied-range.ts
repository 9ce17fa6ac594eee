const maxFrom = Number.MAX_SAFE_INTEGER - 1;
const emptyRanges = /^\s*\{\s*\}\s*$/;
const rangePattern = /^\[(\d{1,16}),(\d{1,16})\)$/;

/**
 * The sequence numbers (whole, 0..2^53 − 2) of one producer that are counted already: disjoint, ascending ranges [from, to) that never touch.
 * A producer that numbers without gaps takes one range, however long it lives. Text form: PostgreSQL's int8multirange, `{[0,5),[7,9)}`.
 */
export class AppliedRange {
  readonly #ranges: [from: number, to: number][] = [];

  /** How many ranges: 1 for a producer without gaps. */
  get rangeCount(): number {
    return this.#ranges.length;
  }

  has(seq: number): boolean {
    const range = this.#ranges[this.#firstEndingAfter(seq)];
    return range !== undefined && range[0] <= seq;
  }

  /** Adds `seq`; false when it was there already. Throws RangeError unless it is a whole number from 0 to 2^53 − 2. */
  add(seq: number): boolean {
    if (!(Number.isSafeInteger(seq) && seq >= 0 && seq <= maxFrom)) {
      throw new RangeError(`A sequence number is a whole number from 0 to ${maxFrom}, not ${seq}`);
    }
    const at = this.#firstEndingAfter(seq);
    const next = this.#ranges[at];
    if (next && next[0] <= seq) return false;
    const previous = this.#ranges[at - 1];
    const touchesNext = next?.[0] === seq + 1;
    if (previous?.[1] === seq) {
      previous[1] = touchesNext ? next[1] : seq + 1;
      if (touchesNext) this.#ranges.splice(at, 1);
    } else if (touchesNext) {
      next[0] = seq;
    } else {
      this.#ranges.splice(at, 0, [seq, seq + 1]);
    }
    return true;
  }

  /** The int8multirange literal in PostgreSQL's canonical form. */
  format(): string {
    return `{${this.#ranges.map(([from, to]) => `[${from},${to})`).join(',')}}`;
  }

  /**
   * Reads an int8multirange as PostgreSQL writes it: bounded, `[from,to)`, ascending, not touching. Throws RangeError for anything else, because
   * a ledger that is read wrongly would count twice.
   */
  static parse(text: string): AppliedRange {
    const applied = new AppliedRange();
    if (emptyRanges.test(text)) return applied;
    if (!text.startsWith('{') || !text.endsWith('}')) throw notMultirange(text);
    let end = -1;
    // Split before each `[`: the comma within a range stays.
    for (const part of text.slice(1, -1).split(/,(?=\[)/)) {
      const match = rangePattern.exec(part);
      const from = Number(match?.[1]);
      const to = Number(match?.[2]);
      if (!match || !Number.isSafeInteger(to) || from >= to || from <= end) throw notMultirange(text);
      applied.#ranges.push([from, to]);
      end = to;
    }
    return applied;
  }

  /** The index of the first range that ends after `seq`: the one that holds it, if any does. */
  #firstEndingAfter(seq: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#ranges[middle]![1] <= seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const notMultirange = (text: string): RangeError =>
  new RangeError(`Not an int8multirange such as {[0,5),[7,9)}: ${text.length > 100 ? `${text.slice(0, 100)}…` : text}`);

import type { Comparison, Unmeasurable } from './comparison.js';
import { normalQuantileAbove, normalTwoSided } from './distributions.js';
import { gamma, type Sketch, zeroBelow } from './sketch.js';

export interface RankSumComparison extends Comparison {
  /** P(a value of the candidate is larger than one of the baseline), ties counted half: 0..1, ½ without a difference. */
  superiority: number;
  /** Cliff's delta, −1..1: P(larger) − P(smaller). Cliff, "Dominance statistics", Psychological Bulletin 114, 1993. */
  cliffs_delta: number;
}

const zeroBin = Math.ceil(Math.log(zeroBelow) / Math.log(gamma)) - 1;

/**
 * The Mann–Whitney test of two sketches, each bin's values tied. Effect: the Hodges–Lehmann ratio, the median of all candidate / baseline
 * ratios. As bins are equal on a logarithmic scale, it is γ to the shift in bins that leaves neither side superior; within a bin the shift is
 * interpolated. The interval holds the ratios that the test would not reject. Zeros (below 0.001) count as one bin below all others.
 *
 * Normal approximation with correction for ties and continuity: Hollander, Wolfe, "Nonparametric statistical methods", 4.1; the interval by
 * inversion as in R's `wilcox.test(conf.int = TRUE)`. Statistic: z. n: the values of the smaller side.
 * The difference from the same test of the raw values is what lies within 2 %. Latencies must be independent of each other: those of one burst
 * are not, and then p is too small. Work: bins², at most 1.4 million products.
 * `no_rows` where a side is empty, `too_few_rows` where even complete separation would not be significant at 1 − confidence (3 against 3).
 */
export function mannWhitney(candidate: Sketch, baseline: Sketch, confidence = 0.95): RankSumComparison | Unmeasurable {
  if (candidate.count === 0 || baseline.count === 0) return { reason: 'no_rows' };
  const shifts = new Shifts(binned(candidate), binned(baseline));
  const limit = normalQuantileAbove((1 - confidence) / 2);
  if (shifts.z(shifts.lowest) <= limit) return { reason: 'too_few_rows' };
  const superiority = shifts.excess(0) / (candidate.count * baseline.count) + 0.5;
  const statistic = shifts.z(0);
  return {
    test: 'mann_whitney',
    statistic,
    p: normalTwoSided(statistic),
    scale: 'ratio',
    effect: gamma ** shifts.where((shift) => shifts.excess(shift), 0),
    interval: {
      lower: gamma ** shifts.where((shift) => shifts.z(shift), limit),
      upper: gamma ** shifts.where((shift) => shifts.z(shift), -limit),
    },
    confidence,
    n: Math.min(candidate.count, baseline.count),
    superiority,
    cliffs_delta: 2 * superiority - 1,
  };
}

/** The counts of all bins from `first` on, empty ones among them. */
interface Binned {
  first: number;
  counts: Float64Array;
  total: number;
}

function binned(sketch: Sketch): Binned {
  const bins = sketch.bins();
  const zeros = bins.reduce((rest, [, count]) => rest - count, sketch.count);
  if (zeros > 0) bins.unshift([zeroBin, zeros]);
  const first = bins[0]![0];
  const counts = new Float64Array(bins.at(-1)![0] - first + 1);
  for (const [index, count] of bins) counts[index - first] = count;
  return { first, counts, total: sketch.count };
}

/** What the test says once all values of the candidate are moved down by a whole number of bins. */
class Shifts {
  /** At this shift all values of the candidate are above all of the baseline. */
  readonly lowest: number;
  /** Pairs by how many bins the candidate's value is above the baseline's, from lowest + 1 on. */
  readonly #pairs: Float64Array;
  /** Pairs in which it is above by at least so many bins. */
  readonly #above: Float64Array;

  constructor(
    private readonly candidate: Binned,
    private readonly baseline: Binned,
  ) {
    const [ours, theirs] = [candidate.counts, baseline.counts];
    this.lowest = candidate.first - (baseline.first + theirs.length);
    this.#pairs = new Float64Array(ours.length + theirs.length - 1);
    for (let i = 0; i < ours.length; i++) {
      if (ours[i] === 0) continue;
      for (let j = 0; j < theirs.length; j++) this.#pairs[i - j + theirs.length - 1]! += ours[i]! * theirs[j]!;
    }
    this.#above = new Float64Array(this.#pairs.length + 1);
    for (let i = this.#pairs.length - 1; i >= 0; i--) this.#above[i] = this.#above[i + 1]! + this.#pairs[i]!;
  }

  /** Mann–Whitney's U less its mean: 0 where neither side is superior. Falls as the shift grows. */
  excess(shift: number): number {
    const half = (this.candidate.total * this.baseline.total) / 2;
    const at = shift - this.lowest - 1;
    if (at < 0) return half;
    if (at >= this.#pairs.length) return -half;
    return this.#above[at + 1]! + this.#pairs[at]! / 2 - half;
  }

  z(shift: number): number {
    const excess = this.excess(shift);
    const size = Math.max(0, Math.abs(excess) - 0.5);
    return size === 0 ? 0 : (Math.sign(excess) * size) / this.#deviation(shift);
  }

  /** The shift, between whole ones by interpolation, at which a figure that falls with the shift is `target`; the middle if it stays there. */
  where(figure: (shift: number) => number, target: number): number {
    const first = this.#first((shift) => figure(shift) <= target);
    const at = figure(first);
    if (at < target) return first - (target - at) / (figure(first - 1) - at);
    return (first + this.#first((shift) => figure(shift) < target) - 1) / 2;
  }

  /** The first shift with a property that all after it have too, and that the last one has, at which all of the candidate are below. */
  #first(has: (shift: number) => boolean): number {
    let low = this.lowest;
    let high = this.lowest + this.#above.length;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (has(middle)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #deviation(shift: number): number {
    const { candidate, baseline } = this;
    const n = candidate.total + baseline.total;
    const first = Math.min(candidate.first - shift, baseline.first);
    const end = Math.max(candidate.first - shift + candidate.counts.length, baseline.first + baseline.counts.length);
    let ties = 0;
    for (let bin = first; bin < end; bin++) {
      const tied = (candidate.counts[bin + shift - candidate.first] ?? 0) + (baseline.counts[bin - baseline.first] ?? 0);
      ties += tied * (tied * tied - 1);
    }
    return Math.sqrt(((candidate.total * baseline.total) / 12) * (n + 1 - ties / (n * (n - 1))));
  }
}

import type { Comparison, Unmeasurable } from './comparison.js';
import { normalQuantileAbove, normalTwoSided } from './distributions.js';
import { wilsonInterval } from './wilson.js';

/** Up to this many requests in all, Fisher's exact test is taken. */
export const exactUpTo = 2000;

/** So many `events` of `n`: failed requests, for instance. */
export interface Share {
  events: number;
  n: number;
}

/**
 * Compares two independent proportions. Effect: their difference, with Newcombe's hybrid score interval ("Interval estimation for the
 * difference between independent proportions", Statistics in Medicine 17, 1998, method 10).
 *
 * Up to 2,000 in all, or where an expected count is below 5, p is Fisher's exact one, two-sided by Irwin's rule (all tables no more probable
 * than the one seen), which never exceeds its level. Beyond, the "N − 1" chi-square test: Campbell, "Chi-squared and Fisher–Irwin tests of
 * two-by-two tables with small sample recommendations", Statistics in Medicine 26, 2007. The statistic is its signed root in both cases.
 * Throws RangeError unless all counts are whole with 0 ≤ events ≤ n.
 */
export function compareShares(candidate: Share, baseline: Share, confidence = 0.95): Comparison | Unmeasurable {
  const z = normalQuantileAbove((1 - confidence) / 2);
  const ours = wilsonInterval(candidate.events, candidate.n, z);
  const theirs = wilsonInterval(baseline.events, baseline.n, z);
  if (candidate.n === 0 || baseline.n === 0) return { reason: 'no_rows' };
  const total = candidate.n + baseline.n;
  const events = candidate.events + baseline.events;
  const p = candidate.events / candidate.n;
  const q = baseline.events / baseline.n;
  const pooled = events / total;
  const variance = pooled * (1 - pooled) * (1 / candidate.n + 1 / baseline.n) * (total / (total - 1));
  const statistic = events === 0 || events === total ? 0 : (p - q) / Math.sqrt(variance);
  const smallestExpected = (Math.min(candidate.n, baseline.n) * Math.min(events, total - events)) / total;
  const exact = total <= exactUpTo || smallestExpected < 5;
  return {
    test: exact ? 'fisher_exact' : 'n_minus_1_chi_square',
    statistic,
    p: exact ? fisher(candidate, baseline) : normalTwoSided(statistic),
    scale: 'difference',
    effect: p - q,
    interval: {
      lower: Math.max(-1, p - q - Math.hypot(p - ours.lower, theirs.upper - q)),
      upper: Math.min(1, p - q + Math.hypot(ours.upper - p, q - theirs.lower)),
    },
    confidence,
    n: Math.min(candidate.n, baseline.n),
  };
}

/** The share of the hypergeometric distribution that is no more probable than the table seen, but for rounding. */
function fisher(candidate: Share, baseline: Share): number {
  const events = candidate.events + baseline.events;
  const [first, last] = [Math.max(0, events - baseline.n), Math.min(candidate.n, events)];
  // P(k + 1) / P(k). From the most probable table outwards, so that all weights are in 0..1.
  const ratio = (k: number): number => ((candidate.n - k) * (events - k)) / ((k + 1) * (baseline.n - events + k + 1));
  const mode = Math.min(last, Math.max(first, Math.floor(((candidate.n + 1) * (events + 1)) / (candidate.n + baseline.n + 2))));
  const weights = new Float64Array(last - first + 1);
  weights[mode - first] = 1;
  for (let k = mode; k < last; k++) weights[k + 1 - first] = weights[k - first]! * ratio(k);
  for (let k = mode; k > first; k--) weights[k - 1 - first] = weights[k - first]! / ratio(k - 1);
  const seen = weights[candidate.events - first]! * (1 + 1e-7);
  let all = 0;
  let extreme = 0;
  for (const weight of weights) {
    all += weight;
    if (weight <= seen) extreme += weight;
  }
  return extreme / all;
}

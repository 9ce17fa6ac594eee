import type { Comparison, Unmeasurable } from './comparison.js';
import { normalQuantileAbove } from './distributions.js';
import { gamma, Sketch, zeroBelow } from './sketch.js';
import { compareShares } from './two-proportions.js';

/**
 * Compares the q-quantiles of two sketches, between 0 and 1: 0.95 for how slow the slowest twentieth is, which a test of shifts may not see.
 *
 * p: were both samples of one distribution, either would be as likely to have the values above the q-quantile of all; so it is that of
 * `compareShares` on how many each has above that bin; with it, where less than half of what should be is above it. Sources: Mood, "Introduction to the theory of statistics", 1950, for the median;
 * Massey, "A note on a two sample test", Annals of Mathematical Statistics 22, 1951, for other quantiles.
 * Effect: the ratio of the two quantiles. Interval: of its logarithm, the distances of each quantile to its own bounds squared and added (Donner,
 * Zou, Statistical Methods in Medical Research 21, 2012); a quantile's bounds are the values of rank nq ± z·√(nq(1 − q)).
 * `too_few_rows` where a side has no value of such a rank: below 73 values for 0.95 and 381 for 0.99. n: the values of the smaller side.
 */
export function compareQuantiles(candidate: Sketch, baseline: Sketch, q: number, confidence = 0.95): Comparison | Unmeasurable {
  if (candidate.count === 0 || baseline.count === 0) return { reason: 'no_rows' };
  const z = normalQuantileAbove((1 - confidence) / 2);
  const ours = boundsOf(candidate, q, z);
  const theirs = boundsOf(baseline, q, z);
  if (!ours || !theirs) return { reason: 'too_few_rows' };
  const all = new Sketch();
  all.merge(candidate);
  all.merge(baseline);
  const limit = limitOf(all, q);
  const above = (sketch: Sketch): { events: number; n: number } => ({ events: sketch.countAbove(limit), n: sketch.count });
  const shares = compareShares(above(candidate), above(baseline), confidence);
  if ('reason' in shares) return shares;
  const ratio = ours.at - theirs.at;
  return {
    ...shares,
    scale: 'ratio',
    effect: Math.exp(ratio),
    interval: {
      lower: Math.exp(ratio - Math.hypot(ours.at - ours.lower, theirs.upper - theirs.at)),
      upper: Math.exp(ratio + Math.hypot(ours.upper - ours.at, theirs.at - theirs.lower)),
    },
  };
}

/** What is slow: values in bins from here on. Chosen by the values of both sides alone, as the level of the test needs. */
function limitOf(all: Sketch, q: number): number {
  const value = all.quantile(q);
  // 1 − 0.95 is a little more than 0.05 in binary.
  const enough = all.countAbove(value) >= ((all.count * (1 - q)) / 2) * (1 - 1e-12);
  // Between the beginning of the bin and the one before.
  return enough ? value : value / gamma;
}

/** The logarithms of a quantile and its bounds; null where the upper one is beyond all values. */
function boundsOf(sketch: Sketch, q: number, z: number): { at: number; lower: number; upper: number } | null {
  const n = sketch.count;
  const reach = z * Math.sqrt(n * q * (1 - q));
  const upper = Math.ceil(n * q + reach);
  if (upper > n) return null;
  const valueAt = (rank: number): number => Math.log(Math.max(zeroBelow, sketch.quantile(rank / n)));
  return { at: valueAt(Math.ceil(n * q)), lower: valueAt(Math.max(1, Math.floor(n * q - reach))), upper: valueAt(upper) };
}

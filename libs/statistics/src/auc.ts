import type { Comparison, Measured, Unmeasurable } from './comparison.js';
import { normalQuantileAbove, normalTwoSided } from './distributions.js';
import { atOnce, type Steps } from './steps.js';

const rowsAStep = 5_000;

/**
 * The area under the ROC curve, 0..1: the probability that a row with the positive label has a higher score than one without, ties counted
 * half. `scores` are any finite numbers, `positive` holds 1 for a row that has the label, else 0. It needs all rows at once. `one_class_only` where all rows or none have the label. Source: Hanley, McNeil, Radiology 143, 1982.
 */
export function* aucSteps(scores: Float64Array, positive: Uint8Array): Steps<Measured> {
  const placements = yield* placementsOf(scores, positive);
  return 'reason' in placements ? placements : placements.auc;
}

export const auc = (scores: Float64Array, positive: Uint8Array): Measured => atOnce(aucSteps(scores, positive));

/**
 * Compares the areas under the ROC curves of two models on the same rows: their difference is normal with the variance of DeLong, DeLong,
 * Clarke-Pearson, Biometrics 44, 1988, in the n·log n form of Sun, Xu, IEEE Signal Processing Letters 21, 2014. Statistic: z. n: all rows.
 * Two models that rank all rows alike differ by exactly 0 (p = 1). `too_few_rows` with fewer than two rows of either class.
 */
export function* compareAucSteps(
  candidate: Float64Array,
  baseline: Float64Array,
  positive: Uint8Array,
  confidence = 0.95,
): Steps<Comparison | Unmeasurable> {
  const ours = yield* placementsOf(candidate, positive);
  const theirs = yield* placementsOf(baseline, positive);
  if ('reason' in ours) return ours;
  if ('reason' in theirs) return theirs;
  yield;
  let positives = 0;
  for (const flag of positive) if (flag) positives++;
  if (Math.min(positives, positive.length - positives) < 2) return { reason: 'too_few_rows' };
  const effect = ours.auc - theirs.auc;
  const spread = (pseudoRows: number): number => {
    const among = (flag: number): number => varianceOfMean(ours.of, theirs.of, positive, flag, pseudoRows);
    return Math.sqrt(among(1) + among(0));
  };
  // A model that turned every ranking round differs by the same on all rows, so that DeLong's variance is 0: one row without a difference is
  // supposed in each class then.
  const error = spread(0) || (effect === 0 ? 0 : spread(1));
  const statistic = error === 0 ? 0 : effect / error;
  const half = normalQuantileAbove((1 - confidence) / 2) * error;
  return {
    test: 'delong',
    statistic,
    p: normalTwoSided(statistic),
    scale: 'difference',
    effect,
    interval: { lower: Math.max(-1, effect - half), upper: Math.min(1, effect + half) },
    confidence,
    n: positive.length,
  };
}

export const compareAuc = (
  candidate: Float64Array,
  baseline: Float64Array,
  positive: Uint8Array,
  confidence?: number,
): Comparison | Unmeasurable => atOnce(compareAucSteps(candidate, baseline, positive, confidence));

/** For each row the share of the other class that it is on the right side of, ties half; and their mean, the area. */
function* placementsOf(scores: Float64Array, positive: Uint8Array): Steps<{ of: Float64Array; auc: number } | Unmeasurable> {
  if (scores.length !== positive.length) throw new RangeError(`${scores.length} scores for ${positive.length} labels`);
  if (positive.some((flag) => flag > 1)) throw new RangeError('A row is 1 (has the label) or 0');
  const n = scores.length;
  if (n === 0) return { reason: 'no_rows' };
  if (!scores.every(Number.isFinite)) return { reason: 'not_a_number' };
  yield;
  const withLabel = scores.filter((_, row) => positive[row] === 1).sort();
  yield;
  const without = scores.filter((_, row) => positive[row] === 0).sort();
  yield;
  if (withLabel.length === 0 || without.length === 0) return { reason: 'one_class_only' };
  const of = new Float64Array(n);
  let total = 0;
  for (let row = 0; row < n; row++) {
    const others = positive[row] ? without : withLabel;
    const below = countBelow(others, scores[row]!, false) + countBelow(others, scores[row]!, true);
    of[row] = (positive[row] ? below : 2 * others.length - below) / 2 / others.length;
    if (positive[row]) total += below / 2;
    if (row % rowsAStep === 0) yield;
  }
  return { of, auc: total / (withLabel.length * without.length) };
}

/** How many values are below this one, or equal to it where `orEqual`. */
function countBelow(ascending: Float64Array, value: number, orEqual: boolean): number {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle]! < value || (orEqual && ascending[middle] === value)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The variance of the mean difference of two sets of placements within one class, with so many further rows without a difference. */
function varianceOfMean(ours: Float64Array, theirs: Float64Array, positive: Uint8Array, flag: number, pseudoRows: number): number {
  let n = pseudoRows;
  let sum = 0;
  for (let i = 0; i < ours.length; i++) {
    if (positive[i] !== flag) continue;
    n += 1;
    sum += ours[i]! - theirs[i]!;
  }
  let squares = pseudoRows * (sum / n) ** 2;
  for (let i = 0; i < ours.length; i++) if (positive[i] === flag) squares += (ours[i]! - theirs[i]! - sum / n) ** 2;
  return squares / (n - 1) / n;
}

import type { Reason } from './comparison.js';
import type { Metric } from './metric.js';

export interface LabelRow {
  actual: string;
  predicted: string;
}

/** The share of rows whose predicted label is the actual one, 0..1. */
export const accuracy: Metric<LabelRow> = {
  size: 2,
  add({ actual, predicted }, sums) {
    sums[0]! += 1;
    if (actual === predicted) sums[1]! += 1;
    return undefined;
  },
  of: (sums) => (sums[0] === 0 ? { reason: 'no_rows' } : sums[1]! / sums[0]!),
};

const [truePositive, actualPositive, predictedPositive] = [0, 1, 2];

/** Of a label against all others: rows where it is actual and predicted, where it is actual, where it is predicted. */
const counts = (positive: string): Pick<Metric<LabelRow>, 'size' | 'add'> => ({
  size: 3,
  add({ actual, predicted }, sums) {
    if (actual === positive && predicted === positive) sums[truePositive]! += 1;
    if (actual === positive) sums[actualPositive]! += 1;
    if (predicted === positive) sums[predictedPositive]! += 1;
    return undefined;
  },
});

/** Of the rows that were predicted `positive`, the share that are, 0..1. `no_predicted_positive` where there are none. */
export const precision = (positive: string): Metric<LabelRow> => ({
  ...counts(positive),
  of: (sums) => (sums[predictedPositive] === 0 ? { reason: 'no_predicted_positive' } : sums[truePositive]! / sums[predictedPositive]!),
});

/** Of the rows that are `positive`, the share that were predicted so, 0..1. `no_actual_positive` where there are none. */
export const recall = (positive: string): Metric<LabelRow> => ({
  ...counts(positive),
  of: (sums) => (sums[actualPositive] === 0 ? { reason: 'no_actual_positive' } : sums[truePositive]! / sums[actualPositive]!),
});

/**
 * The harmonic mean of precision and recall, 2·TP/(2·TP + FP + FN), 0..1: 0 where `positive` was never predicted though it occurs.
 * `no_actual_positive` where it neither occurs nor was predicted.
 */
export const f1 = (positive: string): Metric<LabelRow> => ({
  ...counts(positive),
  of: (sums) => {
    const both = sums[actualPositive]! + sums[predictedPositive]!;
    return both === 0 ? { reason: 'no_actual_positive' } : (2 * sums[truePositive]!) / both;
  },
});

export type Average = 'precision' | 'recall' | 'f1';

/**
 * The plain mean of a figure over the labels that occur or were predicted, each against all others, 0..1. As in scikit-learn's
 * `average="macro", zero_division=0`, a label's figure that would be 0/0 counts as 0. `labels` are those of the data set. An actual label
 * that is none of them is a fault of the row (`unknown_label`); such a predicted one is a miss of the actual label and no label of its own.
 */
export function macro(average: Average, labels: readonly string[]): Metric<LabelRow> {
  const index = new Map(labels.map((label, i) => [label, 3 * i]));
  return {
    size: 3 * labels.length,
    add({ actual, predicted }, sums): Reason | undefined {
      const at = index.get(actual);
      if (at === undefined) return 'unknown_label';
      sums[at + actualPositive]! += 1;
      if (actual === predicted) sums[at + truePositive]! += 1;
      const other = index.get(predicted);
      if (other !== undefined) sums[other + predictedPositive]! += 1;
      return undefined;
    },
    of(sums) {
      let total = 0;
      let seen = 0;
      for (let at = 0; at < sums.length; at += 3) {
        const [hits, actual, predicted] = [sums[at]!, sums[at + actualPositive]!, sums[at + predictedPositive]!];
        if (actual + predicted === 0) continue;
        seen += 1;
        const of = { precision: predicted, recall: actual, f1: (actual + predicted) / 2 }[average];
        total += of === 0 ? 0 : hits / of;
      }
      return seen === 0 ? { reason: 'no_rows' } : total / seen;
    },
  };
}

import type { Interval } from './wilson.js';

/** Why there is no figure: what about the data does not allow one. The text is for people, the code for programs. */
export const reasons = {
  no_rows: 'there are no rows',
  too_few_rows: 'there are too few rows for this figure to be defined',
  not_a_number: 'a value is not a finite number',
  not_a_probability: 'a value is not a probability from 0 to 1',
  unknown_label: 'a row has a label that is not among the labels of the data set',
  more_than_two_labels: 'there are more than two labels, and the answer gives the probability of one alone',
  too_many_labels: 'there are more than 100 labels',
  no_actual_positive: 'no row has the positive label',
  no_predicted_positive: 'the positive label was never predicted',
  one_class_only: 'all rows have the same label',
  all_actuals_zero: 'all actual values are 0',
  actuals_do_not_vary: 'all actual values are the same',
  baseline_is_zero: 'the baseline is 0, so there is no ratio to it',
  too_sparse: 'the figure is undefined in too many resamples of the rows',
} as const;

export type Reason = keyof typeof reasons;

export interface Unmeasurable {
  reason: Reason;
}

/** A figure, or why there is none. Never NaN or infinite. */
export type Measured = number | Unmeasurable;

export type TestName =
  | 'mcnemar_exact'
  | 'mcnemar_mid_p'
  | 'paired_bootstrap'
  | 'sign_flip'
  | 'delong'
  | 'wilcoxon_exact'
  | 'wilcoxon_normal'
  | 'mann_whitney'
  | 'fisher_exact'
  | 'n_minus_1_chi_square';

/** How a candidate differs from its baseline. */
export interface Comparison {
  test: TestName;
  /** The test's own figure; positive where the candidate's values are the larger ones. */
  statistic: number;
  /** Two-sided, 0..1, of this comparison alone: see `holm` for several. */
  p: number;
  /** `difference`: effect is candidate − baseline, 0 if there is none. `ratio`: candidate / baseline, 1 if there is none, above 0. */
  scale: 'difference' | 'ratio';
  effect: number;
  /** Encloses the effect with this confidence. Where test and interval have different sources, they may disagree at the very edge. */
  interval: Interval;
  /** Of the interval, between 0 and 1. */
  confidence: number;
  /** Pairs of a paired test, else the values of the smaller side. */
  n: number;
}

/**
 * The same comparison in units of `baseline`, a figure above 0: a difference of 3 to a baseline of 60 becomes 0.05. The baseline is taken
 * as it is, without an error of its own.
 */
export function relativeTo(baseline: number, comparison: Comparison): Comparison | Unmeasurable {
  if (!Number.isFinite(baseline)) return { reason: 'not_a_number' };
  if (baseline <= 0) return { reason: 'baseline_is_zero' };
  const { effect, interval } = comparison;
  return {
    ...comparison,
    effect: effect / baseline,
    interval: { lower: interval.lower / baseline, upper: interval.upper / baseline },
  };
}

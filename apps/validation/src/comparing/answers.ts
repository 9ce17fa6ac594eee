import { type Metric } from '#statistics/metric.js';
import { type ProbabilityRow } from '#statistics/probability.js';
import { type LabelRow } from '#statistics/classification.js';
import { type NumberRow } from '#statistics/regression.js';
import { type RowOutcome } from '../judging/rows.js';

/** A label as a text; 1 and "1" are two labels. */
const labelOf = (value: RowOutcome['label']): string => (typeof value === 'string' ? JSON.stringify(value) : String(value));

/** A mean over more labels says nothing any more, and its sums are no longer few. */
export const maxLabels = 100;

/** The labels that occur as right or as predicted, in order; of more than 100 the first 101 or 102. */
export interface Classes {
  labels: string[];
  /** `true` of true and false, 1 of 0 and 1; of other labels none is more positive than the others. */
  positive: string | null;
}

export function classesOf(...all: (readonly RowOutcome[])[]): Classes {
  const values = new Set<RowOutcome['label']>();
  for (const outcomes of all) {
    for (const { label, prediction } of outcomes) {
      if (values.size > maxLabels) break;
      values.add(label).add(prediction);
    }
  }
  const labels = [...values].map(labelOf).sort();
  const only = (...allowed: string[]): boolean => labels.every((label) => allowed.includes(label));
  return { labels, positive: only('true', 'false') ? 'true' : only('0', '1') ? '1' : null };
}

export const labelRow = ({ label, prediction }: RowOutcome): LabelRow => ({ actual: labelOf(label), predicted: labelOf(prediction) });

const numberOf = (value: RowOutcome['label']): number => (typeof value === 'number' ? value : NaN);

/** What is no number makes the figure unmeasurable. */
export const numberRow = ({ label, prediction }: RowOutcome): NumberRow => ({ actual: numberOf(label), predicted: numberOf(prediction) });

/** Whether what was predicted came, and with which probability it was predicted. */
export const rightRow = ({ label, prediction, score = NaN }: RowOutcome): ProbabilityRow => ({
  happened: labelOf(label) === labelOf(prediction),
  probability: score,
});

/** The same of one label: of two labels, what is not given to one is given to the other. */
export const probabilityOf =
  (positive: string) =>
  ({ label, prediction, score = NaN }: RowOutcome): ProbabilityRow => ({
    happened: labelOf(label) === positive,
    probability: labelOf(prediction) === positive ? score : 1 - score,
  });

/** The metric of rows of one kind, as one of outcomes. */
export const on = <Row>(metric: Metric<Row>, row: (outcome: RowOutcome) => Row): Metric<RowOutcome> => ({
  size: metric.size,
  add: (outcome, sums) => metric.add(row(outcome), sums),
  of: (sums) => metric.of(sums),
});

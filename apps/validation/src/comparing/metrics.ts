import { aucSteps } from '#statistics/auc.js';
import { accuracy, type Average, f1, macro, precision, recall } from '#statistics/classification.js';
import { type Measured, reasons, type Unmeasurable } from '#statistics/comparison.js';
import { type Metric, MetricSums } from '#statistics/metric.js';
import { brierScore, calibrationError, logLoss } from '#statistics/probability.js';
import { mae, mape, rmse, rSquared } from '#statistics/regression.js';
import { type Steps } from '#statistics/steps.js';
import { type RowOutcome } from '../judging/rows.js';
import { type Classes, classesOf, labelRow, maxLabels, numberRow, on, probabilityOf, rightRow } from './answers.js';

const rowsAStep = 5_000;

const ofOneLabel = { precision, recall, f1 };

function averaged(average: Average, { labels, positive }: Classes): Metric<RowOutcome> | Unmeasurable {
  if (positive !== null) return on(ofOneLabel[average](positive), labelRow);
  return labels.length > maxLabels ? { reason: 'too_many_labels' } : on(macro(average, labels), labelRow);
}

/** Metrics that are functions of sums over the rows: all but `auc`. Throws for a name that is none. */
export function metricOf(name: string, classes: Classes, first: RowOutcome | undefined): Metric<RowOutcome> | Unmeasurable {
  const { labels, positive } = classes;
  switch (name) {
    case 'accuracy':
      return on(accuracy, labelRow);
    case 'precision':
    case 'recall':
    case 'f1':
      return averaged(name, classes);
    case 'log_loss':
      // Of more labels, the probability of the right one is not known where another was predicted.
      return labels.length > 2 ? { reason: 'more_than_two_labels' } : on(logLoss, rightRow);
    case 'brier':
      return on(brierScore, rightRow);
    case 'calibration_error':
      return on(calibrationError(), positive === null ? rightRow : probabilityOf(positive));
    case 'mae':
      return on(mae, numberRow);
    case 'rmse':
      return on(rmse, numberRow);
    case 'mape':
      return on(mape, numberRow);
    case 'r2':
      return on(rSquared(first ? numberRow(first).actual : 0), numberRow);
    default:
      throw new Error(`There is no metric ${name}`);
  }
}

/** What `auc` ranks: the probabilities of one of two labels, whichever: of the other it is the same. */
export function* rankedSteps(outcomes: readonly RowOutcome[], { labels, positive }: Classes): Steps<Ranked | Unmeasurable> {
  if (labels.length > 2) return { reason: 'more_than_two_labels' };
  const rowOf = probabilityOf(positive ?? labels.at(-1) ?? '');
  const rows: Ranked = { scores: new Float64Array(outcomes.length), positive: new Uint8Array(outcomes.length) };
  for (const [index, outcome] of outcomes.entries()) {
    if (index % rowsAStep === 0) yield;
    const { happened, probability } = rowOf(outcome);
    rows.scores[index] = probability;
    rows.positive[index] = Number(happened);
  }
  return rows;
}

export interface Ranked {
  scores: Float64Array;
  /** 1 where the row has the label. */
  positive: Uint8Array;
}

export interface Figures {
  metrics: Record<string, number>;
  /** Why there is no figure, by metric. */
  not_measured: Record<string, string>;
}

/** The figures of one model on the rows of a data set. */
export function* figuresSteps(names: readonly string[], outcomes: readonly RowOutcome[]): Steps<Figures> {
  const classes = classesOf(outcomes);
  const figures: Figures = { metrics: {}, not_measured: {} };
  for (const name of names) {
    yield;
    const value = name === 'auc' ? yield* aucOf(outcomes, classes) : yield* valueOf(metricOf(name, classes, outcomes[0]), outcomes);
    if (typeof value === 'number') figures.metrics[name] = value;
    else figures.not_measured[name] = reasons[value.reason];
  }
  return figures;
}

function* aucOf(outcomes: readonly RowOutcome[], classes: Classes): Steps<Measured> {
  const rows = yield* rankedSteps(outcomes, classes);
  return 'reason' in rows ? rows : yield* aucSteps(rows.scores, rows.positive);
}

function* valueOf(metric: Metric<RowOutcome> | Unmeasurable, outcomes: readonly RowOutcome[]): Steps<Measured> {
  if ('reason' in metric) return metric;
  const sums = new MetricSums(metric);
  for (const [index, outcome] of outcomes.entries()) {
    sums.add(outcome);
    if (index % rowsAStep === 0) yield;
  }
  return sums.value();
}

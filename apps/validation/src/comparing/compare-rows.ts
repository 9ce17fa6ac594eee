import { compareAucSteps } from '#statistics/auc.js';
import { type Comparison, relativeTo, type Unmeasurable } from '#statistics/comparison.js';
import { mcnemar } from '#statistics/mcnemar.js';
import { type BootstrapOptions, PairedBootstrap } from '#statistics/paired-bootstrap.js';
import { signFlipSteps } from '#statistics/sign-flip.js';
import { type Steps } from '#statistics/steps.js';
import { wilcoxonSteps } from '#statistics/wilcoxon.js';
import { type RowOutcome } from '../judging/rows.js';
import { type Classes, classesOf, labelRow, numberRow } from './answers.js';
import { metricOf, rankedSteps } from './metrics.js';

/** Any will do; the same rows are to give the same answer. */
const seed = 1;
const rowsAStep = 2_000;

/** The same rows, in the same order, as two models answered them. */
export interface Pairs {
  candidate: RowOutcome[];
  baseline: RowOutcome[];
}

/** The rows that both lists have; each is in ascending order of its rows. */
export function paired(candidate: readonly RowOutcome[], baseline: readonly RowOutcome[]): Pairs {
  const pairs: Pairs = { candidate: [], baseline: [] };
  let at = 0;
  for (const ours of candidate) {
    while (at < baseline.length && baseline[at]!.row < ours.row) at++;
    const theirs = baseline[at];
    if (theirs?.row !== ours.row) continue;
    pairs.candidate.push(ours);
    pairs.baseline.push(theirs);
  }
  return pairs;
}

/** Compares one metric of two models. Throws for a name that is no metric. */
export function* compareMetricSteps(name: string, pairs: Pairs): Steps<Comparison | Unmeasurable> {
  const classes = classesOf(pairs.candidate, pairs.baseline);
  yield;
  switch (name) {
    case 'accuracy':
      return yield* accuracies(pairs);
    case 'auc':
      return yield* areas(pairs, classes);
    case 'mae':
      return yield* errors(pairs, (actual, predicted) => Math.abs(predicted - actual));
    case 'mape':
      return yield* errors(pairs, (actual, predicted) => (actual === 0 ? null : Math.abs((predicted - actual) / actual)));
    case 'rmse':
    case 'r2':
      return yield* squaredErrors(name, pairs, classes);
    case 'log_loss':
    case 'brier':
      return yield* bootstrapped(name, pairs, classes, { scale: 'ratio' });
    default:
      return yield* bootstrapped(name, pairs, classes);
  }
}

function* accuracies({ candidate, baseline }: Pairs): Steps<Comparison | Unmeasurable> {
  const counts = { both: 0, only_candidate: 0, only_baseline: 0, neither: 0 };
  for (const [index, outcome] of candidate.entries()) {
    if (index % rowsAStep === 0) yield;
    const [ours, theirs] = [outcome, baseline[index]!].map(labelRow).map(({ actual, predicted }) => actual === predicted);
    counts[ours ? (theirs ? 'both' : 'only_candidate') : theirs ? 'only_baseline' : 'neither'] += 1;
  }
  return mcnemar(counts);
}

function* areas({ candidate, baseline }: Pairs, classes: Classes): Steps<Comparison | Unmeasurable> {
  const ours = yield* rankedSteps(candidate, classes);
  const theirs = yield* rankedSteps(baseline, classes);
  if ('reason' in ours) return ours;
  if ('reason' in theirs) return theirs;
  return yield* compareAucSteps(ours.scores, theirs.scores, ours.positive);
}

/** Row by row, in relation to the mean error of the baseline. Rows of which there is no error are left out. */
function* errors(
  { candidate, baseline }: Pairs,
  errorOf: (actual: number, predicted: number) => number | null,
): Steps<Comparison | Unmeasurable> {
  const of = (outcome: RowOutcome): number | null => {
    const { actual, predicted } = numberRow(outcome);
    return errorOf(actual, predicted);
  };
  const differences: number[] = [];
  let sum = 0;
  for (const [index, outcome] of candidate.entries()) {
    const [ours, theirs] = [of(outcome), of(baseline[index]!)];
    if (index % rowsAStep === 0) yield;
    if (ours === null || theirs === null) continue;
    differences.push(ours - theirs);
    sum += theirs;
  }
  if (differences.length === 0) return { reason: candidate.length === 0 ? 'no_rows' : 'all_actuals_zero' };
  const comparison = yield* wilcoxonSteps(Float64Array.from(differences));
  return 'reason' in comparison ? comparison : relativeTo(sum / differences.length, comparison);
}

/**
 * Effect and interval by the bootstrap; p by sign flips of the rows' squared errors, of which both figures are functions: long tails in few rows
 * make the bootstrap's own too small.
 */
function* squaredErrors(name: 'rmse' | 'r2', pairs: Pairs, classes: Classes): Steps<Comparison | Unmeasurable> {
  const squared = (outcome: RowOutcome): number => {
    const { actual, predicted } = numberRow(outcome);
    return (predicted - actual) ** 2;
  };
  const differences = Float64Array.from(pairs.candidate, (outcome, index) => squared(outcome) - squared(pairs.baseline[index]!));
  yield;
  const comparison = yield* bootstrapped(name, pairs, classes, name === 'rmse' ? { scale: 'ratio' } : {});
  if ('reason' in comparison) return comparison;
  const flips = yield* signFlipSteps(differences, seed);
  if ('reason' in flips) return flips;
  // Larger errors make the smaller R².
  return { ...comparison, ...flips, statistic: name === 'rmse' ? flips.statistic : 0 - flips.statistic };
}

function* bootstrapped(
  name: string,
  { candidate, baseline }: Pairs,
  classes: Classes,
  options: BootstrapOptions = {},
): Steps<Comparison | Unmeasurable> {
  const metric = metricOf(name, classes, candidate[0]);
  if ('reason' in metric) return metric;
  const bootstrap = new PairedBootstrap(metric, seed);
  for (const [index, outcome] of candidate.entries()) {
    bootstrap.add(outcome, baseline[index]!);
    if (index % rowsAStep === 0) yield;
  }
  return yield* bootstrap.compareSteps(options);
}

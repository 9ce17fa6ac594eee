import { fc } from '#testing/property.js';
import { accuracy, f1, type LabelRow, macro, precision, recall } from './classification.js';
import type { Measured } from './comparison.js';
import { type Metric, MetricSums } from './metric.js';
import { brierScore, calibrationError, logLoss, type ProbabilityRow } from './probability.js';
import { mae, mape, type NumberRow, rmse, rSquared } from './regression.js';

function measure<Row>(metric: Metric<Row>, rows: readonly Row[]): Measured {
  const sums = new MetricSums(metric);
  for (const row of rows) sums.add(row);
  return sums.value();
}

const labelRows = (actual: string, predicted: string): LabelRow[] => [...actual].map((x, i) => ({ actual: x, predicted: predicted[i]! }));
const numberRows = (actual: number[], predicted: number[]): NumberRow[] => actual.map((x, i) => ({ actual: x, predicted: predicted[i]! }));
const probabilityRows = (pairs: [number, number][]): ProbabilityRow[] =>
  pairs.map(([happened, probability]) => ({ happened: happened === 1, probability }));

const labels = fc.array(fc.record({ actual: fc.constantFrom('a', 'b', 'c'), predicted: fc.constantFrom('a', 'b', 'c') }), { minLength: 1 });
const numbers = fc.array(fc.record({ actual: fc.integer({ min: -50, max: 50 }), predicted: fc.integer({ min: -50, max: 50 }) }), {
  minLength: 1,
});
const probabilities = fc.array(fc.record({ happened: fc.boolean(), probability: fc.double({ min: 0, max: 1, noNaN: true }) }), {
  minLength: 1,
});

/** Metrics of all kinds over rows of their kind. */
const metrics: [string, Metric<never>, fc.Arbitrary<readonly unknown[]>][] = [
  ['accuracy', accuracy, labels],
  ['precision', precision('a'), labels],
  ['recall', recall('a'), labels],
  ['F1', f1('a'), labels],
  ['macro F1', macro('f1', ['a', 'b', 'c']), labels],
  ['log loss', logLoss, probabilities],
  ['Brier score', brierScore, probabilities],
  ['calibration error', calibrationError(), probabilities],
  ['MAE', mae, numbers],
  ['RMSE', rmse, numbers],
  ['MAPE', mape, numbers],
  ['R²', rSquared(3), numbers],
];

describe('metrics of labels', () => {
  it('are those of a confusion matrix by hand', () => {
    const rows = labelRows('pppppnnnnnnn', 'pppnnpnnnnnn');
    expect(measure(accuracy, rows)).toBeCloseTo(9 / 12, 12);
    expect(measure(precision('p'), rows)).toBeCloseTo(3 / 4, 12);
    expect(measure(recall('p'), rows)).toBeCloseTo(3 / 5, 12);
    expect(measure(f1('p'), rows)).toBeCloseTo(2 / 3, 12);
  });

  // The example of scikit-learn's precision_score, recall_score and f1_score: 0.22, 0.33, 0.26.
  it('are those of scikit-learn as means over the labels', () => {
    const rows = labelRows('012012', '021001');
    expect(measure(macro('precision', ['0', '1', '2']), rows)).toBeCloseTo(2 / 9, 12);
    expect(measure(macro('recall', ['0', '1', '2']), rows)).toBeCloseTo(1 / 3, 12);
    expect(measure(macro('f1', ['0', '1', '2']), rows)).toBeCloseTo(4 / 15, 12);
  });

  it('take a predicted label that there is not for a miss, and an actual one for a fault', () => {
    expect(measure(macro('recall', ['a', 'b']), labelRows('aabb', 'axbb'))).toBe(0.75);
    expect(measure(macro('precision', ['a', 'b']), labelRows('aabb', 'axbb'))).toBe(1);
    expect(measure(macro('f1', ['a']), labelRows('ax', 'aa'))).toEqual({ reason: 'unknown_label' });
  });

  it('say what is missing instead of dividing by 0', () => {
    expect(measure(precision('p'), labelRows('pn', 'nn'))).toEqual({ reason: 'no_predicted_positive' });
    expect(measure(recall('p'), labelRows('nn', 'pn'))).toEqual({ reason: 'no_actual_positive' });
    expect(measure(f1('p'), labelRows('nn', 'nn'))).toEqual({ reason: 'no_actual_positive' });
    expect(measure(f1('p'), labelRows('pn', 'nn'))).toBe(0);
  });
});

describe('metrics of probabilities', () => {
  // The examples of scikit-learn's log_loss (0.21616…) and brier_score_loss (0.0375).
  it('are those of scikit-learn', () => {
    const spam: [number, number][] = [
      [1, 0.9],
      [0, 0.1],
      [0, 0.2],
      [1, 0.65],
    ];
    expect(measure(logLoss, probabilityRows(spam))).toBeCloseTo(0.21616187468057912, 12);
    const scores: [number, number][] = [
      [0, 0.1],
      [1, 0.9],
      [1, 0.8],
      [0, 0.3],
    ];
    expect(measure(brierScore, probabilityRows(scores))).toBeCloseTo(0.0375, 12);
  });

  // In numpy.
  it('are those of another implementation', () => {
    const rows = probabilityRows([
      [1, 0.9],
      [0, 0.2],
      [1, 0.4],
      [1, 0.75],
      [0, 0.6],
      [0, 0.05],
      [1, 1],
      [0, 0.35],
    ]);
    expect(measure(logLoss, rows)).toBeCloseTo(0.3663554767065166, 12);
    expect(measure(brierScore, rows)).toBeCloseTo(0.1196875, 12);
    expect(measure(calibrationError(5), rows)).toBeCloseTo(0.20625, 12);
  });

  it('charge a row that is surely wrong a bounded loss', () => {
    expect(measure(logLoss, [{ happened: true, probability: 0 }])).toBeCloseTo(34.538776394910684, 9);
    expect(measure(logLoss, [{ happened: false, probability: 0 }])).toBeCloseTo(0, 12);
  });

  it('find no calibration error where each part of the probabilities came true as often as foretold', () => {
    const rows = Array.from({ length: 100 }, (_, i) => ({ happened: i % 4 === 0, probability: 0.25 }));
    expect(measure(calibrationError(), rows)).toBeCloseTo(0, 12);
  });

  it.each([
    [1.01, 'not_a_probability'],
    [-0.01, 'not_a_probability'],
    [Number.NaN, 'not_a_number'],
    [Infinity, 'not_a_number'],
  ])('do not judge a probability of %d', (probability, reason) => {
    for (const metric of [logLoss, brierScore, calibrationError()]) {
      expect(measure(metric, [{ happened: true, probability }])).toEqual({ reason });
    }
  });

  it.each([0, 101, 2.5])('have no calibration error in %d parts', (bins) => {
    expect(() => calibrationError(bins)).toThrow(RangeError);
  });
});

describe('metrics of numbers', () => {
  // The example of scikit-learn's mean_absolute_error (0.5), r2_score (0.948…) and mean_absolute_percentage_error (0.3273…).
  it('are those of scikit-learn', () => {
    const rows = numberRows([3, -0.5, 2, 7], [2.5, 0, 2, 8]);
    expect(measure(mae, rows)).toBe(0.5);
    expect(measure(rmse, rows)).toBeCloseTo(Math.sqrt(0.375), 12);
    expect(measure(rSquared(3), rows)).toBeCloseTo(0.9486081370449679, 12);
    expect(measure(mape, rows)).toBeCloseTo(0.3273809523809524, 12);
  });

  it('leave rows with an actual value of 0 out of MAPE alone', () => {
    const rows = numberRows([0, 4], [1, 3]);
    expect(measure(mape, rows)).toBe(0.25);
    expect(measure(mae, rows)).toBe(1);
    expect(measure(mape, numberRows([0, 0], [1, 2]))).toEqual({ reason: 'all_actuals_zero' });
  });

  it('keep the digits of R² far from 0', () => {
    const rows = numberRows([3, -0.5, 2, 7], [2.5, 0, 2, 8]).map((row) => ({
      actual: row.actual + 2 ** 40,
      predicted: row.predicted + 2 ** 40,
    }));
    expect(measure(rSquared(rows[0]!.actual), rows)).toBeCloseTo(0.9486081370449679, 9);
  });

  it('have no R² of one row or of equal actual values', () => {
    expect(measure(rSquared(3), numberRows([3], [2]))).toEqual({ reason: 'too_few_rows' });
    expect(measure(rSquared(0.1), numberRows([0.1, 0.1, 0.1], [1, 2, 3]))).toEqual({ reason: 'actuals_do_not_vary' });
  });

  it.each([
    [1, Number.NaN],
    [Infinity, 1],
    [-1e308, 1e308],
  ])('do not judge %d foretold as %d', (actual, predicted) => {
    for (const metric of [mae, rmse, mape, rSquared(1)])
      expect(measure(metric, numberRows([1, actual], [2, predicted]))).toEqual({ reason: 'not_a_number' });
  });

  it('say so when a square is too large for a number', () => {
    expect(measure(rmse, numberRows([0], [1e200]))).toEqual({ reason: 'not_a_number' });
  });
});

describe.each(metrics)('%s', (_, metric, rows) => {
  const close = (a: Measured, b: Measured): void => {
    if (typeof a === 'number') expect(Math.abs(a - (b as number))).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(a)));
    else expect(a).toEqual(b);
  };

  it('is the same for parts that are merged, in any order of rows', () => {
    fc.assert(
      fc.property(rows, rows, (a, b) => {
        const whole = new MetricSums(metric);
        const part = new MetricSums(metric);
        for (const row of a) whole.add(row as never);
        for (const row of b) part.add(row as never);
        whole.merge(part);
        expect(whole.rows).toBe(a.length + b.length);
        close(whole.value(), measure(metric, [...b, ...a].reverse() as never[]));
      }),
    );
  });

  it('is a finite number or a reason, the same for every row twice', () => {
    fc.assert(
      fc.property(rows, (all) => {
        const figure = measure(metric, all as never[]);
        if (typeof figure === 'number') expect(Number.isFinite(figure)).toBe(true);
        if (all.length > 1) close(figure, measure(metric, [...all, ...all] as never[]));
      }),
    );
  });

  it('has no value without rows', () => {
    expect(measure(metric, [])).toEqual({ reason: 'no_rows' });
  });
});

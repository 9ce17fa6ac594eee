import { fc } from '#testing/property.js';
import { atOnce } from '#statistics/steps.js';
import { dataMetrics } from '#contracts/test-case.js';
import { type RowOutcome } from '../judging/rows.js';
import { type Figures, figuresSteps } from './metrics.js';

type Row = [label: RowOutcome['label'], prediction: RowOutcome['prediction'], score?: number];

const outcomes = (rows: Row[]): RowOutcome[] =>
  rows.map(([label, prediction, score], index) => ({ row: index + 1, label, prediction, ...(score !== undefined && { score }) }));
const figures = (names: readonly string[], rows: Row[]): Figures => atOnce(figuresSteps(names, outcomes(rows)));

const classMetrics = ['accuracy', 'precision', 'recall', 'f1', 'log_loss', 'brier', 'auc', 'calibration_error'];
const numberMetrics = ['mae', 'rmse', 'mape', 'r2'];

// scikit-learn's functions on the same rows, with the probability of true as the score.
const rows: Row[] = [
  [true, true, 0.9],
  [true, false, 0.6],
  [false, false, 0.8],
  [false, true, 0.7],
  [true, true, 0.8],
  [false, false, 0.95],
];

describe('the figures of a data set', () => {
  it('of true and false are of true, whichever label the score is of', () => {
    const { metrics, not_measured } = figures(classMetrics, rows);
    expect(not_measured).toEqual({});
    expect(metrics.accuracy).toBeCloseTo(4 / 6, 12);
    expect(metrics.precision).toBeCloseTo(2 / 3, 12);
    expect(metrics.recall).toBeCloseTo(2 / 3, 12);
    expect(metrics.f1).toBeCloseTo(2 / 3, 12);
    // P(true): 0.9 0.4 0.2 0.7 0.8 0.05.
    const given = [0.9, 0.4, 0.8, 0.3, 0.8, 0.95];
    expect(metrics.log_loss).toBeCloseTo(given.reduce((sum, p) => sum - Math.log(p), 0) / 6, 12);
    expect(metrics.brier).toBeCloseTo(given.reduce((sum, p) => sum + (1 - p) ** 2, 0) / 6, 12);
    expect(metrics.auc).toBeCloseTo(8 / 9, 12);
    expect(metrics.calibration_error).toBeCloseTo((0.1 + 0.6 + 0.2 + 0.7 + 0.2 + 0.05) / 6, 12);
  });

  it('of two other labels are the means over both; of three, what needs the probability of the right one is not guessed', () => {
    const texts = rows.map(([label, prediction, score]): Row => [label ? 'over' : 'under', prediction ? 'over' : 'under', score]);
    const { metrics } = figures(classMetrics, texts);
    expect(metrics).toMatchObject(figures(['accuracy', 'log_loss', 'brier', 'auc'], rows).metrics);
    const { metrics: three, not_measured } = figures(classMetrics, [...texts, ['push', 'over', 0.5]]);
    expect(Object.keys(not_measured)).toEqual(['log_loss', 'auc']);
    expect(not_measured.auc).toContain('more than two labels');
    expect(three.f1).toBeCloseTo((4 / 7 + 2 / 3 + 0) / 3, 12);
  });

  it('of numbers', () => {
    const { metrics, not_measured } = figures(numberMetrics, [
      [10, 12],
      [20, 17],
      [0, 1],
    ]);
    expect(not_measured).toEqual({});
    expect(metrics.mae).toBeCloseTo(2, 12);
    expect(metrics.rmse).toBeCloseTo(Math.sqrt(14 / 3), 12);
    expect(metrics.mape).toBeCloseTo((0.2 + 0.15) / 2, 12);
    expect(metrics.r2).toBeCloseTo(1 - 14 / 200, 12);
  });

  it.each<[string, Row[], string]>([
    ['auc', [[true, true, 0.9]], 'all rows have the same label'],
    ['precision', [[true, false, 0.9]], 'the positive label was never predicted'],
    ['recall', [[false, true, 0.9]], 'no row has the positive label'],
    ['brier', [[true, true, 1.2]], 'a value is not a probability from 0 to 1'],
    ['mape', [[0, 1]], 'all actual values are 0'],
    ['r2', [[5, 4]], 'there are too few rows for this figure to be defined'],
    ['mae', [['5', 5]], 'a value is not a finite number'],
    ['f1', Array.from({ length: 200 }, (_, index): Row => [`label ${index}`, 'x']), 'there are more than 100 labels'],
  ])('%s of %j is not guessed', (name, given, reason) => {
    expect(figures([name], given)).toEqual({ metrics: {}, not_measured: { [name]: reason } });
  });

  it('each have a value that is finite or a reason, whatever the rows', () => {
    const value = fc.oneof(fc.boolean(), fc.constantFrom('a', 'b', 0, 1), fc.double({ noNaN: true, noDefaultInfinity: true }));
    const anyRows = fc.array(fc.tuple(value, value, fc.double({ min: 0, max: 1, noNaN: true })), { maxLength: 30 });
    fc.assert(
      fc.property(anyRows, (given) => {
        const { metrics, not_measured } = figures(dataMetrics, given);
        expect([...Object.keys(metrics), ...Object.keys(not_measured)].sort()).toEqual([...dataMetrics].sort());
        expect(Object.values(metrics).every(Number.isFinite)).toBe(true);
      }),
    );
  });
});

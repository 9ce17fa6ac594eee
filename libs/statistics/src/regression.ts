import type { Measured, Reason } from './comparison.js';
import type { Metric } from './metric.js';

export interface NumberRow {
  actual: number;
  predicted: number;
}

const faultOf = ({ actual, predicted }: NumberRow): Reason | undefined =>
  Number.isFinite(actual) && Number.isFinite(predicted - actual) ? undefined : 'not_a_number';

function mean(loss: (row: NumberRow) => number, of: (mean: number) => number = (x) => x): Metric<NumberRow> {
  return {
    size: 2,
    add(row, sums) {
      const fault = faultOf(row);
      if (fault) return fault;
      sums[0]! += 1;
      sums[1]! += loss(row);
      return undefined;
    },
    of: (sums) => (sums[0] === 0 ? { reason: 'no_rows' } : finite(of(sums[1]! / sums[0]!))),
  };
}

/** Squares and sums of what is finite may still be too large for a double. */
const finite = (figure: number): Measured => (Number.isFinite(figure) ? figure : { reason: 'not_a_number' });

/** The mean absolute error, in the unit of the values, ≥ 0. */
export const mae: Metric<NumberRow> = mean(({ actual, predicted }) => Math.abs(predicted - actual));

/** The root of the mean squared error, in the unit of the values, ≥ 0. */
export const rmse: Metric<NumberRow> = mean(({ actual, predicted }) => (predicted - actual) ** 2, Math.sqrt);

/**
 * The mean of |predicted − actual| / |actual|, ≥ 0, as a fraction: 0.05 is 5 %. Rows whose actual value is 0 have no such error and are left
 * out; `all_actuals_zero` where none is left.
 */
export const mape: Metric<NumberRow> = {
  size: 2,
  add(row, sums) {
    const fault = faultOf(row);
    if (fault) return fault;
    if (row.actual === 0) return undefined;
    sums[0]! += 1;
    sums[1]! += Math.abs((row.predicted - row.actual) / row.actual);
    return undefined;
  },
  of: (sums) => (sums[0] === 0 ? { reason: 'all_actuals_zero' } : finite(sums[1]! / sums[0]!)),
};

/**
 * The coefficient of determination, 1 − Σ(actual − predicted)² / Σ(actual − mean)², at most 1; below 0 where the mean would have been the
 * better prediction. `near` is any one of the actual values: the sums are kept relative to it, which saves their digits where the values are
 * far from 0 and close together. `too_few_rows` for one row, `actuals_do_not_vary` where there is nothing to explain.
 */
export const rSquared = (near: number): Metric<NumberRow> => ({
  size: 4,
  add(row, sums) {
    const fault = faultOf(row);
    if (fault) return fault;
    const distance = row.actual - near;
    sums[0]! += 1;
    sums[1]! += distance;
    sums[2]! += distance * distance;
    sums[3]! += (row.predicted - row.actual) ** 2;
    return undefined;
  },
  of(sums) {
    const [n, distance, squares, error] = [sums[0]!, sums[1]!, sums[2]!, sums[3]!];
    if (n === 0) return { reason: 'no_rows' };
    if (n === 1) return { reason: 'too_few_rows' };
    const variation = squares - (distance * distance) / n;
    // What is left of equal values after rounding.
    if (variation <= squares * 1e-12) return { reason: 'actuals_do_not_vary' };
    return finite(1 - error / variation);
  },
});

import type { Reason } from './comparison.js';
import type { Metric } from './metric.js';

/**
 * What was foretold to happen with a probability in 0..1, and whether it did. Of a model with two labels: the positive one. With more labels:
 * for `logLoss` the actual label's probability with `happened` true; for the others the predicted label's, and whether it was right.
 */
export interface ProbabilityRow {
  happened: boolean;
  probability: number;
}

/** Probabilities nearer than this to 0 and 1 count as this near to them, so that one row that is surely wrong costs 34.5 at the most. */
export const logLossLimit = 1e-15;

/** The mean of −ln(probability given to what came), natural logarithm, 0..34.54; lower is better. */
export const logLoss: Metric<ProbabilityRow> = mean(({ happened, probability }) => {
  const given = happened ? probability : 1 - probability;
  return -Math.log(Math.min(Math.max(given, logLossLimit), 1 - logLossLimit));
});

/** The mean squared distance of the probability from 1 (it happened) or 0, 0..1; lower is better. Brier, Monthly Weather Review 78, 1950. */
export const brierScore: Metric<ProbabilityRow> = mean(({ happened, probability }) => (probability - (happened ? 1 : 0)) ** 2);

/**
 * The expected calibration error, 0..1, lower is better: over `bins` equal parts [0, 1/bins), …, [1 − 1/bins, 1] of the probability, the mean
 * distance between the part's mean probability and its share of what happened, weighted by its rows. Source: Naeini, Cooper, Hauskrecht,
 * "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015. It is biased upwards where parts have few rows.
 * Throws RangeError unless bins is a whole number from 1 to 100.
 */
export function calibrationError(bins = 10): Metric<ProbabilityRow> {
  if (!(Number.isSafeInteger(bins) && bins >= 1 && bins <= 100)) throw new RangeError(`bins is a whole number from 1 to 100, not ${bins}`);
  return {
    // Per part: its probabilities less what happened; the last sum counts all rows.
    size: bins + 1,
    add({ happened, probability }, sums) {
      const fault = faultOf(probability);
      if (fault) return fault;
      sums[Math.min(bins - 1, Math.floor(probability * bins))]! += probability - (happened ? 1 : 0);
      sums[bins]! += 1;
      return undefined;
    },
    of(sums) {
      if (sums[bins] === 0) return { reason: 'no_rows' };
      let distance = 0;
      for (let part = 0; part < bins; part++) distance += Math.abs(sums[part]!);
      return distance / sums[bins]!;
    },
  };
}

function mean(loss: (row: ProbabilityRow) => number): Metric<ProbabilityRow> {
  return {
    size: 2,
    add(row, sums) {
      const fault = faultOf(row.probability);
      if (fault) return fault;
      sums[0]! += 1;
      sums[1]! += loss(row);
      return undefined;
    },
    of: (sums) => (sums[0] === 0 ? { reason: 'no_rows' } : sums[1]! / sums[0]!),
  };
}

function faultOf(probability: number): Reason | undefined {
  if (!Number.isFinite(probability)) return 'not_a_number';
  return probability >= 0 && probability <= 1 ? undefined : 'not_a_probability';
}

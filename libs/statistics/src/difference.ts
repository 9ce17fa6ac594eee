import type { Comparison, Reason, Unmeasurable } from './comparison.js';
import { normalQuantileAbove } from './distributions.js';
import { holm } from './holm.js';

/** The least worsening of each severity, above 0 and not falling: see `worsening` for the unit. */
export interface Bands {
  low: number;
  medium: number;
  high: number;
}

/** What counts as a worsening as long as a policy says nothing else. */
export const defaultBands = {
  /** Of accuracy, precision, recall, F1, AUC, R², calibration error: points of 0..1. */
  share: { low: 0.01, medium: 0.03, high: 0.1 },
  /** Of losses and errors (log loss, Brier, MAE, RMSE, MAPE) relative to the baseline's. */
  error: { low: 0.05, medium: 0.1, high: 0.25 },
  /** Of latency relative to the baseline's. */
  latency: { low: 0.1, medium: 0.25, high: 0.5 },
  /** Of the share of failed requests: points of 0..1. */
  failures: { low: 0.005, medium: 0.02, high: 0.05 },
} as const satisfies Record<string, Bands>;

/** One comparison of a run, and how to read it. */
export interface Case {
  comparison: Comparison | Unmeasurable;
  /** Whether a higher figure is the worse one (errors, latency) or a lower one (accuracy). */
  worse: 'higher' | 'lower';
  bands: Bands;
}

export interface Policy {
  /** The probability of any false alarm in a whole run, between 0 and 1. */
  alpha: number;
  /** The probability with which a worsening of the smallest band is to be found, between 0 and 1. */
  power: number;
  /** With fewer rows (or values of a side) nothing is said. */
  minimum_n: number;
}

export const defaultPolicy: Policy = { alpha: 0.05, power: 0.8, minimum_n: 20 };

export interface Judged {
  /**
   * `regression`, `improvement`: significant in the whole run, and at least as large as the smallest band. `too_little_data`: neither, but such a
   * worsening is not excluded and n is too small to find it. `no_difference`: neither, and it is excluded or would most probably have been found.
   */
  outcome: 'regression' | 'improvement' | 'no_difference' | 'too_little_data';
  severity: 'none' | 'low' | 'medium' | 'high';
  /** Holm's, over the comparisons of the run that could be made. */
  p_adjusted: number;
  /**
   * How much worse the candidate is, below 0 if it is better. Of a `difference`: in the unit of the effect. Of a `ratio`: as a fraction of the
   * baseline, 0.25 for a latency of 1.25 times or an accuracy of 0.75 times.
   */
  worsening: number;
  /** The n at which a worsening of the smallest band would be found with the policy's power, from the spread in these data; at least minimum_n. */
  n_needed: number;
}

/** The comparison could not be made: no guess. */
export interface NotMeasured {
  outcome: 'not_measured';
  reason: Reason;
}

const rounding = 1e-12;

/**
 * Judges all comparisons of a run as one family. n_needed = n·((z(α/2m) + z(1 − power))·s/low)², with m comparisons and the standard error s from
 * the width of the interval: the usual sample size for a difference of `low`, since standard errors shrink with √n. Throws RangeError for a
 * policy or bands out of range.
 */
export function judge(cases: readonly Case[], policy: Policy = defaultPolicy): (Judged | NotMeasured)[] {
  const { alpha, power, minimum_n } = policy;
  if (!(alpha > 0 && alpha < 1)) throw new RangeError(`alpha is between 0 and 1, not ${alpha}`);
  if (!(power > 0 && power < 1)) throw new RangeError(`power is between 0 and 1, not ${power}`);
  if (!(Number.isSafeInteger(minimum_n) && minimum_n >= 1))
    throw new RangeError(`minimum_n is a whole number of at least 1, not ${minimum_n}`);
  for (const { bands } of cases) check(bands);
  const measured = cases.flatMap(({ comparison }) => ('reason' in comparison ? [] : [comparison.p]));
  const adjusted = holm(measured).values();
  // Of the strictest of Holm's steps.
  const reach = normalQuantileAbove(alpha / 2 / Math.max(1, measured.length)) + normalQuantileAbove(1 - power);
  return cases.map(({ comparison, worse, bands }) => {
    if ('reason' in comparison) return { outcome: 'not_measured', reason: comparison.reason };
    const pAdjusted = adjusted.next().value!;
    const { n, confidence, interval } = comparison;
    const spread = (interval.upper - interval.lower) / 2 / normalQuantileAbove((1 - confidence) / 2);
    const needed = Math.max(minimum_n, Math.ceil(n * ((reach * spread) / bands.low) ** 2));
    const worsening = worseningOf(comparison, worse, comparison.effect);
    const worst = worseningOf(comparison, worse, worse === 'higher' ? interval.upper : interval.lower);
    const judged = { severity: 'none', p_adjusted: pAdjusted, worsening, n_needed: needed } as const;
    if (n < minimum_n) return { outcome: 'too_little_data', ...judged };
    if (pAdjusted <= alpha && worsening >= bands.low - rounding)
      return { outcome: 'regression', ...judged, severity: severityOf(worsening, bands) };
    if (pAdjusted <= alpha && worsening <= -bands.low + rounding) return { outcome: 'improvement', ...judged };
    return { outcome: worst >= bands.low && n < needed ? 'too_little_data' : 'no_difference', ...judged };
  });
}

function worseningOf({ scale }: Comparison, worse: 'higher' | 'lower', effect: number): number {
  const change = scale === 'ratio' ? effect - 1 : effect;
  return worse === 'higher' ? change : 0 - change;
}

function severityOf(worsening: number, bands: Bands): 'low' | 'medium' | 'high' {
  if (worsening >= bands.high - rounding) return 'high';
  return worsening >= bands.medium - rounding ? 'medium' : 'low';
}

function check({ low, medium, high }: Bands): void {
  if (!(low > 0 && medium >= low && high >= medium && Number.isFinite(high))) {
    throw new RangeError(`Bands are above 0 and do not fall, not ${low}, ${medium}, ${high}`);
  }
}

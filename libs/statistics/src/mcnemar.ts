import type { Comparison, Unmeasurable } from './comparison.js';
import { binomialAtMost, binomialProbability, normalQuantileAbove } from './distributions.js';
import { type Interval, wilsonInterval } from './wilson.js';

/** From this many discordant pairs on the mid-p value is taken, below it the exact one. */
export const midPFrom = 25;

/** How often candidate and baseline were right on the same rows. */
export interface PairedOutcomes {
  both: number;
  only_candidate: number;
  only_baseline: number;
  neither: number;
}

/**
 * McNemar's test of two classifiers on the same rows: are the discordant pairs split evenly? Effect: difference of the two accuracies.
 *
 * Below 25 discordant pairs p is the exact conditional (binomial) one, which never exceeds its level; from 25 on the mid-p value 2·P(K ≤ k) −
 * P(K = k), by the same exact sums however many there are, which kept its level in all 9,595 settings of Fagerland, Lydersen, Laake, "The
 * McNemar test for binary matched-pairs data", BMC Medical Research Methodology 13:91, 2013. Statistic: (b − c)/√(b + c), signed.
 * Rows must be independent of each other. Throws RangeError unless all counts are whole and ≥ 0.
 */
export function mcnemar(outcomes: PairedOutcomes, confidence = 0.95): Comparison | Unmeasurable {
  const { both, only_candidate, only_baseline, neither } = outcomes;
  for (const [name, count] of Object.entries(outcomes) as [string, number][]) {
    if (!Number.isSafeInteger(count) || count < 0) throw new RangeError(`${name} is a whole number of at least 0, not ${count}`);
  }
  const n = both + only_candidate + only_baseline + neither;
  if (n === 0) return { reason: 'no_rows' };
  const discordant = only_candidate + only_baseline;
  const rarer = Math.min(only_candidate, only_baseline);
  const midP = discordant >= midPFrom;
  const atMost = 2 * binomialAtMost(rarer, discordant, 0.5);
  const p = Math.min(1, midP ? atMost - binomialProbability(rarer, discordant, 0.5) : atMost);
  return {
    test: midP ? 'mcnemar_mid_p' : 'mcnemar_exact',
    statistic: discordant === 0 ? 0 : (only_candidate - only_baseline) / Math.sqrt(discordant),
    p,
    scale: 'difference',
    effect: (only_candidate - only_baseline) / n,
    interval: pairedDifferenceInterval(outcomes, normalQuantileAbove((1 - confidence) / 2)),
    confidence,
    n,
  };
}

/**
 * The interval of a difference of paired proportions: Wilson's intervals of both, squared and added less their correlation φ, which is
 * corrected for continuity. Within −1..1. Source: Newcombe, "Improved confidence intervals for the difference between binomial proportions
 * based on paired data", Statistics in Medicine 17, 1998, method 10.
 */
function pairedDifferenceInterval({ both, only_candidate, only_baseline, neither }: PairedOutcomes, z: number): Interval {
  const n = both + only_candidate + only_baseline + neither;
  const right = both + only_candidate;
  const baselineRight = both + only_baseline;
  const candidate = wilsonInterval(right, n, z);
  const baseline = wilsonInterval(baselineRight, n, z);
  const margins = right * (n - right) * baselineRight * (n - baselineRight);
  const surplus = both * neither - only_candidate * only_baseline;
  const phi = margins === 0 ? 0 : (surplus > 0 ? Math.max(surplus - n / 2, 0) : surplus) / Math.sqrt(margins);
  const [p, q] = [right / n, baselineRight / n];
  const half = (a: number, b: number): number => Math.sqrt(Math.max(0, a * a - 2 * phi * a * b + b * b));
  return {
    lower: Math.max(-1, p - q - half(p - candidate.lower, baseline.upper - q)),
    upper: Math.min(1, p - q + half(candidate.upper - p, q - baseline.lower)),
  };
}

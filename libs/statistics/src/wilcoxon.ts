import type { Comparison, Unmeasurable } from './comparison.js';
import { normalQuantileAbove, normalTwoSided } from './distributions.js';
import { atOnce, type Steps } from './steps.js';
import type { Interval } from './wilson.js';

/** Up to this many differences, none of them 0 and no two of the same size, p is exact. */
export const exactUpTo = 50;

export interface SignedRankComparison extends Comparison {
  /** (W⁺ − W⁻)/(W⁺ + W⁻), −1..1: 1 if all differences are above 0. Kerby, "The simple difference formula", Comprehensive Psychology 3, 2014. */
  rank_biserial: number;
}

/**
 * Wilcoxon's signed-rank test of `differences`, each candidate − baseline on the same row (absolute errors, for instance): are they symmetric
 * about 0? Effect: the Hodges–Lehmann pseudo-median, the median of the means of all pairs (a row with itself among them), with its interval
 * from the order statistics of those means (Hollander, Wolfe, "Nonparametric statistical methods", 3.2 and 3.3), in the unit of the values.
 *
 * Exact for up to 50 differences without zeros and ties; else normal with correction for ties and continuity. Zeros by Pratt: they are ranked
 * and then left out of the sum and its moments ("Remarks on zeros and ties in the Wilcoxon signed rank procedures", JASA 54, 1959), which is
 * scipy's `zero_method="pratt"`. The pseudo-median and its interval count zeros as the values they are, so where most rows do not differ the
 * effect is 0 whatever the rest. Statistic: z, or W⁺ − W⁻ over its standard deviation in the exact case.
 * Work grows with n·log n, memory with n. Rows must be independent of each other.
 */
export function* wilcoxonSteps(differences: Float64Array, confidence = 0.95): Steps<SignedRankComparison | Unmeasurable> {
  const n = differences.length;
  if (n === 0) return { reason: 'no_rows' };
  if (!differences.every(Number.isFinite)) return { reason: 'not_a_number' };
  const ranks = yield* signedRanks(differences);
  yield;
  const ascending = differences.slice().sort();
  yield;
  const half = ranks.sum / 2;
  const deviation = Math.sqrt(ranks.variance);
  const distance = Math.abs(ranks.positive - half);
  const exact = n <= exactUpTo && ranks.zeros === 0 && !ranks.tied;
  const z = deviation === 0 ? 0 : Math.max(0, distance - (exact ? 0 : 0.5)) / deviation;
  const atMost = exact ? rankSums(n) : undefined;
  return {
    test: exact ? 'wilcoxon_exact' : 'wilcoxon_normal',
    statistic: ranks.positive < half ? -z : z,
    p: atMost ? Math.min(1, 2 * atMost[Math.min(ranks.positive, ranks.sum - ranks.positive)]!) : normalTwoSided(z),
    scale: 'difference',
    ...(yield* pseudoMedian(ascending, (1 - confidence) / 2, atMost)),
    confidence,
    n,
    rank_biserial: ranks.sum === 0 ? 0 : (2 * ranks.positive - ranks.sum) / ranks.sum,
  };
}

export const wilcoxonSignedRank = (differences: Float64Array, confidence?: number): SignedRankComparison | Unmeasurable =>
  atOnce(wilcoxonSteps(differences, confidence));

/** W⁺, W⁺ + W⁻ and the variance of W⁺ under the null hypothesis, with mean ranks for ties and Pratt's ranks for zeros. */
function* signedRanks(differences: Float64Array): Steps<{ positive: number; sum: number; variance: number; zeros: number; tied: boolean }> {
  // Without a function that compares, the sort of typed arrays is ninety times as fast.
  const above = differences.filter((difference) => difference > 0).sort();
  yield;
  const below = differences
    .filter((difference) => difference < 0)
    .map(Math.abs)
    .sort();
  yield;
  const zeros = differences.length - above.length - below.length;
  let [positive, sum, squares] = [0, 0, 0];
  let tied = false;
  for (let [i, j] = [0, 0]; i < above.length || j < below.length;) {
    const size = Math.min(above[i] ?? Infinity, below[j] ?? Infinity);
    const [firstAbove, firstBelow] = [i, j];
    while (above[i] === size) i++;
    while (below[j] === size) j++;
    const count = i - firstAbove + j - firstBelow;
    const rank = zeros + (firstAbove + firstBelow + i + j + 1) / 2;
    positive += (i - firstAbove) * rank;
    sum += count * rank;
    // Each row adds its rank or nothing with equal probability: a variance of rank²/4. Mean ranks make this the correction for ties.
    squares += count * rank * rank;
    tied ||= count > 1;
  }
  return { positive, sum, variance: squares / 4, zeros, tied };
}

/** P(W ≤ w) for all w of n untied differences: each rank is in the sum or not. */
function rankSums(n: number): Float64Array {
  const most = (n * (n + 1)) / 2;
  const probabilities = new Float64Array(most + 1);
  probabilities[0] = 1;
  for (let rank = 1, reached = 0; rank <= n; rank++) {
    reached += rank;
    for (let sum = reached; sum >= 0; sum--)
      probabilities[sum] = (probabilities[sum]! + (sum >= rank ? probabilities[sum - rank]! : 0)) / 2;
  }
  for (let sum = 1; sum <= most; sum++) probabilities[sum]! += probabilities[sum - 1]!;
  return probabilities;
}

/** The median of the means of all pairs, and the means that bound it; `alpha` is the probability that may fall out on each side. */
function* pseudoMedian(
  ascending: Float64Array,
  alpha: number,
  atMost: Float64Array | undefined,
): Steps<{ effect: number; interval: Interval }> {
  const n = ascending.length;
  const means = (n * (n + 1)) / 2;
  // How many of the means lie outside on each side.
  let outside = 0;
  if (atMost) while (atMost[outside]! <= alpha) outside++;
  else outside = Math.floor(means / 2 - normalQuantileAbove(alpha) * Math.sqrt((n * (n + 1) * (2 * n + 1)) / 24));
  outside = Math.max(1, outside);
  return {
    effect: ((yield* pairMean(ascending, Math.ceil(means / 2))) + (yield* pairMean(ascending, Math.floor(means / 2) + 1))) / 2,
    interval: { lower: yield* pairMean(ascending, outside), upper: yield* pairMean(ascending, means + 1 - outside) },
  };
}

/**
 * The k-th smallest (from 1) of the means of all pairs, by halving the range of values and counting, without ever listing the pairs. Of more
 * than 1,000 values within a billionth of their range, which halves the work.
 */
function* pairMean(ascending: Float64Array, k: number): Steps<number> {
  let low = ascending[0]!;
  let high = ascending.at(-1)!;
  const enough = ascending.length > 1000 ? (high - low) * 1e-9 : 0;
  if (pairMeansUpTo(ascending, low) >= k) return low;
  if (low < 0 && high > 0) {
    // Halving towards 0 would go through all the small numbers that a double has.
    if (pairMeansUpTo(ascending, 0) < k) low = 0;
    else if (pairMeansUpTo(ascending, -Number.MIN_VALUE) < k) return 0;
    else high = -Number.MIN_VALUE;
  }
  for (;;) {
    yield;
    const middle = low + (high - low) / 2;
    if (middle <= low || middle >= high || high - low < enough) return high;
    if (pairMeansUpTo(ascending, middle) >= k) high = middle;
    else low = middle;
  }
}

function pairMeansUpTo(ascending: Float64Array, value: number): number {
  let count = 0;
  let partner = ascending.length - 1;
  for (let i = 0; i <= partner;) {
    if ((ascending[i]! + ascending[partner]!) / 2 <= value) {
      count += partner - i + 1;
      i++;
    } else partner--;
  }
  return count;
}

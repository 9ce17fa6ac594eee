/** The two ends of a confidence interval, in the unit of what they enclose. */
export interface Interval {
  lower: number;
  upper: number;
}

/** The standard normal quantile of a two-sided 95 % interval. */
export const z95 = 1.959963984540054;

/**
 * The Wilson score interval of a proportion: `successes` of `n`, at `z` standard normal deviations (z95 for 95 %). It stays within 0..1 and
 * keeps its coverage for small n and for proportions near 0 and 1. For n = 0 nothing is known: 0..1.
 *
 * (p̂ + z²/2n ± z·√(p̂(1−p̂)/n + z²/4n²)) / (1 + z²/n). Source: Wilson, "Probable inference, the law of succession, and statistical
 * inference", JASA 22 (158), 1927; method 3 of Newcombe, Statistics in Medicine 17, 1998.
 * Throws RangeError unless n and successes are whole numbers with 0 ≤ successes ≤ n, and z is finite and ≥ 0.
 */
export function wilsonInterval(successes: number, n: number, z: number): Interval {
  if (!Number.isSafeInteger(n) || n < 0) throw new RangeError(`n is a whole number of at least 0, not ${n}`);
  if (!Number.isSafeInteger(successes) || successes < 0 || successes > n) {
    throw new RangeError(`successes is a whole number from 0 to ${n}, not ${successes}`);
  }
  if (!(Number.isFinite(z) && z >= 0)) throw new RangeError(`z is a finite number of at least 0, not ${z}`);
  if (n === 0) return { lower: 0, upper: 1 };
  const p = successes / n;
  const z2 = z * z;
  const centre = p + z2 / (2 * n);
  const half = z * Math.sqrt((p * (1 - p)) / n + z2 / (4 * n * n));
  const scale = 1 + z2 / n;
  return {
    // Rounding would leave the exact ends at ±1e-17.
    lower: successes === 0 ? 0 : Math.max(0, (centre - half) / scale),
    upper: successes === n ? 1 : Math.min(1, (centre + half) / scale),
  };
}

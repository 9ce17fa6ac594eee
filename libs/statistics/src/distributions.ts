const maxTerms = 10_000;
const halfLnTwoPi = 0.5 * Math.log(2 * Math.PI);

/**
 * P(Z > z) of the standard normal distribution, for any z: ½·Q(½, z²/2) with the upper incomplete gamma function Q, so that far tails keep
 * their digits (relative error below 1e-13 down to 1e-300). Source: DLMF 7.11.2 and 8.2.4.
 */
export function normalAbove(z: number): number {
  finite('z', z);
  const tail = 0.5 * gammaAbove(0.5, (z * z) / 2);
  return z >= 0 ? tail : 1 - tail;
}

/** 2·P(Z > |z|): the two-sided p value of a standard normal statistic, 0..1. */
export const normalTwoSided = (z: number): number => Math.min(1, 2 * normalAbove(Math.abs(z)));

/**
 * The z with P(Z > z) = p, for 0 < p < 1; RangeError otherwise. Start: Abramowitz and Stegun 26.2.23; then Halley's steps on `normalAbove`,
 * which treble the digits each.
 */
export function normalQuantileAbove(p: number): number {
  if (!(p > 0 && p < 1)) throw new RangeError(`A tail probability is between 0 and 1, not ${p}`);
  if (p > 0.5) return -normalQuantileAbove(1 - p);
  const t = Math.sqrt(-2 * Math.log(p));
  let z = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
  for (let i = 0; i < 5; i++) {
    const step = (normalAbove(z) - p) / (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI));
    z += step / (1 - (z * step) / 2);
    if (Math.abs(step) < 1e-9 * z) break;
  }
  return z;
}

/**
 * P(T > t) of Student's t with `df` > 0 degrees of freedom: ½·I_x(df/2, ½) at x = df/(df + t²), by the continued fraction of the incomplete
 * beta function. Source: DLMF 8.17.22 (and 8.17.4 for the other half). Relative error below 1e-9 for df up to 1e6; beyond, the normal tail.
 */
export function studentAbove(t: number, df: number): number {
  finite('t', t);
  if (!(df > 0)) throw new RangeError(`Degrees of freedom are above 0, not ${df}`);
  if (df > 1e6) return normalAbove(t);
  const tail = 0.5 * betaBelow(df / (df + t * t), (t * t) / (df + t * t), df / 2, 0.5);
  return t >= 0 ? tail : 1 - tail;
}

/** The t with P(T > t) = p, for 0 < p < 1 and df > 0, by bisection of `studentAbove`. */
export function studentQuantileAbove(p: number, df: number): number {
  if (!(p > 0 && p < 1)) throw new RangeError(`A tail probability is between 0 and 1, not ${p}`);
  if (p > 0.5) return -studentQuantileAbove(1 - p, df);
  let low = 0;
  let high = 1;
  while (studentAbove(high, df) > p) high *= 2;
  while (high - low > 1e-12 * high) {
    const middle = (low + high) / 2;
    if (studentAbove(middle, df) > p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/**
 * P(K = k) of the binomial distribution with n trials of probability p, in saddle-point form, which keeps its digits for large n. Source:
 * Loader, "Fast and accurate computation of binomial probabilities", 2000. Throws RangeError unless 0 ≤ k ≤ n are whole and 0 ≤ p ≤ 1.
 */
export function binomialProbability(k: number, n: number, p: number): number {
  trials(k, n, p);
  if (p === 0) return k === 0 ? 1 : 0;
  if (p === 1) return k === n ? 1 : 0;
  if (k === 0) return Math.exp(n * Math.log1p(-p));
  if (k === n) return Math.exp(n * Math.log(p));
  const q = 1 - p;
  const exponent = stirlingError(n) - stirlingError(k) - stirlingError(n - k) - deviance(k, n * p) - deviance(n - k, n * q);
  return Math.exp(exponent + 0.5 * Math.log(n / (k * (n - k))) - halfLnTwoPi);
}

/** P(K ≤ k) of the binomial distribution: the terms of the lighter tail are added from its heaviest on until they no longer count. */
export function binomialAtMost(k: number, n: number, p: number): number {
  trials(k, n, p);
  if (k === n) return 1;
  if (p === 0) return 1;
  if (p === 1) return 0;
  const odds = p / (1 - p);
  if (k > n * p) {
    let term = binomialProbability(k + 1, n, p);
    let above = 0;
    for (let i = k + 1; i <= n && above + term !== above; i++) {
      above += term;
      term *= ((n - i) / (i + 1)) * odds;
    }
    return Math.max(0, 1 - above);
  }
  let term = binomialProbability(k, n, p);
  let below = 0;
  for (let i = k; i >= 0 && below + term !== below; i--) {
    below += term;
    term *= i / ((n - i + 1) * odds);
  }
  return Math.min(1, below);
}

/** Q(a, x) = Γ(a, x)/Γ(a): the series below x = a + 1, Lentz's continued fraction above. Source: DLMF 8.11.4 and 8.9.2. */
function gammaAbove(a: number, x: number): number {
  if (x === 0) return 1;
  const front = Math.exp(a * Math.log(x) - x - lnGamma(a));
  if (x < a + 1) {
    let term = 1 / a;
    let sum = term;
    for (let i = 1; i < maxTerms && term > sum * 1e-17; i++) {
      term *= x / (a + i);
      sum += term;
    }
    return 1 - front * sum;
  }
  let b = x + 1 - a;
  let c = 1e300;
  let d = 1 / b;
  let fraction = d;
  for (let i = 1; i < maxTerms; i++) {
    const an = -i * (i - a);
    b += 2;
    d = 1 / (an * d + b);
    c = b + an / c;
    fraction *= c * d;
    if (Math.abs(c * d - 1) < 1e-16) break;
  }
  return front * fraction;
}

/** I_x(a, b), the regularised incomplete beta function; y = 1 − x is given apart, as the subtraction would lose its digits. */
function betaBelow(x: number, y: number, a: number, b: number): number {
  if (x === 0) return 0;
  if (y === 0) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - betaBelow(y, x, b, a);
  const front = Math.exp(lnGamma(a + b) - lnGamma(a) - lnGamma(b) + a * Math.log(x) + b * Math.log(y)) / a;
  let c = 1;
  let d = 1 / (1 - ((a + b) * x) / (a + 1));
  let fraction = d;
  for (let m = 1; m < maxTerms; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / (1 + even * d);
    c = 1 + even / c;
    fraction *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / (1 + odd * d);
    c = 1 + odd / c;
    fraction *= d * c;
    if (Math.abs(d * c - 1) < 1e-16) break;
  }
  return front * fraction;
}

/** ln Γ(x) for x > 0: Stirling's series (DLMF 5.11.1) after the recurrence has carried x beyond 16. */
export function lnGamma(x: number): number {
  let shift = 0;
  let at = x;
  for (; at < 16; at++) shift += Math.log(at);
  return (at - 0.5) * Math.log(at) - at + halfLnTwoPi + stirlingSeries(at) - shift;
}

/** ln n! − ln(√(2πn)·(n/e)^n), for whole n ≥ 1. */
function stirlingError(n: number): number {
  if (n >= 16) return stirlingSeries(n);
  let lnFactorial = 0;
  for (let i = 2; i <= n; i++) lnFactorial += Math.log(i);
  return lnFactorial - (n + 0.5) * Math.log(n) + n - halfLnTwoPi;
}

const stirlingSeries = (x: number): number => {
  const x2 = x * x;
  return (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / (1188 * x2)) / x2) / x2) / x2) / x;
};

/** x·ln(x/m) + m − x without cancellation for x near m. */
function deviance(x: number, m: number): number {
  if (Math.abs(x - m) >= 0.1 * (x + m)) return x * Math.log(x / m) + m - x;
  const v = (x - m) / (x + m);
  let sum = (x - m) * v;
  let power = 2 * x * v;
  for (let i = 1; i < 1000; i++) {
    power *= v * v;
    const next = sum + power / (2 * i + 1);
    if (next === sum) break;
    sum = next;
  }
  return sum;
}

function finite(name: string, value: number): void {
  if (!Number.isFinite(value)) throw new RangeError(`${name} is a finite number, not ${value}`);
}

function trials(k: number, n: number, p: number): void {
  if (!Number.isSafeInteger(n) || n < 0) throw new RangeError(`n is a whole number of at least 0, not ${n}`);
  if (!Number.isSafeInteger(k) || k < 0 || k > n) throw new RangeError(`k is a whole number from 0 to ${n}, not ${k}`);
  if (!(p >= 0 && p <= 1)) throw new RangeError(`A probability is from 0 to 1, not ${p}`);
}

import { fc } from '#testing/property.js';
import {
  binomialAtMost,
  binomialProbability,
  normalAbove,
  normalQuantileAbove,
  normalTwoSided,
  studentAbove,
  studentQuantileAbove,
} from './distributions.js';

function expectClose(actual: number, expected: number, relative: number): void {
  expect(Math.abs(actual - expected)).toBeLessThanOrEqual(relative * Math.abs(expected));
}

type Arm = [n: number, mean: number, variance: number];
const growthbook = (n: number, sum: number, squares: number): Arm => [n, sum / n, (squares - sum ** 2 / n) / (n - 1)];

// References: mpmath 1.3.0 at 40 digits (erfc, the regularised incomplete beta function, sums of binomial terms); quantiles: scipy 1.17.1.

describe('the normal distribution', () => {
  it.each([
    [0.5, 0.3085375387259869],
    [1, 0.15865525393145705],
    [1.959963984540054, 0.025],
    [3, 0.0013498980316300945],
    [5, 2.8665157187919391e-7],
    [8, 6.2209605742717841e-16],
    [20, 2.7536241186062337e-89],
    [37, 5.7255712225245768e-300],
    [-1.5, 0.93319279873114193],
  ])('has the tail above %d', (z, tail) => {
    expectClose(normalAbove(z), tail, 1e-12);
  });

  it.each([
    [1e-100, 21.273453560965322],
    [1e-10, 6.361340902404056],
    [0.025, 1.959963984540054],
    [0.3, 0.5244005127080409],
    [0.7, -0.5244005127080409],
  ])('has %d of it above its quantile', (p, z) => {
    expectClose(normalQuantileAbove(p), z, 1e-12);
  });

  it('has a quantile that undoes the tail', () => {
    fc.assert(
      fc.property(fc.double({ min: -280, max: -1e-9, noNaN: true }), (log10) => {
        const p = 10 ** log10;
        expectClose(normalAbove(normalQuantileAbove(p)), p, 1e-10);
      }),
    );
  });

  it('has a two-sided p value of 1 at nought, the same for both signs', () => {
    expect(normalTwoSided(0)).toBe(1);
    expect(normalTwoSided(-2)).toBe(normalTwoSided(2));
  });

  it.each([0, 1, -1, Number.NaN])('has no quantile for the tail %d', (p) => {
    expect(() => normalQuantileAbove(p)).toThrow(RangeError);
  });

  it('has no tail above what is not a number', () => {
    expect(() => normalAbove(Number.NaN)).toThrow(RangeError);
  });
});

describe("Student's t distribution", () => {
  it.each([
    [1, 1, 0.25],
    [2.5, 3, 0.043853323504032774],
    [2.086, 20, 0.024998177228720105],
    [6, 9, 0.00010124966103382033],
    [3, 100, 0.0017039576716647248],
    [4, 99_999, 3.1693999006227478e-5],
    [0.3, 7, 0.38644502520106714],
    [-2, 5, 0.94903026058507082],
    [40, 2, 0.00031220733609237032],
  ])('has the tail above %d with %d degrees of freedom', (t, df, tail) => {
    expectClose(studentAbove(t, df), tail, 1e-9);
  });

  it.each([
    [0.025, 1, 12.706204736174694],
    [0.025, 4, 2.7764451051977943],
    [0.025, 29, 2.045229642132703],
    [0.025, 1000, 1.9623390808264074],
    [1e-5, 3, 47.92772838],
    [1e-5, 50, 4.71100811],
  ])('has %d of it above its quantile with %d degrees of freedom', (p, df, t) => {
    expectClose(studentQuantileAbove(p, df), t, 1e-8);
    expectClose(studentQuantileAbove(1 - p, df), -t, 1e-6);
  });

  // GrowthBook's own tests of its frequentist engine: [n, mean, variance] of both arms, absolute or relative to the first by the delta method.
  it.each<[string, Arm, Arm, number, number, [number, number] | null]>([
    ['relative', growthbook(3_407, 1_396.87, 52_377.9767), growthbook(3_461, 2_422.7, 134_698.29), 0.70732, 0.06191, [-0.03526, 1.44989]],
    ['absolute', growthbook(3_407, 1_396.87, 52_377.9767), growthbook(3_461, 2_422.7, 134_698.29), 0.29, 0.02016, [0.04538, 0.53462]],
    ['relative', [28, 14 / 28, 1 / 4], [30, 16 / 30, (16 * 14) / 900], 0.06667, 0.80707, null],
  ])('gives the %s difference of two arms that GrowthBook gives (%#)', (scale, [n, a, va], [m, b, vb], difference, p, interval) => {
    const isRelative = scale === 'relative';
    const error = Math.sqrt(isRelative ? vb / m / a ** 2 + (va / n) * (b ** 2 / a ** 4) : vb / m + va / n);
    // Welch and Satterthwaite's degrees of freedom.
    const df = (vb / m + va / n) ** 2 / (vb ** 2 / (m ** 2 * (m - 1)) + va ** 2 / (n ** 2 * (n - 1)));
    const effect = isRelative ? b / a - 1 : b - a;
    expect(effect).toBeCloseTo(difference, 5);
    expect(2 * studentAbove(effect / error, df)).toBeCloseTo(p, 5);
    const half = studentQuantileAbove(0.025, df) * error;
    if (interval) for (const [index, end] of [effect - half, effect + half].entries()) expect(end).toBeCloseTo(interval[index]!, 5);
  });

  it('has heavier tails the fewer degrees of freedom there are, and the normal ones in the limit', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.01, max: 8, noNaN: true }), fc.integer({ min: 1, max: 1000 }), (t, df) => {
        expect(studentAbove(t, df)).toBeGreaterThan(studentAbove(t, df + 1));
        expect(studentAbove(t, df)).toBeGreaterThan(normalAbove(t));
        expect(studentAbove(t, 1e9)).toBe(normalAbove(t));
      }),
    );
  });

  it('refuses no degrees of freedom', () => {
    expect(() => studentAbove(1, 0)).toThrow(RangeError);
    expect(() => studentQuantileAbove(0, 5)).toThrow(RangeError);
  });
});

describe('the binomial distribution', () => {
  it.each([
    [0, 10, 0.5, 0.0009765625, 0.0009765625],
    [3, 10, 0.5, 0.1171875, 0.171875],
    [60, 200, 0.5, 4.381316924085597e-9, 7.535307786763059e-9],
    [49_000, 100_000, 0.5, 5.194659209889301e-12, 1.294358019173449e-10],
    [499_000, 1_000_000, 0.5, 0.0001079819780189152, 0.02280414993269104],
    [5, 20, 0.05, 0.002244646010124005, 0.9996707056754717],
    [600, 10_000, 0.05, 8.251410883345972e-7, 0.9999963157539705],
    [999, 1000, 0.999, 0.3680634882592233, 0.632304575229036],
  ])('has the probability of %d of %d at %d, and of that many at most', (k, n, p, exactly, atMost) => {
    expectClose(binomialProbability(k, n, p), exactly, 1e-12);
    expectClose(binomialAtMost(k, n, p), atMost, 1e-11);
  });

  it('is the other side of the Beta distribution: Beta(44157, 1737) has 5 % and 95 % below these', () => {
    for (const [x, below] of [
      [0.96067538, 0.05],
      [0.96360555, 0.95],
    ] as const)
      expect(1 - binomialAtMost(44_156, 44_157 + 1_737 - 1, x)).toBeCloseTo(below, 4);
  });

  it('agrees with the sum of all its terms', () => {
    const trials = fc.integer({ min: 0, max: 300 }).chain((n) => fc.tuple(fc.integer({ min: 0, max: n }), fc.constant(n)));
    fc.assert(
      fc.property(trials, fc.double({ min: 0, max: 1, noNaN: true }), ([k, n], p) => {
        let sum = 0;
        for (let i = 0; i <= k; i++) sum += binomialProbability(i, n, p);
        expect(binomialAtMost(k, n, p)).toBeCloseTo(sum, 11);
      }),
    );
  });

  it.each([
    [-1, 5, 0.5],
    [6, 5, 0.5],
    [0.5, 5, 0.5],
    [0, 5, 1.5],
    [0, 5, Number.NaN],
  ])('refuses %d of %d at %d', (k, n, p) => {
    expect(() => binomialProbability(k, n, p)).toThrow(RangeError);
    expect(() => binomialAtMost(k, n, p)).toThrow(RangeError);
  });
});

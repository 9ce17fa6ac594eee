import { fc } from '#testing/property.js';
import type { Comparison } from './comparison.js';
import { binomialProbability } from './distributions.js';
import { compareShares, type Share } from './two-proportions.js';

const compare = (candidate: Share, baseline: Share): Comparison => compareShares(candidate, baseline) as Comparison;
const share = fc.integer({ min: 1, max: 1500 }).chain((n) => fc.record({ events: fc.integer({ min: 0, max: n }), n: fc.constant(n) }));

describe('compareShares', () => {
  // p: scipy 1.17.1 fisher_exact, and the N − 1 formula in Python. Intervals in Python; the first four are in Newcombe 1998 part II, method 10.
  it.each([
    [56, 70, 48, 80, 'fisher_exact', 0.012521129749209154, 0.05243147240236498, 0.333872654036906],
    [9, 10, 3, 10, 'fisher_exact', 0.019766611097880443, 0.17052272393450307, 0.8090179735354881],
    [10, 10, 0, 20, 'fisher_exact', 3.328339160423118e-8, 0.6790860371419145, 1],
    [5, 1000, 17, 1000, 'fisher_exact', 0.01631763309472516, -0.022455429740270268, -0.002798041899909235],
    [0, 150, 6, 150, 'fisher_exact', 0.02969809196780457, -0.08451346421655605, -0.007022418739866865],
    [2, 100_000, 12, 50_000, 'fisher_exact', 8.210567017583602e-5, -0.000400072048604745, -0.00010446440862164946],
    [400, 3000, 330, 3000, 'n_minus_1_chi_square', 0.005706113752730425, 0.006790117705060494, 0.03989084727870425],
  ])('compares %d of %d with %d of %d', (events, n, baselineEvents, baselineN, test, p, lower, upper) => {
    const comparison = compare({ events, n }, { events: baselineEvents, n: baselineN });
    expect(comparison.test).toBe(test);
    expect(Math.abs(comparison.p - p)).toBeLessThan(p * 1e-6);
    expect(comparison.interval.lower).toBeCloseTo(lower, 12);
    expect(comparison.interval.upper).toBeCloseTo(upper, 12);
    expect(comparison.n).toBe(Math.min(n, baselineN));
  });

  it('raises a false alarm in 5 % at most for every rate', () => {
    for (const [n, m] of [
      [30, 30],
      [40, 20],
    ] as const) {
      const alarms: [number, number][] = [];
      for (let k = 0; k <= n; k++) {
        for (let j = 0; j <= m; j++) if (compare({ events: k, n }, { events: j, n: m }).p <= 0.05) alarms.push([k, j]);
      }
      for (const rate of [0.005, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5]) {
        const size = alarms.reduce((sum, [k, j]) => sum + binomialProbability(k, n, rate) * binomialProbability(j, m, rate), 0);
        expect(size).toBeLessThan(0.05);
      }
    }
  });

  it('gives the mirrored answer when candidate and baseline change places', () => {
    fc.assert(
      fc.property(share, share, (a, b) => {
        const one = compare(a, b);
        const other = compare(b, a);
        expect(Math.abs(other.p - one.p)).toBeLessThanOrEqual(one.p * 1e-9);
        expect(other.effect).toBeCloseTo(-one.effect, 12);
        expect(other.statistic).toBeCloseTo(-one.statistic, 9);
        expect(other.interval.lower).toBeCloseTo(-one.interval.upper, 12);
        expect(one.interval.lower).toBeLessThanOrEqual(one.effect);
        expect(one.interval.upper).toBeGreaterThanOrEqual(one.effect);
      }),
    );
  });

  it('sees no difference where nothing or everything failed on both sides', () => {
    expect(compare({ events: 0, n: 30 }, { events: 0, n: 50 })).toMatchObject({ p: 1, statistic: 0, effect: 0 });
    expect(compare({ events: 30, n: 30 }, { events: 50, n: 50 })).toMatchObject({ p: 1, statistic: 0, effect: 0 });
  });

  it('has no answer where one side has nothing', () => {
    expect(compareShares({ events: 0, n: 0 }, { events: 1, n: 5 })).toEqual({ reason: 'no_rows' });
  });

  it('refuses more events than there are', () => {
    expect(() => compareShares({ events: 6, n: 5 }, { events: 1, n: 5 })).toThrow(RangeError);
  });
});

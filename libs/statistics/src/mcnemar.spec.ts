import { fc } from '#testing/property.js';
import { binomialAtMost, binomialProbability } from './distributions.js';
import { mcnemar, midPFrom, type PairedOutcomes } from './mcnemar.js';
import type { Comparison } from './comparison.js';

const compare = (both: number, only_candidate: number, only_baseline: number, neither: number): Comparison =>
  mcnemar({ both, only_candidate, only_baseline, neither }) as Comparison;

const count = fc.integer({ min: 0, max: 500 });
const table = fc.tuple(count, count, count, count).filter((counts) => counts.some((x) => x > 0));

describe('mcnemar', () => {
  // p: sums of whole binomial coefficients in Python; intervals: Newcombe's method 10 in Python. The first interval is in Newcombe 1998
  // (0.0569, 0.3404), the second p in Fagerland et al. 2013 (exact 0.070, mid-p 0.039).
  it.each([
    [36, 12, 2, 0, 0.012939453125, 0.05692958400323875, 0.3404276029749406],
    [1, 7, 1, 12, 0.0703125, 0.02555912416485978, 0.506920226686141],
    [59, 16, 6, 80, 0.052478790283203125, 0.004625113933050047, 0.11862119563870992],
    [900, 60, 30, 10, 0.0015165131944572217, 0.01142107667766228, 0.04917149673527521],
    [20_000, 2100, 1900, 1000, 0.001564338886116057, 0.003041957744247728, 0.012959922069499679],
    [43, 0, 0, 0, 1, -0.08200980322579121, 0.08200980322579121],
    [0, 5, 5, 0, 1, -0.5268138189748719, 0.5268138189748719],
  ])('compares %d both right, %d and %d one right, %d none right', (both, onlyCandidate, onlyBaseline, neither, p, lower, upper) => {
    const comparison = compare(both, onlyCandidate, onlyBaseline, neither);
    expect(comparison.p).toBeCloseTo(p, 12);
    expect(comparison.interval.lower).toBeCloseTo(lower, 12);
    expect(comparison.interval.upper).toBeCloseTo(upper, 12);
    expect(comparison.n).toBe(both + onlyCandidate + onlyBaseline + neither);
    expect(comparison.test).toBe(onlyCandidate + onlyBaseline < midPFrom ? 'mcnemar_exact' : 'mcnemar_mid_p');
  });

  it('raises a false alarm in 5 % at most for every size of data set and share of discordant pairs', () => {
    // Both tails alike, up to the first split that is no alarm: at the same or the next one for a further pair.
    let quiet = 0;
    const alarms = Array.from({ length: 301 }, (_, discordant) => {
      while (quiet < discordant && compare(0, quiet, discordant - quiet, 0).p <= 0.05) quiet++;
      return quiet === 0 ? 0 : 2 * binomialAtMost(quiet - 1, discordant, 0.5);
    });
    for (const n of [20, 50, 100, 200, 300]) {
      for (const rate of [0.02, 0.05, 0.1, 0.2, 0.4, 0.7]) {
        let size = 0;
        for (let discordant = 0; discordant <= n; discordant++) size += binomialProbability(discordant, n, rate) * alarms[discordant]!;
        expect(size).toBeLessThan(0.0505);
      }
    }
  });

  it('gives the mirrored answer when candidate and baseline change places', () => {
    fc.assert(
      fc.property(table, ([a, b, c, d]) => {
        const one = compare(a, b, c, d);
        const other = compare(a, c, b, d);
        expect(other.p).toBe(one.p);
        expect(other.effect + one.effect).toBe(0);
        expect(other.statistic + one.statistic).toBe(0);
        expect(other.interval.lower).toBeCloseTo(-one.interval.upper, 12);
      }),
    );
  });

  it('encloses the effect, within −1..1, the wider the more confident', () => {
    fc.assert(
      fc.property(table, ([both, only_candidate, only_baseline, neither]) => {
        const outcomes: PairedOutcomes = { both, only_candidate, only_baseline, neither };
        const { effect, interval, p } = mcnemar(outcomes) as Comparison;
        const sure = (mcnemar(outcomes, 0.99) as Comparison).interval;
        expect(interval.lower).toBeLessThanOrEqual(effect);
        expect(interval.upper).toBeGreaterThanOrEqual(effect);
        expect(sure.lower).toBeLessThanOrEqual(interval.lower);
        expect(sure.upper).toBeGreaterThanOrEqual(interval.upper);
        expect(sure.lower).toBeGreaterThanOrEqual(-1);
        expect(sure.upper).toBeLessThanOrEqual(1);
        expect(p).toBeGreaterThan(0);
        expect(p).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('takes p from the discordant pairs alone, and lowers it as their split grows more uneven', () => {
    fc.assert(
      fc.property(count, count, fc.integer({ min: 1, max: 100 }), (both, neither, discordant) => {
        let previous = 0;
        for (let k = 0; k <= discordant / 2; k++) {
          const { p } = compare(both, k, discordant - k, neither);
          expect(p).toBe(compare(0, k, discordant - k, 0).p);
          expect(p).toBeGreaterThanOrEqual(previous);
          previous = p;
        }
      }),
      { numRuns: 20 },
    );
  });

  it('has no answer without rows', () => {
    expect(mcnemar({ both: 0, only_candidate: 0, only_baseline: 0, neither: 0 })).toEqual({ reason: 'no_rows' });
  });

  it.each([-1, 0.5, Number.NaN])('refuses %d rows', (neither) => {
    expect(() => compare(1, 1, 1, neither)).toThrow(RangeError);
  });
});

import { fc } from '#testing/property.js';
import type { Comparison } from './comparison.js';
import { relativeTo } from './comparison.js';
import { type Case, defaultBands, defaultPolicy, judge, type Judged } from './difference.js';
import { normalTwoSided, normalQuantileAbove } from './distributions.js';

/** As from a normal test: the interval is effect ± 1.96 standard errors. */
const comparison = (effect: number, error: number, n = 1000, scale: Comparison['scale'] = 'difference'): Comparison => {
  const statistic = (effect - (scale === 'ratio' ? 1 : 0)) / error;
  const half = normalQuantileAbove(0.025) * error;
  const interval = { lower: effect - half, upper: effect + half };
  return { test: 'paired_bootstrap', statistic, p: normalTwoSided(statistic), scale, effect, interval, confidence: 0.95, n };
};

const accuracyCase = (effect: number, error: number, n?: number): Case => ({
  comparison: comparison(effect, error, n),
  worse: 'lower',
  bands: defaultBands.share,
});
const latencyCase = (effect: number, error: number, n?: number): Case => ({
  comparison: comparison(effect, error, n, 'ratio'),
  worse: 'higher',
  bands: defaultBands.latency,
});

const judgeOne = (one: Case): Judged => judge([one])[0] as Judged;

describe('judge', () => {
  it.each([
    ['far worse', accuracyCase(-0.12, 0.01), 'regression', 'high'],
    ['worse', accuracyCase(-0.05, 0.01), 'regression', 'medium'],
    ['a little worse', accuracyCase(-0.02, 0.004), 'regression', 'low'],
    ['worse by exactly the smallest band', accuracyCase(0.05 - 0.06, 0.002), 'regression', 'low'],
    ['worse by less than the smallest band, though surely', accuracyCase(-0.005, 0.001), 'no_difference', 'none'],
    ['better', accuracyCase(0.05, 0.01), 'improvement', 'none'],
    ['the same', accuracyCase(0, 0.002), 'no_difference', 'none'],
    ['anything', accuracyCase(-0.03, 0.03), 'too_little_data', 'none'],
    ['slower by half', latencyCase(1.5, 0.05), 'regression', 'high'],
    ['slower', latencyCase(1.3, 0.05), 'regression', 'medium'],
    ['slower by less than counts', latencyCase(1.05, 0.01), 'no_difference', 'none'],
    ['faster', latencyCase(0.8, 0.02), 'improvement', 'none'],
    ['clearly worse on ten rows', accuracyCase(-0.5, 0.05, 10), 'too_little_data', 'none'],
  ])('says of a candidate that is %s what it is', (_, one, outcome, severity) => {
    expect(judgeOne(one)).toMatchObject({ outcome, severity });
  });

  it('says how many rows it would take', () => {
    // (1.95996 + 0.84162)² · (0.03/0.01)² · 1000
    expect(judgeOne(accuracyCase(-0.03, 0.03)).n_needed).toBe(70_640);
    expect(judgeOne(accuracyCase(0, 1e-9)).n_needed).toBe(defaultPolicy.minimum_n);
  });

  it('raises the bar with the number of comparisons', () => {
    const one = latencyCase(1.15, 0.06);
    expect(judgeOne(one).outcome).toBe('regression');
    const family = judge([one, ...Array.from({ length: 9 }, () => latencyCase(1, 0.06))]) as Judged[];
    expect(family[0]).toMatchObject({ outcome: 'too_little_data', severity: 'none' });
    expect(family[0]!.p_adjusted).toBeCloseTo(10 * judgeOne(one).p_adjusted, 12);
    expect(family[0]!.n_needed).toBeGreaterThan(judgeOne(one).n_needed);
  });

  it('passes on why a comparison could not be made, and leaves it out of the family', () => {
    const judged = judge([
      { comparison: { reason: 'one_class_only' }, worse: 'lower', bands: defaultBands.share },
      latencyCase(1.15, 0.06),
    ]);
    expect(judged[0]).toEqual({ outcome: 'not_measured', reason: 'one_class_only' });
    expect(judged[1]).toEqual(judgeOne(latencyCase(1.15, 0.06)));
    expect(judge([])).toEqual([]);
  });

  const effect = fc.double({ min: -0.5, max: 0.5, noNaN: true });
  const error = fc.double({ min: 0.0001, max: 0.2, noNaN: true });

  it('mirrors regression and improvement, and never calls a regression without severity', () => {
    fc.assert(
      fc.property(effect, error, (x, s) => {
        const one = judgeOne(accuracyCase(x, s));
        const other = judgeOne(accuracyCase(-x, s));
        expect(other.worsening).toBeCloseTo(-one.worsening, 12);
        expect(one.outcome === 'regression').toBe(other.outcome === 'improvement');
        expect(one.outcome === 'regression').toBe(one.severity !== 'none');
      }),
    );
  });

  it('grows more severe with the effect and less with larger bands', () => {
    const order = ['none', 'low', 'medium', 'high'];
    fc.assert(
      fc.property(effect, effect, error, (a, b, s) => {
        const severity = (x: number, factor = 1): number => {
          const { low, medium, high } = defaultBands.share;
          const bands = { low: low * factor, medium: medium * factor, high: high * factor };
          return order.indexOf(judgeOne({ ...accuracyCase(x, s), bands }).severity);
        };
        expect(severity(Math.min(a, b))).toBeGreaterThanOrEqual(severity(Math.max(a, b)));
        expect(severity(a, 2)).toBeLessThanOrEqual(severity(a));
      }),
    );
  });

  it.each([
    [{ ...defaultPolicy, alpha: 0 }, defaultBands.share],
    [{ ...defaultPolicy, power: 1 }, defaultBands.share],
    [{ ...defaultPolicy, minimum_n: 0.5 }, defaultBands.share],
    [defaultPolicy, { low: 0, medium: 1, high: 2 }],
    [defaultPolicy, { low: 2, medium: 1, high: 3 }],
    [defaultPolicy, { low: 1, medium: 2, high: Number.NaN }],
  ])('refuses the policy %j with the bands %j', (policy, bands) => {
    expect(() => judge([{ ...accuracyCase(0, 1), bands }], policy)).toThrow(RangeError);
  });
});

describe('relativeTo', () => {
  it('puts a difference of errors in relation to those of the baseline', () => {
    const relative = relativeTo(60, comparison(3, 1)) as Comparison;
    expect(relative.effect).toBeCloseTo(0.05, 12);
    expect(relative.interval.upper).toBeCloseTo(4.959963984540054 / 60, 12);
    expect(relative.p).toBe(comparison(3, 1).p);
    expect(judgeOne({ comparison: relative, worse: 'higher', bands: defaultBands.error })).toMatchObject({ severity: 'low' });
  });

  it('has no answer for a baseline of 0 or no number', () => {
    expect(relativeTo(0, comparison(3, 1))).toEqual({ reason: 'baseline_is_zero' });
    expect(relativeTo(Number.NaN, comparison(3, 1))).toEqual({ reason: 'not_a_number' });
  });
});

import { fc } from '#testing/property.js';
import { accuracy, f1, type LabelRow, macro } from './classification.js';
import type { Comparison } from './comparison.js';
import type { Metric } from './metric.js';
import { type BootstrapOptions, maxGroups, PairedBootstrap } from './paired-bootstrap.js';
import { mae, type NumberRow, rmse, rSquared } from './regression.js';

type Pairs<Row> = readonly (readonly [candidate: Row, baseline: Row])[];

function compare<Row>(metric: Metric<Row>, pairs: Pairs<Row>, options?: BootstrapOptions, seed = 1): Comparison {
  const bootstrap = new PairedBootstrap(metric, seed);
  for (const [candidate, baseline] of pairs) bootstrap.add(candidate, baseline);
  return bootstrap.compare(options) as Comparison;
}

const label = fc.constantFrom('p', 'n');
const labelPairs = fc.array(fc.tuple(label, label, label), { minLength: 20, maxLength: 60 }).map((rows) =>
  rows.map(([actual, a, b]): [LabelRow, LabelRow] => [
    { actual, predicted: a },
    { actual, predicted: b },
  ]),
);

let state = 5;
const uniform = (): number => (state = (state * 48271) % 2147483647) / 2147483647;

/** 300 rows: numbers foretold by two models, and labels. */
function fixture(): { numbers: Pairs<NumberRow>; labels: Pairs<LabelRow> } {
  state = 5;
  const numbers: [NumberRow, NumberRow][] = [];
  const labels: [LabelRow, LabelRow][] = [];
  for (let i = 0; i < 300; i++) {
    const actual = 10 * uniform();
    const error = uniform() - uniform();
    numbers.push([
      { actual, predicted: actual + 0.8 * error + 0.9 * (uniform() - uniform()) },
      { actual, predicted: actual + error },
    ]);
    const [positive, negative] = uniform() < 0.3 ? ['p', 'n'] : ['n', 'p'];
    const baseline = uniform() < 0.9 ? positive : negative;
    labels.push([
      { actual: positive, predicted: uniform() < 0.85 ? positive : negative },
      { actual: positive, predicted: baseline },
    ]);
  }
  return { numbers, labels };
}

describe('PairedBootstrap', () => {
  // numpy: 40,000 multinomial resamples, the expanded percentiles of them. Ours are 10,000 Poisson ones, whose own error is some percent.
  it('agrees with the ordinary bootstrap on the ratio of root mean squared errors', () => {
    const { effect, interval, p, statistic, n } = compare(rmse, fixture().numbers, { scale: 'ratio', resamples: 10_000 });
    expect(effect).toBeCloseTo(1.2364149241895503, 10);
    expect(Math.abs(interval.lower - 1.13778)).toBeLessThan(0.006);
    expect(Math.abs(interval.upper - 1.34454)).toBeLessThan(0.006);
    // Its standard deviation is 0.0190, and the difference 0.0926 by it.
    expect(statistic).toBeGreaterThan(4.6);
    expect(statistic).toBeLessThan(5.2);
    expect(p).toBeLessThan(1e-5);
    expect(n).toBe(300);
  });

  it('agrees with the ordinary bootstrap on the difference of F1', () => {
    const { effect, interval, p } = compare(f1('p'), fixture().labels, { resamples: 10_000 });
    expect(effect).toBeCloseTo(-0.013851631468565606, 10);
    expect(Math.abs(interval.lower + 0.09331)).toBeLessThan(0.004);
    expect(Math.abs(interval.upper - 0.06323)).toBeLessThan(0.004);
    expect(Math.abs(p - 0.7256)).toBeLessThan(0.03);
  });

  it('finds the same interval for rows in groups as for the theory of means, sorted rows too', () => {
    state = 9;
    const pairs: [NumberRow, NumberRow][] = Array.from({ length: 20_000 }, (_, i) => [
      { actual: 0, predicted: i / 20_000 + uniform() },
      { actual: 0, predicted: uniform() },
    ]);
    const { effect, interval } = compare(mae, pairs, { resamples: 1000 });
    const deviation = Math.sqrt((1 / 12 + 1 / 12 + 1 / 12) / 20_000);
    expect(pairs.length).toBeGreaterThan(maxGroups);
    expect(effect).toBeCloseTo(0.5, 2);
    expect((interval.upper - interval.lower) / (2 * 1.96 * deviation)).toBeGreaterThan(0.9);
    expect((interval.upper - interval.lower) / (2 * 1.96 * deviation)).toBeLessThan(1.1);
  });

  it('gives the same answer for the same seed, and nearly the same for another', () => {
    const { labels } = fixture();
    const one = compare(accuracy, labels);
    expect(compare(accuracy, labels)).toEqual(one);
    const other = compare(accuracy, labels, {}, 2);
    expect(other.p).not.toBe(one.p);
    expect(Math.abs(other.interval.lower - one.interval.lower)).toBeLessThan(0.01);
  });

  it('gives the mirrored answer when candidate and baseline change places', () => {
    fc.assert(
      fc.property(labelPairs, (pairs) => {
        const one = compare(accuracy, pairs, { resamples: 200 });
        const other = compare(
          accuracy,
          pairs.map(([a, b]) => [b, a]),
          { resamples: 200 },
        );
        expect(other.p).toBeCloseTo(one.p, 10);
        expect(other.effect).toBeCloseTo(-one.effect, 10);
        expect(other.interval.lower).toBeCloseTo(-one.interval.upper, 10);
        expect(one.p).toBeGreaterThan(0);
        expect(one.p).toBeLessThanOrEqual(1);
        expect(one.interval.lower).toBeLessThanOrEqual(one.effect + 1e-12);
        expect(one.interval.upper).toBeGreaterThanOrEqual(one.effect - 1e-12);
      }),
      { numRuns: 30 },
    );
  });

  it('does not depend on the unit of a ratio', () => {
    const { numbers } = fixture();
    const one = compare(rmse, numbers, { scale: 'ratio', resamples: 500 });
    const scale = (row: NumberRow): NumberRow => ({ actual: row.actual * 8, predicted: row.predicted * 8 });
    const other = compare(
      rmse,
      numbers.map(([a, b]) => [scale(a), scale(b)]),
      { scale: 'ratio', resamples: 500 },
    );
    expect(other).toEqual(one);
  });

  it('lowers p as more rows tell the same, below what the resamples alone could show', () => {
    const ps = [50, 200, 800].map((n) => {
      const pairs: [NumberRow, NumberRow][] = Array.from({ length: n }, (_, i) => [
        { actual: 0, predicted: 3 + (i % 5) },
        { actual: 0, predicted: 2 + ((i * 3) % 7) / 2 },
      ]);
      return compare(mae, pairs, { resamples: 500 }).p;
    });
    expect(ps[1]).toBeLessThan(ps[0]!);
    expect(ps[2]).toBeLessThan(1e-20);
  });

  it('sees no difference between equal answers, and a sure one where all answers turned wrong', () => {
    const right: LabelRow = { actual: 'p', predicted: 'p' };
    const wrong: LabelRow = { actual: 'p', predicted: 'n' };
    expect(compare(accuracy, Array(50).fill([right, right]))).toMatchObject({ p: 1, effect: 0, statistic: 0 });
    const { p, effect } = compare(accuracy, Array(50).fill([wrong, right]));
    expect(effect).toBe(-1);
    expect(p).toBeLessThan(0.003);
  });

  it('has no answer where a figure has none', () => {
    const zero: NumberRow = { actual: 1, predicted: 1 };
    const one: NumberRow = { actual: 1, predicted: 2 };
    expect(compare(mae, [])).toEqual({ reason: 'no_rows' });
    expect(compare(mae, Array(20).fill([one, zero]), { scale: 'ratio' })).toEqual({ reason: 'baseline_is_zero' });
    expect(compare(mae, [[{ actual: 1, predicted: Number.NaN }, one]])).toEqual({ reason: 'not_a_number' });
    expect(compare(rSquared(1), Array(20).fill([one, zero]))).toEqual({ reason: 'actuals_do_not_vary' });
    const rare: Pairs<LabelRow> = Array.from({ length: 40 }, (_, i) => {
      const row = { actual: i === 0 ? 'p' : 'n', predicted: i === 0 ? 'p' : 'n' };
      return [row, row];
    });
    expect(compare(f1('p'), rare)).toEqual({ reason: 'too_sparse' });
  });

  it('keeps fewer groups for metrics of many sums', () => {
    const labels = Array.from({ length: 300 }, (_, i) => String(i));
    const pairs: Pairs<LabelRow> = Array.from({ length: 3000 }, (_, i) => {
      const actual = labels[i % 300]!;
      return [
        { actual, predicted: i % 7 === 0 ? labels[(i + 1) % 300]! : actual },
        { actual, predicted: actual },
      ];
    });
    const { effect, interval } = compare(macro('f1', labels), pairs, { resamples: 100 });
    expect(effect).toBeLessThan(-0.1);
    expect(interval.upper).toBeLessThan(-0.08);
  });

  it.each([99, 20_001, 200.5])('does not resample %d times', (resamples) => {
    expect(() =>
      compare(
        accuracy,
        [
          [
            { actual: 'a', predicted: 'a' },
            { actual: 'a', predicted: 'b' },
          ],
        ],
        { resamples },
      ),
    ).toThrow(RangeError);
  });
});

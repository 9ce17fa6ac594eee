import { fc } from '#testing/property.js';
import { type SignedRankComparison, wilcoxonSignedRank } from './wilcoxon.js';

const compare = (differences: readonly number[], confidence?: number): SignedRankComparison =>
  wilcoxonSignedRank(Float64Array.from(differences), confidence) as SignedRankComparison;

// Hollander and Wolfe's Hamilton depression scale factor, the example of R's wilcox.test: V = 40, p = 0.03906, estimate 0.46, 0.010 to 0.786.
const [first, second] = [
  [1.83, 0.5, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.3],
  [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29],
];
const depression = first.map((x, i) => x - second[i]!);
// Darwin's maize, crossed and self-fertilised, in inches.
const maize = [6.125, -8.375, 1, 2, 0.75, 2.875, 3.5, 5.125, 1.75, 3.625, 7, 3, 9.375, 7.5, -6];
let state = 42;
const uniform = (): number => (state = (state * 48271) % 2147483647) / 2147483647;
const many = Array.from({ length: 200 }, () => uniform() + uniform() + uniform() - 1.45);

/** Small whole numbers have ties and zeros, fractions of large ones have none. */
const differences = fc.oneof(
  fc.array(fc.integer({ min: -8, max: 8 }), { minLength: 1, maxLength: 60 }),
  fc.array(
    fc.integer({ min: -1e9, max: 1e9 }).map((x) => x / 997),
    { minLength: 1, maxLength: 60 },
  ),
);

function allPairMeans(values: readonly number[]): number[] {
  return values.flatMap((a, i) => values.slice(i).map((b) => (a + b) / 2)).sort((a, b) => a - b);
}

describe('wilcoxonSignedRank', () => {
  // p: scipy 1.17.1 (exact; or pratt, with continuity correction); pseudo-median and interval: all pairs listed in Python.
  it.each([
    ['the depression scale', depression, 'wilcoxon_exact', 0.0390625, 0.46, 0.01, 0.786, 0.7777777777777778],
    ["Darwin's maize", maize, 'wilcoxon_exact', 0.041259765625, 3.125, 0.5, 5.1875, 0.6],
    ['ties', [1, 2, 2, -1, 3, 3, -2, 4, 5, -1, 2, 6], 'wilcoxon_normal', 0.022126659922328908, 2, 0.5, 3.5, 0.7564102564102564],
    [
      'zeros',
      [0, 0, 1, -2, 3, 0, 4, 5, -1, 0, 6, 2.5, 7, -8, 9],
      'wilcoxon_normal',
      0.10734993858067651,
      2,
      -0.5,
      4.25,
      0.5181818181818182,
    ],
    [
      '200 of them',
      many,
      'wilcoxon_normal',
      0.04518701876197361,
      0.07688547318190592,
      0.0019105131979615941,
      0.15129245189078733,
      0.163383,
    ],
  ])('agrees with the references for %s', (_, values, test, p, effect, lower, upper, rankBiserial) => {
    const comparison = compare(values);
    expect(comparison.test).toBe(test);
    expect(comparison.p).toBeCloseTo(p, 12);
    expect(comparison.effect).toBeCloseTo(effect, 12);
    expect(comparison.interval.lower).toBeCloseTo(lower, 12);
    expect(comparison.interval.upper).toBeCloseTo(upper, 12);
    expect(comparison.rank_biserial).toBeCloseTo(rankBiserial, 6);
    expect(comparison.n).toBe(values.length);
  });

  it('has the p value that all ways to give the signs add up to', () => {
    const ranks = [1, 2, 3, 4, 5, 6, 7, 8];
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }), (signs) => {
        const sumOf = (positive: (i: number) => boolean): number => ranks.reduce((sum, rank, i) => sum + (positive(i) ? rank : 0), 0);
        const seen = Math.abs(sumOf((i) => signs[i]!) - 18);
        let extreme = 0;
        for (let mask = 0; mask < 256; mask++) if (Math.abs(sumOf((i) => (mask >> i) % 2 === 1) - 18) >= seen) extreme++;
        expect(compare(ranks.map((rank, i) => (signs[i] ? rank : -rank))).p).toBeCloseTo(extreme / 256, 12);
      }),
    );
  });

  it('has the median of the means of all pairs, without listing them', () => {
    fc.assert(
      fc.property(differences, (values) => {
        const means = allPairMeans(values);
        const median = (means[Math.ceil(means.length / 2) - 1]! + means[Math.floor(means.length / 2)]!) / 2;
        const { effect, interval } = compare(values);
        expect(effect).toBe(median);
        expect(means).toContain(interval.lower);
        expect(means).toContain(interval.upper);
      }),
    );
  });

  it('gives the mirrored answer when candidate and baseline change places', () => {
    fc.assert(
      fc.property(differences, (values) => {
        const one = compare(values);
        const other = compare(values.map((x) => -x));
        expect(other.p).toBeCloseTo(one.p, 12);
        expect(other.statistic).toBeCloseTo(-one.statistic, 12);
        expect(other.effect).toBeCloseTo(-one.effect, 12);
        expect(other.interval.lower).toBeCloseTo(-one.interval.upper, 12);
        expect(other.rank_biserial).toBeCloseTo(-one.rank_biserial, 12);
      }),
    );
  });

  it('does not depend on the unit or the order of the rows', () => {
    fc.assert(
      fc.property(differences, (values) => {
        const one = compare(values);
        const scaled = compare(values.map((x) => x * 4).reverse());
        expect(scaled).toEqual({ ...one, effect: one.effect * 4, interval: scaled.interval });
        expect(scaled.interval.lower).toBe(one.interval.lower * 4);
      }),
    );
  });

  it('encloses the effect, the wider the more confident', () => {
    fc.assert(
      fc.property(differences, (values) => {
        const { effect, interval, p } = compare(values);
        const sure = compare(values, 0.99).interval;
        expect(interval.lower).toBeLessThanOrEqual(effect);
        expect(interval.upper).toBeGreaterThanOrEqual(effect);
        expect(sure.lower).toBeLessThanOrEqual(interval.lower);
        expect(sure.upper).toBeGreaterThanOrEqual(interval.upper);
        expect(p).toBeGreaterThan(0);
        expect(p).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('sees no difference where there is none in any row', () => {
    expect(compare([0, 0, 0])).toMatchObject({ p: 1, statistic: 0, effect: 0, rank_biserial: 0, interval: { lower: 0, upper: 0 } });
  });

  it('takes 20,000 rows, most of them 0', () => {
    const rows = Float64Array.from({ length: 20_000 }, (_, i) => (i % 5 === 0 ? uniform() - 0.4 : 0));
    const comparison = wilcoxonSignedRank(rows) as SignedRankComparison;
    expect(comparison.effect).toBe(0);
    expect(comparison.p).toBeLessThan(1e-6);
  });

  it.each([Number.NaN, Infinity])('has no answer where a difference is %d', (x) => {
    expect(wilcoxonSignedRank(Float64Array.of(1, x))).toEqual({ reason: 'not_a_number' });
  });

  it('has no answer without rows', () => {
    expect(wilcoxonSignedRank(new Float64Array())).toEqual({ reason: 'no_rows' });
  });
});

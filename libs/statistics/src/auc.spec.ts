import { fc } from '#testing/property.js';
import { auc, compareAuc } from './auc.js';
import type { Comparison } from './comparison.js';
import { mannWhitney, type RankSumComparison } from './mann-whitney.js';
import { Sketch } from './sketch.js';

const scored = fc
  .array(fc.record({ positive: fc.boolean(), a: fc.integer({ min: 1, max: 12 }), b: fc.integer({ min: 1, max: 12 }) }), {
    minLength: 10,
    maxLength: 60,
  })
  .filter((rows) => rows.filter(({ positive }) => positive).length > 3 && rows.filter(({ positive }) => !positive).length > 3);

const columns = (
  rows: readonly { positive: boolean; a: number; b: number }[],
): { a: Float64Array; b: Float64Array; positive: Uint8Array } => ({
  a: Float64Array.from(rows, (row) => row.a),
  b: Float64Array.from(rows, (row) => row.b),
  positive: Uint8Array.from(rows, (row) => Number(row.positive)),
});

const fixture = (): { a: Float64Array; b: Float64Array; positive: Uint8Array } => {
  let state = 11;
  const uniform = (): number => (state = (state * 48271) % 2147483647) / 2147483647;
  return columns(
    Array.from({ length: 60 }, () => {
      const positive = uniform() < 0.4;
      const a = Math.round(((positive ? 0.8 : 0) + uniform() + uniform()) * 10) / 10;
      return { positive, a, b: (positive ? 0.3 : 0) + uniform() + uniform() };
    }),
  );
};

describe('auc', () => {
  // The example of scikit-learn's roc_auc_score.
  it('is that of scikit-learn', () => {
    expect(auc(Float64Array.of(0.1, 0.4, 0.35, 0.8), Uint8Array.of(0, 0, 1, 1))).toBe(0.75);
  });

  it('is the share of pairs in the right order, ties half', () => {
    fc.assert(
      fc.property(scored, (rows) => {
        const [ours, others] = [rows.filter(({ positive }) => positive), rows.filter(({ positive }) => !positive)];
        const wins = ours.flatMap(({ a }) => others.map((other) => (a > other.a ? 1 : a === other.a ? 0.5 : 0)));
        const { a, positive } = columns(rows);
        expect(auc(a, positive)).toBeCloseTo(wins.reduce<number>((sum, win) => sum + win, 0) / wins.length, 12);
      }),
    );
  });

  it('is the superiority of the Mann–Whitney test', () => {
    fc.assert(
      fc.property(scored, (rows) => {
        const [ours, others] = [new Sketch(), new Sketch()];
        for (const { positive, a } of rows) (positive ? ours : others).add(a);
        const { a, positive } = columns(rows);
        expect(auc(a, positive)).toBeCloseTo((mannWhitney(ours, others) as RankSumComparison).superiority, 12);
      }),
    );
  });

  it('is mirrored by the opposite order, and does not depend on the scale', () => {
    fc.assert(
      fc.property(scored, (rows) => {
        const { a, positive } = columns(rows);
        const area = auc(a, positive) as number;
        expect(
          auc(
            a.map((x) => -x),
            positive,
          ),
        ).toBeCloseTo(1 - area, 12);
        expect(auc(a.map(Math.exp), positive)).toBe(area);
      }),
    );
  });

  it('has no value for one class, no rows or what is not a number', () => {
    expect(auc(Float64Array.of(1, 2), Uint8Array.of(1, 1))).toEqual({ reason: 'one_class_only' });
    expect(auc(Float64Array.of(1, 2), Uint8Array.of(0, 0))).toEqual({ reason: 'one_class_only' });
    expect(auc(new Float64Array(), new Uint8Array())).toEqual({ reason: 'no_rows' });
    expect(auc(Float64Array.of(1, Number.NaN), Uint8Array.of(0, 1))).toEqual({ reason: 'not_a_number' });
    expect(() => auc(Float64Array.of(1), new Uint8Array())).toThrow(RangeError);
    expect(() => auc(Float64Array.of(1), Uint8Array.of(2))).toThrow(RangeError);
  });
});

describe('compareAuc', () => {
  // DeLong's formula by all pairs and covariance matrices in numpy.
  it('agrees with the formula written out', () => {
    const { a, b, positive } = fixture();
    const comparison = compareAuc(a, b, positive) as Comparison;
    expect(auc(a, positive)).toBeCloseTo(0.9554334554334555, 12);
    expect(auc(b, positive)).toBeCloseTo(0.7643467643467643, 12);
    expect(comparison.statistic).toBeCloseTo(2.831056951985491, 10);
    expect(comparison.p).toBeCloseTo(0.0046394459255020915, 12);
    expect(comparison.interval.lower).toBeCloseTo(0.058795805100740506, 12);
    expect(comparison.interval.upper).toBeCloseTo(0.32337757707264186, 12);
  });

  it('gives the mirrored answer when candidate and baseline change places', () => {
    fc.assert(
      fc.property(scored, (rows) => {
        const { a, b, positive } = columns(rows);
        const one = compareAuc(a, b, positive) as Comparison;
        const other = compareAuc(b, a, positive) as Comparison;
        expect(other.p).toBeCloseTo(one.p, 12);
        expect(other.effect).toBeCloseTo(-one.effect, 12);
        expect(other.interval.upper).toBeCloseTo(-one.interval.lower, 12);
      }),
    );
  });

  it('sees no difference between two models that rank alike, and a large one where every ranking is turned round', () => {
    const { a, positive } = fixture();
    expect(compareAuc(a, a.map(Math.exp), positive)).toMatchObject({ p: 1, statistic: 0, effect: 0 });
    const right = Float64Array.from(positive, (flag) => flag);
    const wrong = Float64Array.from(positive, (flag) => 1 - flag);
    const { effect, p } = compareAuc(wrong, right, positive) as Comparison;
    expect(effect).toBe(-1);
    expect(p).toBeLessThan(1e-9);
  });

  it('has no answer for fewer than two rows of a class', () => {
    const scores = Float64Array.of(1, 2, 3);
    expect(compareAuc(scores, scores, Uint8Array.of(1, 0, 0))).toEqual({ reason: 'too_few_rows' });
    expect(compareAuc(scores, scores, Uint8Array.of(0, 0, 0))).toEqual({ reason: 'one_class_only' });
    expect(compareAuc(scores, Float64Array.of(1, 2, Infinity), Uint8Array.of(1, 0, 0))).toEqual({ reason: 'not_a_number' });
  });
});

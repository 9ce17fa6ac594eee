import { fc } from '#testing/property.js';
import { holm } from './holm.js';

const family = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 30 });

describe('holm', () => {
  it.each([
    // The example of Wikipedia's "Holm–Bonferroni method".
    [
      [0.01, 0.04, 0.03, 0.005],
      [0.03, 0.06, 0.06, 0.02],
    ],
    // R's p.adjust(c(0.01, 0.02, 0.03, 0.04, 0.05), "holm").
    [
      [0.01, 0.02, 0.03, 0.04, 0.05],
      [0.05, 0.08, 0.09, 0.09, 0.09],
    ],
    [[0.7], [0.7]],
    [
      [0.9, 0.8],
      [1, 1],
    ],
    [[], []],
  ])('adjusts %j to %j', (given, adjusted) => {
    holm(given).forEach((p, i) => expect(p).toBeCloseTo(adjusted[i]!, 12));
    expect(holm(given)).toHaveLength(adjusted.length);
  });

  it('rejects what the step-down procedure rejects', () => {
    fc.assert(
      fc.property(family, fc.double({ min: 0.001, max: 0.2, noNaN: true }), (given, alpha) => {
        const order = [...given.keys()].sort((a, b) => given[a]! - given[b]!);
        const firstKept = order.findIndex((index, rank) => (given.length - rank) * given[index]! > alpha);
        const rejected = new Set(firstKept === -1 ? order : order.slice(0, firstKept));
        expect(holm(given).map((p) => p <= alpha)).toEqual(given.map((_, i) => rejected.has(i)));
      }),
    );
  });

  it('keeps the order, never lowers a p value, and grows with any of them', () => {
    fc.assert(
      fc.property(family, fc.nat(), fc.double({ min: 0, max: 1, noNaN: true }), (given, which, more) => {
        const adjusted = holm(given);
        given.forEach((p, i) => {
          expect(adjusted[i]).toBeGreaterThanOrEqual(p);
          expect(adjusted[i]).toBeLessThanOrEqual(Math.min(1, p * given.length));
          given.forEach((other, j) => expect(p < other ? adjusted[i]! <= adjusted[j]! : true).toBe(true));
        });
        const raised = given.map((p, i) => (i === which % given.length ? Math.max(p, more) : p));
        holm(raised).forEach((p, i) => expect(p).toBeGreaterThanOrEqual(adjusted[i]!));
      }),
    );
  });

  it.each([-0.1, 1.1, Number.NaN])('refuses a p value of %d', (p) => {
    expect(() => holm([0.5, p])).toThrow(RangeError);
  });
});

import { fc } from '#testing/property.js';
import { type Evidence, expectedSuccess, faded, noEvidence, withinObjective, withInferences } from './posterior.js';
import { banditWeights, settledWeights } from './weights.js';

const seen = (good: number, bad: number): Evidence => ({ good, bad, at_ms: 0 });
const arms = (of: Record<string, [number, number]>): Map<string, Evidence> =>
  new Map(Object.entries(of).map(([id, [good, bad]]) => [id, seen(good, bad)]));

describe('evidence', () => {
  it('fades by 0.97 a minute, however often it is looked at', () => {
    expect(faded(seen(100, 10), 60_000)).toEqual({ good: 97, bad: 9.7, at_ms: 60_000 });
    let often = seen(100, 10);
    for (let second = 1; second <= 60; second++) often = withInferences(often, 0, 0, second * 1_000);
    expect(often.good).toBeCloseTo(97, 9);
    expect(expectedSuccess(noEvidence(0))).toBe(0.5);
  });

  it('does not grow when a clock goes back', () => {
    expect(faded({ good: 5, bad: 1, at_ms: 1_000 }, 0)).toEqual({ good: 5, bad: 1, at_ms: 0 });
  });

  it.each([
    ['all good', 10, 0, 0, 10],
    ['slow ones', 10, 0, 4, 6],
    ['failed ones', 10, 3, 0, 7],
    ['timeouts', 10, 3, 3, 7],
    ['more slow than failed ones', 10, 3, 5, 5],
    ['all failed', 10, 10, 0, 0],
  ])('counts %s', (_, total, failures, slow, good) => {
    expect(withinObjective(total, failures, slow)).toBe(good);
  });
});

describe('bandit weights', () => {
  it('are P(best) on top of 1 % each', () => {
    // P(best) of (95, 7), (90, 12), (48, 4) is .525594, .043494, .430912.
    const weights = banditWeights(arms({ a: [94, 6], b: [89, 11], c: [47, 3] }));
    for (const [id, best] of Object.entries({ a: 0.525594, b: 0.043494, c: 0.430912 }))
      expect(weights[id]).toBeCloseTo(0.01 + 0.97 * best, 5);
    expect(banditWeights(arms({ a: [5, 0] }))).toEqual({ a: 1 });
    expect(banditWeights(new Map())).toEqual({});
  });

  it('add up to 1 and leave nobody without a share', () => {
    const counts = fc.tuple(fc.nat(10_000), fc.nat(10_000)).map(([good, bad]) => seen(good, bad));
    fc.assert(
      fc.property(fc.array(counts, { minLength: 1, maxLength: 6 }), (evidence) => {
        const weights = Object.values(banditWeights(new Map(evidence.map((one, index) => [`m${index}`, one]))));
        expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 9);
        for (const weight of weights) expect(weight).toBeGreaterThanOrEqual(0.01 - 1e-12);
      }),
      { numRuns: 30 },
    );
  });

  it('stay where moving users would make no difference', () => {
    const even = { a: 0.5, b: 0.5 };
    expect(settledWeights(even, arms({ a: [900, 100], b: [903, 97] }))).toBe(even);
    expect(settledWeights(even, arms({ a: [900, 100], b: [700, 300] })).a).toBeGreaterThan(0.98);
  });

  it('are made anew where there are none, or of other arms', () => {
    const two = arms({ a: [90, 10], b: [90, 10] });
    expect(Object.keys(settledWeights(null, two))).toEqual(['a', 'b']);
    expect(Object.keys(settledWeights({ a: 1 }, two))).toEqual(['a', 'b']);
    expect(Object.keys(settledWeights({ a: 0.5, c: 0.5 }, two))).toEqual(['a', 'b']);
  });
});

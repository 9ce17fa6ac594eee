import { fc } from '#testing/property.js';
import { type Comparison } from './comparison.js';
import { compareQuantiles } from './quantile-ratio.js';
import { Sketch } from './sketch.js';

const sketchOf = (values: readonly number[]): Sketch => {
  const sketch = new Sketch();
  for (const value of values) sketch.add(value);
  return sketch;
};
const compared = (candidate: readonly number[], baseline: readonly number[], q = 0.95): Comparison =>
  compareQuantiles(sketchOf(candidate), sketchOf(baseline), q) as Comparison;

/** So many values of 10 and of 100 ms. */
const mixed = (fast: number, slow: number): number[] => [...Array<number>(fast).fill(10), ...Array<number>(slow).fill(100)];

describe('comparing quantiles', () => {
  // scipy 1.17.1: fisher_exact([[above, not above], [above, not above]]) for what each side has above the quantile of all.
  it('has the p value of the counts above the quantile of all', () => {
    const { p, test, statistic, n } = compared([...mixed(180, 10), ...Array<number>(10).fill(200)], mixed(190, 10));
    expect([test, n]).toEqual(['fisher_exact', 200]);
    expect(p).toBeCloseTo(0.0017405177544899558, 12);
    expect(statistic).toBeGreaterThan(0);
  });

  it('sees tails that are longer around the same median, and says by how much', () => {
    const steps = Array.from({ length: 400 }, (_, i) => 0.5 + i / 400);
    const spread = (power: number): number[] => steps.map((step) => 50 * step ** power);
    const { p, effect, interval } = compared(spread(3), spread(1));
    expect(p).toBeLessThan(1e-10);
    expect(effect).toBeGreaterThan(1.9);
    expect(effect).toBeLessThan(2.3);
    expect([interval.lower > 1.6, interval.upper < 2.6]).toEqual([true, true]);
  });

  it('sees a side that is slower as a whole, also where all of it lies in a few bins', () => {
    const { p, effect } = compared(Array<number>(100).fill(300), mixed(100, 0));
    expect(p).toBeLessThan(1e-20);
    expect(effect).toBeCloseTo(30, 0);
  });

  it('needs values on both sides of the quantile’s bounds', () => {
    const none = sketchOf([]);
    expect(compareQuantiles(none, sketchOf([1]), 0.95)).toEqual({ reason: 'no_rows' });
    for (const [q, fewest] of [
      [0.95, 73],
      [0.99, 381],
    ] as const) {
      const of = (n: number): Sketch => sketchOf(Array.from({ length: n }, (_, i) => i + 1));
      expect(compareQuantiles(of(fewest - 1), of(1_000), q)).toEqual({ reason: 'too_few_rows' });
      expect(compareQuantiles(of(fewest), of(1_000), q)).toHaveProperty('p');
    }
  });

  const latencies = fc.array(fc.double({ min: 0.01, max: 1_000, noNaN: true }), { minLength: 80, maxLength: 150 });

  it('turns round when the sides do, and encloses its effect', () => {
    fc.assert(
      fc.property(latencies, latencies, (ours, theirs) => {
        const [there, back] = [compared(ours, theirs), compared(theirs, ours)];
        expect(back.p).toBeCloseTo(there.p, 9);
        expect(back.statistic).toBeCloseTo(-there.statistic, 9);
        expect(back.effect * there.effect).toBeCloseTo(1, 9);
        expect(back.interval.upper * there.interval.lower).toBeCloseTo(1, 6);
        expect(there.interval.lower <= there.effect && there.effect <= there.interval.upper).toBe(true);
        expect(there.p).toBeGreaterThan(0);
        expect(there.p).toBeLessThanOrEqual(1 + 1e-12);
      }),
    );
  });
});

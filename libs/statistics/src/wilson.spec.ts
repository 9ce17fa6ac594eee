import { fc } from '#testing/property.js';
import { wilsonInterval, z95 } from './wilson.js';

const share = fc.integer({ min: 1, max: 1_000_000 }).chain((n) => fc.tuple(fc.integer({ min: 0, max: n }), fc.constant(n)));

describe('wilsonInterval', () => {
  // Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998), table I, method 3.
  it.each([
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0.0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ])('agrees with Newcombe for %d of %d', (successes, n, lower, upper) => {
    const interval = wilsonInterval(successes, n, z95);
    expect(Math.abs(interval.lower - lower)).toBeLessThan(0.00005);
    expect(Math.abs(interval.upper - upper)).toBeLessThan(0.00005);
  });

  it('agrees with another computation for a large sample', () => {
    const { lower, upper } = wilsonInterval(44_156, 45_892, z95);
    expect(lower).toBeCloseTo(0.9603875, 7);
    expect(upper).toBeCloseTo(0.9638792, 7);
  });

  it('has the ends whose distance from the share is z standard errors', () => {
    fc.assert(
      fc.property(share, fc.double({ min: 0.1, max: 5, noNaN: true }), ([successes, n], z) => {
        const p = successes / n;
        for (const end of Object.values(wilsonInterval(successes, n, z)) as number[]) {
          // (p̂ − end)² = z²·end(1 − end)/n is the equation that the interval solves.
          expect(Math.abs((p - end) ** 2 - (z * z * end * (1 - end)) / n)).toBeLessThan(1e-9);
        }
      }),
    );
  });

  it('lies within 0..1, holds the share, and mirrors when successes and failures change places', () => {
    fc.assert(
      fc.property(share, ([successes, n]) => {
        const { lower, upper } = wilsonInterval(successes, n, z95);
        const mirrored = wilsonInterval(n - successes, n, z95);
        expect(lower).toBeGreaterThanOrEqual(0);
        expect(upper).toBeLessThanOrEqual(1);
        expect(lower).toBeLessThanOrEqual(successes / n);
        expect(upper).toBeGreaterThanOrEqual(successes / n);
        expect(mirrored.lower).toBeCloseTo(1 - upper, 12);
        expect(mirrored.upper).toBeCloseTo(1 - lower, 12);
      }),
    );
  });

  it('touches 0 and 1 exactly when nothing or everything succeeded', () => {
    expect(wilsonInterval(0, 7, z95).lower).toBe(0);
    expect(wilsonInterval(7, 7, z95).upper).toBe(1);
  });

  it('says nothing when there is nothing', () => {
    expect(wilsonInterval(0, 0, z95)).toEqual({ lower: 0, upper: 1 });
  });

  it.each([
    [-1, 5, z95],
    [6, 5, z95],
    [0.5, 5, z95],
    [0, -1, z95],
    [0, 1.5, z95],
    [0, Number.NaN, z95],
    [1, 5, -1],
    [1, 5, Number.NaN],
    [1, 5, Infinity],
  ])('refuses %d of %d at z = %d', (successes, n, z) => {
    expect(() => wilsonInterval(successes, n, z)).toThrow(RangeError);
  });
});

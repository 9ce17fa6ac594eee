import { designEffect, type Dispersion, dispersionWith, noDispersion } from './design-effect.js';

const after = (ticks: [number, number][]): Dispersion =>
  ticks.reduce((sums, [n, events]) => dispersionWith(sums, { n, events }), noDispersion);

describe('the design effect', () => {
  it("is Pearson's chi-square over its degrees of freedom", () => {
    // Ticks of 100 with 2 or 8 events: each is (3²)/(100 · 0.05 · 0.95) off, so χ² is 12 · 9/4.75 with 11 degrees of freedom.
    const ticks = Array.from({ length: 12 }, (_, index): [number, number] => [100, index % 2 ? 8 : 2]);
    expect(designEffect([after(ticks)])).toBeCloseTo((12 * 9) / 4.75 / 11, 9);
  });

  it('takes the arms together, each with its own rate', () => {
    const low = Array.from({ length: 12 }, (): [number, number] => [100, 2]);
    const high = Array.from({ length: 12 }, (): [number, number] => [10, 5]);
    expect(designEffect([after(low), after(high)])).toBe(1);
  });

  it('is a guess until there are ten degrees of freedom', () => {
    expect(designEffect([])).toBe(1.5);
    expect(designEffect([after(Array.from({ length: 10 }, () => [10, 1]))])).toBe(1.5);
    expect(designEffect([after(Array.from({ length: 11 }, () => [10, 1]))])).toBe(1);
  });

  it('is 1 where nothing or everything is an event, and passes over ticks without requests', () => {
    expect(designEffect([after(Array.from({ length: 20 }, () => [10, 0]))])).toBe(1);
    expect(designEffect([after(Array.from({ length: 20 }, () => [10, 10]))])).toBe(1);
    expect(dispersionWith(noDispersion, { n: 0, events: 0 })).toEqual(noDispersion);
  });
});

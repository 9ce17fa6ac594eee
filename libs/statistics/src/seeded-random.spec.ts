import { seededRandom } from './seeded-random.js';

describe('seededRandom', () => {
  // The generator in Python's whole numbers, after the same 15 steps.
  it.each([
    [1, [3685413526, 628251110, 212572038, 1878899064]],
    [2 ** 31 + 5, [2954205747, 332482011, 3749572470, 2556241795]],
  ])('gives the numbers of sfc32 for the seed %d', (seed, numbers) => {
    const next = seededRandom(seed);
    expect([next(), next(), next(), next()]).toEqual(numbers);
  });

  it('fills 256 parts evenly, by its upper and its lower bits, also across neighbouring seeds', () => {
    const n = 256 * 400;
    const sources = [seededRandom(7), seededRandom(8)];
    const next = seededRandom(9);
    for (const part of [
      () => next() >>> 24,
      () => next() & 255,
      (i: number) => ((sources[i % 2]!() >>> 28) << 4) | (seededRandom(i)() >>> 28),
    ]) {
      const counts = new Array<number>(256).fill(0);
      for (let i = 0; i < n; i++) counts[part(i)]! += 1;
      const chiSquare = counts.reduce((sum, count) => sum + (count - 400) ** 2 / 400, 0);
      // 255 degrees of freedom: outside in about one of 10,000 cases on either side.
      expect(chiSquare).toBeGreaterThan(176);
      expect(chiSquare).toBeLessThan(346);
    }
  });
});

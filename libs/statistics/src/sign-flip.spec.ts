import { fc } from '#testing/property.js';
import { type Unmeasurable } from './comparison.js';
import { seededRandom } from './seeded-random.js';
import { type SignFlip, signFlip } from './sign-flip.js';

const measured = (test: SignFlip | Unmeasurable): SignFlip => {
  if ('reason' in test) throw new Error(test.reason);
  return test;
};
const p = (differences: ArrayLike<number>): number => measured(signFlip(Float64Array.from(differences), 1)).p;
const sines = (mean: number): number[] => Array.from({ length: 200 }, (_, i) => Math.sin(i + 1) + mean);

// scipy 1.17.1: permutation_test((d,), np.sum, permutation_type='samples', vectorized=True, n_resamples=np.inf).
describe('the sign-flip test', () => {
  it.each([
    [[1.5, -0.3, 2.1, 0.7, -1.2, 3.3, 0.4, -0.8, 1.9, 0.6], 0.1015625],
    [[12.25, 0.5, -0.25, 0.04, -3.1, 0.9, 7.7, -1.1, 0.3, 2.6, -0.6, 5.5], 0.14306640625],
    [[0.1, 0.2, 0.3, 0.4], 0.125],
    [[5], 1],
  ])('of %j has the p value %d', (differences, expected) => {
    expect(p(differences)).toBe(expected);
  });

  it.each([
    [0.12, 0.018006],
    [0.2, 0.000098],
  ])('of 200 differences agrees with a million of scipy’s patterns: mean %d', (mean, expected) => {
    const { statistic, p: found } = measured(signFlip(Float64Array.from(sines(mean)), 7));
    if (expected > 0.01) expect(Math.abs(found - expected)).toBeLessThan(4 * Math.sqrt((expected * (1 - expected)) / 9_999));
    else expect([found >= expected, found <= 11 / 10_000]).toEqual([true, true]);
    const sum = sines(mean).reduce((total, value) => total + value, 0);
    expect(statistic).toBeCloseTo(sum / Math.sqrt(sines(mean).reduce((total, value) => total + value * value, 0)), 10);
  });

  it('says nothing of nothing', () => {
    expect(signFlip(new Float64Array(), 1)).toEqual({ reason: 'no_rows' });
    expect(signFlip(Float64Array.of(1, NaN), 1)).toEqual({ reason: 'not_a_number' });
    expect(signFlip(Float64Array.of(1e200, 1e200), 1)).toEqual({ reason: 'not_a_number' });
    expect(signFlip(Float64Array.of(0, 0), 1)).toEqual({ test: 'sign_flip', statistic: 0, p: 1 });
  });

  const differences = fc.array(fc.double({ min: -1000, max: 1000, noNaN: true }), { minLength: 1, maxLength: 12 });

  it('is the same for both sides, for any unit, and for rows that do not differ; never 0', () => {
    fc.assert(
      fc.property(differences, (given) => {
        const found = p(given);
        expect(found).toBeGreaterThan(0);
        expect(found).toBeLessThanOrEqual(1);
        expect(p(given.map((difference) => -difference))).toBe(found);
        expect(p(given.map((difference) => 4 * difference))).toBe(found);
        expect(p([...given, 0, 0])).toBe(found);
      }),
    );
  });

  it('takes 100,000 rows in groups, and finds a shift in them', () => {
    const next = seededRandom(3);
    const noise = Float64Array.from({ length: 100_000 }, () => (next() + next() - 2 ** 32) / 2 ** 32);
    expect(p(noise)).toBeGreaterThan(0.05);
    expect(p(noise.map((difference) => difference + 0.02))).toBeLessThan(1e-10);
  });
});

import { fc } from '#testing/property.js';
import { type Beta, probabilitiesOfBest } from './probability-of-best.js';

const arm = fc.record({ alpha: fc.double({ min: 1, max: 1e5, noNaN: true }), beta: fc.double({ min: 1, max: 1e5, noNaN: true }) });

function expectEach(arms: Beta[], expected: number[], digits: number): void {
  const found = probabilitiesOfBest(arms);
  expect(found).toHaveLength(expected.length);
  for (const [index, probability] of expected.entries()) expect(found[index]).toBeCloseTo(probability, digits);
}

describe('the probability of being best', () => {
  // scipy 1.17.1: adaptive quadrature of beta.pdf and beta.cdf.
  it.each<[Beta[], number[]]>([
    [
      [
        { alpha: 45, beta: 3 },
        { alpha: 40, beta: 8 },
      ],
      [0.9547462, 0.0452538],
    ],
    [
      [
        { alpha: 44_157, beta: 1_737 },
        { alpha: 1_931, beta: 71 },
      ],
      [0.278312, 0.721688],
    ],
    [
      [
        { alpha: 95, beta: 7 },
        { alpha: 90, beta: 12 },
        { alpha: 48, beta: 4 },
      ],
      [0.525594, 0.043494, 0.430912],
    ],
  ])('agrees with another computation (%#)', (arms, expected) => {
    expectEach(arms, expected, 5);
  });

  it('is the exact rational number where both have few observations', () => {
    // P(X > Y) of Beta(2, 1) and Beta(1, 1) is ∫ 2x·x dx = 2/3; of Beta(3, 1) and Beta(1, 3) 1 − 1/20.
    expectEach(
      [
        { alpha: 2, beta: 1 },
        { alpha: 1, beta: 1 },
      ],
      [2 / 3, 1 / 3],
      7,
    );
    expectEach(
      [
        { alpha: 3, beta: 1 },
        { alpha: 1, beta: 3 },
      ],
      [19 / 20, 1 / 20],
      7,
    );
  });

  it('holds where one arm is known a million times better than another', () => {
    // Nothing is known of the second: it is above 0.99 in one of a hundred cases.
    const [known] = probabilitiesOfBest([
      { alpha: 99_000_000, beta: 1_000_000 },
      { alpha: 1, beta: 1 },
    ]);
    expect(known).toBeCloseTo(0.99, 6);
  });

  it('adds up to 1, follows the order of the arms, and is even among equal ones', () => {
    fc.assert(
      fc.property(fc.array(arm, { minLength: 1, maxLength: 5 }), (arms) => {
        const found = probabilitiesOfBest(arms);
        expect(found.reduce((sum, probability) => sum + probability, 0)).toBeCloseTo(1, 12);
        for (const [index, probability] of probabilitiesOfBest(arms.toReversed()).entries()) {
          expect(probability).toBeCloseTo(found[arms.length - 1 - index]!, 9);
        }
        for (const probability of probabilitiesOfBest(arms.map(() => arms[0]!))) expect(probability).toBeCloseTo(1 / arms.length, 7);
      }),
      { numRuns: 30 },
    );
  });

  it('has nothing to say of no arms, and is sure of a single one', () => {
    expect(probabilitiesOfBest([])).toEqual([]);
    expect(probabilitiesOfBest([{ alpha: 1, beta: 1 }])).toEqual([1]);
  });

  it.each([
    [0.5, 1],
    [1, 0],
    [Number.NaN, 1],
    [1, Infinity],
  ])('refuses Beta(%d, %d)', (alpha, beta) => {
    expect(() => probabilitiesOfBest([{ alpha, beta }])).toThrow(RangeError);
  });
});

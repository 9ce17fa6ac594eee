import { normalTwoSided } from './distributions.js';
import { sampleRatioLogE } from './sample-ratio.js';

describe('the sequential sample-ratio check', () => {
  it.each([
    [[1_000, 1_200], [0.5, 0.5], 5.476669],
    [[5_400, 44_600], [0.1, 0.9], 11.947868],
    [[5_000, 45_000], [0.1, 0.9], -5.390127],
  ])('agrees with another computation for %j in the shares %j', (units, shares, logE) => {
    expect(sampleRatioLogE(units, shares)).toBeCloseTo(logE, 5);
  });

  // p: scipy 1.17.1, and GrowthBook's tests. Pearson's test is for one look; this check holds at every look and so takes more evidence.
  it.each([
    [[1_000, 1_200], [0.5, 0.5], 2.00787e-5, 0.00418],
    [[135, 115], [0.5, 0.5], 0.205903211, 1],
    [[310, 98], [0.75, 0.25], 0.647434186, 1],
  ])('is slower to find %j in the shares %j than a single chi-square test, of p = %d', (units, shares, p, always) => {
    const total = units.reduce((sum, n) => sum + n, 0);
    const chiSquare = units.reduce((sum, n, arm) => sum + (n - total * shares[arm]!) ** 2 / (total * shares[arm]!), 0);
    expect(normalTwoSided(Math.sqrt(chiSquare)) / p).toBeCloseTo(1, 5);
    expect(Math.min(1, Math.exp(-sampleRatioLogE(units, shares)))).toBeCloseTo(always, 5);
  });

  it('is 1 on average where the shares hold', () => {
    const [n, share] = [12, 0.3];
    let mean = 0;
    let ways = 1;
    for (let k = 0; k <= n; k++) {
      mean += ways * share ** k * (1 - share) ** (n - k) * Math.exp(sampleRatioLogE([k, n - k], [share, 1 - share]));
      ways *= (n - k) / (k + 1);
    }
    expect(mean).toBeCloseTo(1, 10);
  });

  it('knows nothing before the first unit', () => {
    expect(sampleRatioLogE([0, 0], [0.1, 0.9])).toBeCloseTo(0, 12);
  });

  it.each([
    [[1], [0.5, 0.5]],
    [
      [-1, 1],
      [0.5, 0.5],
    ],
    [
      [1, 1],
      [0, 1],
    ],
    [
      [1, 1],
      [0.5, 0.6],
    ],
  ])('refuses %j in the shares %j', (units, shares) => {
    expect(() => sampleRatioLogE(units, shares)).toThrow(RangeError);
  });
});

import { fc } from '#testing/property.js';
import { mannWhitney, type RankSumComparison } from './mann-whitney.js';
import { gamma, Sketch } from './sketch.js';

const sketchOf = (values: readonly number[]): Sketch => {
  const sketch = new Sketch();
  for (const x of values) sketch.add(x);
  return sketch;
};

const compare = (candidate: readonly number[], baseline: readonly number[], confidence?: number): RankSumComparison =>
  mannWhitney(sketchOf(candidate), sketchOf(baseline), confidence) as RankSumComparison;

const latency = fc.double({ min: Math.log(0.01), max: Math.log(50_000), noNaN: true }).map(Math.exp);
const latencies = fc.array(fc.oneof({ weight: 9, arbitrary: latency }, { weight: 1, arbitrary: fc.constant(20) }), {
  minLength: 4,
  maxLength: 60,
});

describe('mannWhitney', () => {
  // scipy 1.17.1, in the same order from one generator: mannwhitneyu of the bins' numbers, and of the raw values with the median of all ratios
  // and R's inversion for the interval in numpy.
  it('agrees with the test of the bins, and with that of the raw values within the width of a bin', () => {
    let state = 7;
    const uniform = (): number => (state = (state * 48271) % 2147483647) / 2147483647;
    const logNormal = ([n, median, sigma]: readonly [number, number, number]): number[] =>
      Array.from({ length: n }, () => {
        const radius = sigma * Math.sqrt(-2 * Math.log(uniform()));
        return median * Math.exp(radius * Math.cos(2 * Math.PI * uniform()));
      });
    for (const { candidate, baseline, p, superiority, rawP, ratio, lower, upper } of [
      {
        candidate: [300, 110, 0.4],
        baseline: [900, 100, 0.4],
        p: 0.0076250441775676065,
        superiority: 0.5513666666666667,
        rawP: 0.007580808309882811,
        ratio: 1.0766781815620174,
        lower: 1.0197947938590577,
        upper: 1.137123624195563,
      },
      {
        candidate: [2000, 100, 0.6],
        baseline: [3000, 104, 0.5],
        p: 0.00421417023191526,
        superiority: 0.47615183333333333,
        rawP: 0.0041848172762288995,
        ratio: 0.9536150643102036,
        lower: 0.9234335393516154,
        upper: 0.985019328205302,
      },
      {
        candidate: [40, 300, 0.3],
        baseline: [60, 200, 0.3],
        p: 1.0131990707787953e-10,
        superiority: 0.8829166666666667,
        rawP: 8.544563564560541e-11,
        ratio: 1.602474421116424,
        lower: 1.43383571045465,
        upper: 1.7988397583132125,
      },
    ] as const) {
      const comparison = compare(logNormal(candidate), logNormal(baseline));
      expect(Math.abs(comparison.p / p - 1)).toBeLessThan(1e-9);
      expect(comparison.superiority).toBeCloseTo(superiority, 12);
      expect(Math.abs(comparison.p / rawP - 1)).toBeLessThan(0.2);
      expect(Math.abs(comparison.effect / ratio - 1)).toBeLessThan(0.005);
      expect(Math.abs(comparison.interval.lower / lower - 1)).toBeLessThan(0.01);
      expect(Math.abs(comparison.interval.upper / upper - 1)).toBeLessThan(0.01);
    }
  });

  // Issues spinnaker#6278, and kayenta#426 with its six values twice over: six against six zeros are too few for p ≤ 0.05 (0.07).
  it.each([
    [
      [100, 100, 100, 100, 100, 100, 100, 1, 1, 1],
      [1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
    ],
    [
      [0, 1, 2, 1, 0, 0, 0, 1, 2, 1, 0, 0],
      [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ],
  ])('finds what Kayenta let pass: %j is worse than %j', (candidate, baseline) => {
    const { p, statistic, superiority } = compare(candidate, baseline);
    expect(p).toBeLessThan(0.01);
    expect(statistic).toBeGreaterThan(0);
    expect(superiority).toBeGreaterThan(0.7);
  });

  it('is near the median of all ratios', () => {
    fc.assert(
      fc.property(latencies, latencies, (candidate, baseline) => {
        const logs = candidate.flatMap((a) => baseline.map((b) => Math.log(a / b))).sort((a, b) => a - b);
        const median = (logs[Math.ceil(logs.length / 2) - 1]! + logs[Math.floor(logs.length / 2)]!) / 2;
        const gap = logs[Math.floor(logs.length / 2)]! - logs[Math.ceil(logs.length / 2) - 1]!;
        const { effect } = compare(candidate, baseline);
        expect(Math.abs(Math.log(effect) - median)).toBeLessThanOrEqual(1.5 * Math.log(gamma) + gap / 2);
      }),
    );
  });

  it('gives the inverse answer when candidate and baseline change places', () => {
    fc.assert(
      fc.property(latencies, latencies, (a, b) => {
        const one = compare(a, b);
        const other = compare(b, a);
        expect(other.p).toBeCloseTo(one.p, 12);
        expect(other.statistic).toBeCloseTo(-one.statistic, 10);
        expect(other.effect * one.effect).toBeCloseTo(1, 9);
        expect(other.interval.lower * one.interval.upper).toBeCloseTo(1, 9);
        expect(other.superiority + one.superiority).toBeCloseTo(1, 12);
        expect(other.cliffs_delta).toBeCloseTo(-one.cliffs_delta, 12);
      }),
    );
  });

  it('encloses the ratio, the wider the more confident, and holds 1 exactly where the test does not reject', () => {
    fc.assert(
      fc.property(latencies, latencies, (a, b) => {
        const { effect, interval, p } = compare(a, b);
        const less = compare(a, b, 0.9).interval;
        expect(interval.lower).toBeLessThanOrEqual(effect);
        expect(interval.upper).toBeGreaterThanOrEqual(effect);
        expect(interval.lower).toBeLessThanOrEqual(less.lower);
        expect(interval.upper).toBeGreaterThanOrEqual(less.upper);
        if (Math.abs(p - 0.05) > 1e-6) expect(p > 0.05).toBe(interval.lower < 1 && interval.upper > 1);
      }),
    );
  });

  it('multiplies the ratio by γ when all values of the candidate move up a bin, and finds it rarer the farther they move', () => {
    fc.assert(
      fc.property(latencies, latencies, (a, b) => {
        // The middle of each bin, which stays clear of its ends.
        const middle = (x: number): number => gamma ** (Math.ceil(Math.log(x) / Math.log(gamma)) - 0.5);
        const one = compare(a.map(middle), b);
        const moved = compare(
          a.map((x) => middle(x) * gamma),
          b,
        );
        expect(moved.effect).toBeCloseTo(one.effect * gamma, 8);
        expect(moved.superiority).toBeGreaterThanOrEqual(one.superiority);
      }),
    );
  });

  it('says that nothing differs where all values are the same', () => {
    const same = Array.from({ length: 20 }, () => 7);
    expect(compare(same, same)).toMatchObject({ p: 1, statistic: 0, effect: 1, superiority: 0.5, cliffs_delta: 0 });
    expect(compare([0, 0, 0, 0, 0], [0, 0, 0, 0])).toMatchObject({ p: 1, effect: 1 });
  });

  it('takes a lifetime of latencies, the finest bins apart', () => {
    const [candidate, baseline] = [new Sketch(), new Sketch()];
    for (let log = Math.log(0.001); log < Math.log(1e7); log += 0.01) {
      candidate.add(Math.exp(log), 1_000_000_000);
      baseline.add(Math.exp(log), 999_999_999);
    }
    const comparison = mannWhitney(candidate, baseline) as RankSumComparison;
    expect(comparison.effect).toBeCloseTo(1, 6);
    expect(comparison.p).toBeGreaterThan(0.9);
  });

  it('has no answer where a side is empty or nothing could be significant', () => {
    expect(mannWhitney(new Sketch(), sketchOf([1]))).toEqual({ reason: 'no_rows' });
    expect(mannWhitney(sketchOf([1, 2, 3]), sketchOf([100, 200, 300]))).toEqual({ reason: 'too_few_rows' });
  });
});

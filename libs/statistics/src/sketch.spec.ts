import { DDSketch } from '@datadog/sketches-js';
import { fc } from '#testing/property.js';
import { binCount, binOf, gamma, maxValue, relativeAccuracy, Sketch, SketchFormatError, zeroBelow } from './sketch.js';

const percents = [0, 1, 5, 7, 25, 29, 50, 75, 90, 95, 99, 100];
const rounding = 1e-12;

/** Uniform in the logarithm, so that all bins are met, with zeros and both ends of the range among them. */
const value = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.double({ min: Math.log(zeroBelow), max: Math.log(maxValue), noNaN: true }).map((log) => clamp(Math.exp(log))),
  },
  { weight: 1, arbitrary: fc.constantFrom(0, zeroBelow, maxValue, 1, 0.0005) },
);
const values = fc.array(value, { minLength: 1, maxLength: 300 });

const clamp = (x: number): number => Math.min(Math.max(x, zeroBelow), maxValue);

const sketchOf = (all: readonly number[]): Sketch => {
  const sketch = new Sketch();
  for (const x of all) sketch.add(x);
  return sketch;
};

const merged = (...parts: Sketch[]): Sketch => {
  const sum = new Sketch();
  for (const part of parts) sum.merge(part);
  return sum;
};

/** As version 1 had it. Counts and distances are below 128² here. */
function inPairs(sketch: Sketch): Uint8Array {
  const lowest = binOf(zeroBelow);
  const varint = (n: number): number[] => (n < 128 ? [n] : [128 + (n % 128), Math.floor(n / 128)]);
  const bins = sketch.bins();
  const pairs = bins.flatMap(([bin, count], i) => [...varint(bin - (bins[i - 1]?.[0] ?? lowest)), ...varint(count)]);
  return Uint8Array.of(1, ...varint(sketch.count - bins.reduce((sum, [, count]) => sum + count, 0)), ...varint(bins.length), ...pairs);
}

/** ⌈percent·n/100⌉ in whole numbers, at least 1. */
const rankOf = (percent: number, n: number): number => Math.max(1, Math.floor((percent * n + 99) / 100));
const exact = (all: readonly number[], percent: number): number => [...all].sort((a, b) => a - b)[rankOf(percent, all.length) - 1]!;

function expectWithin(actual: number, expected: number): void {
  if (expected < zeroBelow) expect(actual).toBe(0);
  else expect(Math.abs(actual - expected) / expected).toBeLessThanOrEqual(relativeAccuracy + rounding);
}

describe('Sketch', () => {
  it('has 1,152 bins for the whole range', () => {
    expect(binCount).toBe(1152);
  });

  it('gives quantiles within 1 % of the exact nearest rank', () => {
    fc.assert(
      fc.property(values, (all) => {
        const sketch = sketchOf(all);
        expect(sketch.count).toBe(all.length);
        for (const percent of percents) expectWithin(sketch.quantile(percent / 100), exact(all, percent));
      }),
    );
  });

  it('counts what is above a value: never too many, and all that is more than 2 % above', () => {
    fc.assert(
      fc.property(values, value, (all, limit) => {
        const counted = sketchOf(all).countAbove(limit);
        expect(counted).toBeLessThanOrEqual(all.filter((x) => x >= zeroBelow && x > limit * (1 - rounding)).length);
        const far = Math.max(limit, zeroBelow) * ((1 + relativeAccuracy) / (1 - relativeAccuracy)) * (1 + rounding);
        expect(counted).toBeGreaterThanOrEqual(all.filter((x) => x > far).length);
      }),
    );
  });

  it('counts what is above a bin exactly, and knows the bin of a value', () => {
    fc.assert(
      fc.property(values, value, (all, limit) => {
        const bin = binOf(limit);
        expect(sketchOf(all).countAboveBin(bin)).toBe(all.filter((x) => binOf(x) > bin).length);
        if (limit < zeroBelow) return;
        expect(limit).toBeLessThanOrEqual(gamma ** bin * (1 + rounding));
        expect(limit).toBeGreaterThan(gamma ** (bin - 1) * (1 - rounding));
      }),
    );
    expect(sketchOf([0, 0, 5]).countAboveBin(binOf(0))).toBe(1);
  });

  it('gives quantiles within 1 % for a long stream of log-normal latencies', () => {
    let seed = 42;
    const uniform = (): number => (seed = (seed * 48271) % 2147483647) / 2147483647;
    const all = Array.from(
      { length: 100_000 },
      () => 1156 * Math.exp(0.6 * Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform())),
    );
    const sketch = sketchOf(all);
    for (const percent of percents) expectWithin(sketch.quantile(percent / 100), exact(all, percent));
  });

  it('takes the nearest rank where the product of q and n is not exact in binary', () => {
    const all = Array.from({ length: 100 }, (_, i) => 1.1 ** i);
    const sketch = sketchOf(all);
    // 0.07 × 100 is 7.000000000000001.
    for (let percent = 1; percent <= 100; percent++) expectWithin(sketch.quantile(percent / 100), all[percent - 1]!);
  });

  it('fills the same bins as the DDSketch of its authors, and gives the same quantiles', () => {
    fc.assert(
      fc.property(values, (all) => {
        const oracle = new DDSketch({ relativeAccuracy });
        // The oracle's zero bucket begins at the smallest double instead of 0.001.
        for (const x of all) oracle.accept(x < zeroBelow ? 0 : x);
        const sketch = sketchOf(all);
        const bins = [...oracle.store.bins].flatMap((count, i) => (count > 0 ? [[i + oracle.store.offset, count]] : []));
        expect(sketch.bins()).toEqual(bins);
        for (const percent of percents) {
          // The oracle takes the value at index ⌊q(n − 1)⌋: aim half a step past our rank's index.
          const index = Math.min(rankOf(percent, all.length) - 0.5, all.length - 1);
          const theirs = oracle.getValueAtQuantile(all.length === 1 ? 0 : index / (all.length - 1));
          expect(Math.abs(sketch.quantile(percent / 100) - theirs)).toBeLessThanOrEqual(theirs * 1e-9);
        }
      }),
    );
  });

  it('merges to the sketch of all values, in any order and grouping', () => {
    fc.assert(
      fc.property(values, values, values, (a, b, c) => {
        const whole = sketchOf([...a, ...b, ...c]).serialise();
        const [x, y, z] = [sketchOf(a), sketchOf(b), sketchOf(c)];
        expect(merged(merged(x, y), z).serialise()).toEqual(whole);
        expect(merged(x, merged(y, z)).serialise()).toEqual(whole);
        expect(merged(z, x, y).serialise()).toEqual(whole);
        expect(x.serialise()).toEqual(sketchOf(a).serialise());
      }),
    );
  });

  it('merges with an empty sketch to itself, and with itself to twice the counts', () => {
    const sketch = sketchOf([0, 3, 5, 5]);
    expect(merged(sketch, new Sketch()).serialise()).toEqual(sketch.serialise());
    const twice = sketchOf([0, 3, 5, 5]);
    twice.merge(twice);
    expect(twice.serialise()).toEqual(sketchOf([0, 3, 5, 5, 0, 3, 5, 5]).serialise());
  });

  it('adds to bytes as if they had been read, merged and written', () => {
    fc.assert(
      fc.property(values, values, (a, b) => {
        expect(sketchOf(a).addedTo(sketchOf(b).serialise())).toEqual(sketchOf([...a, ...b]).serialise());
      }),
    );
    const full = new Sketch();
    full.add(1, Number.MAX_SAFE_INTEGER);
    expect(() => sketchOf([1]).addedTo(full.serialise())).toThrow(RangeError);
    expect(() => sketchOf([1]).addedTo(Uint8Array.of(2, 0, 0, 0))).toThrow(SketchFormatError);
  });

  it('writes a bin next to another as its count alone, and others with how many were left out between', () => {
    const sketch = new Sketch();
    for (const [bin, count] of [
      [0, 63],
      [1, 64],
      [2, 8191],
      [3, 8192],
      [5, 1],
      [205, 2],
    ] as const)
      sketch.add(gamma ** (bin - 0.5), count);
    expect([...sketch.serialise().subarray(0, 3)]).toEqual([2, 0, 6]);
    // From the lowest bin to bin 0 there are 345, of which one is in the flag.
    expect([...sketch.serialise().subarray(3)]).toEqual([64 + 63, 216, 2, 128, 1, 128 + 63, 127, 128, 128, 1, 64 + 1, 0, 64 + 2, 198, 1]);
  });

  it('reads the pairs of distance and count that were written before', () => {
    fc.assert(
      fc.property(values, values, (a, b) => {
        const sketch = sketchOf(a);
        expect(Sketch.parse(inPairs(sketch)).serialise()).toEqual(sketch.serialise());
        expect(sketchOf(b).addedTo(inPairs(sketch))).toEqual(sketchOf([...a, ...b]).serialise());
      }),
    );
  });

  it('reads back what it wrote', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(value, fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 2 ** 44 }))), { maxLength: 200 }),
        (entries) => {
          const sketch = new Sketch();
          for (const [x, count] of entries) sketch.add(x, count);
          const parsed = Sketch.parse(sketch.serialise());
          expect(parsed.count).toBe(sketch.count);
          expect(parsed.bins()).toEqual(sketch.bins());
          expect(parsed.serialise()).toEqual(sketch.serialise());
          for (const percent of percents) expect(parsed.quantile(percent / 100)).toBe(sketch.quantile(percent / 100));
        },
      ),
    );
  });

  it('needs less than 350 bytes for ten thousand ordinary latencies', () => {
    const sketch = sketchOf(Array.from({ length: 10_000 }, (_, i) => 1156 * Math.exp(0.6 * Math.sin(i) * 3)));
    expect(sketch.serialise().length).toBeLessThan(350);
  });

  it('clamps to the exact extremes that the caller knows', () => {
    const sketch = sketchOf([100.5, 100.5]);
    expect(sketch.quantile(0.5)).not.toBe(100.5);
    expect(sketch.quantile(0.5, 100.5, 100.5)).toBe(100.5);
    expect(sketchOf([0.0004]).quantile(0.5, 0.0004, 0.0004)).toBe(0.0004);
  });

  it('is 0 throughout while empty', () => {
    expect(new Sketch().quantile(0.99)).toBe(0);
    expect(new Sketch().quantile(0.5, 5, 9)).toBe(0);
    expect(Sketch.parse(new Sketch().serialise()).count).toBe(0);
  });

  it('counts beyond 2^32, and exactly up to 2^53 − 1', () => {
    const sketch = new Sketch();
    sketch.add(1, Number.MAX_SAFE_INTEGER - 1);
    sketch.add(1);
    expect(sketch.count).toBe(Number.MAX_SAFE_INTEGER);
    expect(Sketch.parse(sketch.serialise()).count).toBe(Number.MAX_SAFE_INTEGER);
    expect(() => sketch.add(1)).toThrow(RangeError);
    expect(() => sketch.merge(sketchOf([1]))).toThrow(RangeError);
    expect(sketch.count).toBe(Number.MAX_SAFE_INTEGER);
    expect(sketch.bins()).toEqual([[0, Number.MAX_SAFE_INTEGER]]);
  });

  it.each([-1, -1e-9, maxValue * 1.0001, Infinity, -Infinity, Number.NaN])('does not take the value %d', (x) => {
    const sketch = new Sketch();
    expect(() => sketch.add(x)).toThrow(RangeError);
    expect(sketch.count).toBe(0);
  });

  it.each([0, -1, 0.5, Number.NaN, Infinity])('does not count a value %d times', (count) => {
    expect(() => new Sketch().add(1, count)).toThrow(RangeError);
  });

  it.each([-0.01, 1.01, Number.NaN])('has no quantile %d', (q) => {
    expect(() => sketchOf([1]).quantile(q)).toThrow(RangeError);
  });
});

describe('Sketch.parse', () => {
  const tooLong = [255, 255, 255, 255, 255, 255, 255, 255, 1];

  it.each([
    ['no bytes', []],
    ['another version', [3, 0, 0]],
    ['an empty bin of version 2', [2, 0, 1, 0]],
    ['an empty bin beyond others', [2, 0, 1, 64, 5]],
    ['a count without its rest', [2, 0, 1, 128]],
    ['a count longer than it has to be', [2, 0, 1, 129, 0]],
    ['a distance that is missing', [2, 0, 1, 65]],
    ['a distance beyond the range', [2, 0, 1, 65, 128, 9]],
    ['a count beyond 2^53', [2, 0, 1, 129, 255, 255, 255, 255, 255, 255, 255, 15]],
    ['a version alone', [1]],
    ['a missing bin', [1, 0, 1]],
    ['a bin without its count', [1, 0, 1, 5]],
    ['a number cut off', [1, 0, 1, 5, 128]],
    ['an empty bin', [1, 0, 1, 5, 0]],
    ['the same bin twice', [1, 0, 2, 5, 1, 0, 1]],
    ['a bin beyond the range', [1, 0, 1, 128, 9, 1]],
    ['more bins than there are', [1, 0, 129, 9]],
    ['bytes after the end', [1, 0, 0, 0]],
    ['a padded number', [1, 128, 0, 0]],
    ['a number beyond 2^53', [1, 255, 255, 255, 255, 255, 255, 255, 31, 0]],
    ['an endless number', [1, ...tooLong, 0]],
    ['a total beyond 2^53', [1, 1, 1, 5, 255, 255, 255, 255, 255, 255, 255, 15]],
    ['JSON', [...Buffer.from('{"count":5}')]],
    ['a protobuf DDSketch', [10, 9, 9, 0, 0, 0]],
  ])('refuses %s', (_, bytes) => {
    expect(() => Sketch.parse(Uint8Array.from(bytes))).toThrow(SketchFormatError);
  });

  it('reads any bytes to a sketch that is written as the same bytes, or refuses them', () => {
    let read = 0;
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (tail) => {
        const bytes = Uint8Array.of(2, ...tail.map((byte, i) => (i < 2 ? byte % 4 : byte)));
        try {
          expect(Sketch.parse(bytes).serialise()).toEqual(bytes);
          expect(new Sketch().addedTo(bytes)).toEqual(bytes);
          read += 1;
        } catch (error) {
          expect(error).toBeInstanceOf(SketchFormatError);
        }
      }),
      { numRuns: 2000 },
    );
    expect(read).toBeGreaterThan(0);
  });

  it('gives back what was added since an earlier one, and refuses one that it has not grown out of', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1e7, noNaN: true })),
        fc.array(fc.double({ min: 0, max: 1e7, noNaN: true })),
        (a, b) => {
          const both = sketchOf([...a, ...b]);
          expect(both.minus(sketchOf(a)).serialise()).toEqual(sketchOf(b).serialise());
        },
      ),
    );
    expect(() => sketchOf([1]).minus(sketchOf([2]))).toThrow(RangeError);
    expect(() => sketchOf([1]).minus(sketchOf([1, 1]))).toThrow(RangeError);
    expect(() => sketchOf([1]).minus(sketchOf([0]))).toThrow(RangeError);
  });

  it('refuses a sketch that was cut off anywhere', () => {
    const bytes = sketchOf([0, 0.5, 3, 700, 1e6]).serialise();
    for (let length = 0; length < bytes.length; length++) {
      expect(() => Sketch.parse(bytes.subarray(0, length))).toThrow(SketchFormatError);
    }
  });

  it('reads a Buffer that is a view of a larger one', () => {
    const bytes = sketchOf([1, 2, 3]).serialise();
    const buffer = Buffer.concat([Buffer.from('before'), bytes, Buffer.from('after')]).subarray(6, 6 + bytes.length);
    expect(Sketch.parse(buffer).count).toBe(3);
  });
});

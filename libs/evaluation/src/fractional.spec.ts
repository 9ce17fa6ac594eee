import { type Split, type SplitAlgorithm } from '#contracts/split.js';
import { fc } from '#testing/property.js';
import { compileSplit } from './compiled-split.js';
import { bucketOf, maxFlagdWeight } from './fractional.js';
import { murmur3 } from './murmur3.js';

const ids = [
  ...Array.from({ length: 40_000 }, (_, at) => `user-${at}`),
  ...Array.from({ length: 30_000 }, (_, at) => `${(at * 2_654_435_761) % 4_294_967_296}`.padStart(12, '0')),
  ...Array.from({ length: 30_000 }, (_, at) => `naïve-ü-木-${at}`),
];

const split = (algorithm: SplitAlgorithm, weights: Record<string, number>, salt = 'mlb_model_v2'): Split => ({ algorithm, salt, weights });

/** The share of the ids that two splits treat differently. */
function churn(before: Split, after: Split): number {
  const [one, other] = [compileSplit(before), compileSplit(after)];
  return ids.filter((id) => one(id) !== other(id)).length / ids.length;
}

const fiveDeviations = (share: number): number => 5 * Math.sqrt((share * (1 - share)) / ids.length);

describe('a bucket', () => {
  it('is exact for every hash and total', () => {
    fc.assert(
      fc.property(fc.nat(0xffffffff), fc.integer({ min: 1, max: maxFlagdWeight }), (hash, total) => {
        expect(BigInt(bucketOf(hash, total))).toBe((BigInt(hash) * BigInt(total)) >> 32n);
      }),
    );
  });

  // Their hashes lie at 0, 1, 2^31 - 1, 2^31 and 2^32 - 1.
  it.each([
    ['ejOoVL', 0],
    ['bY9fO-', 0],
    ['SI7p-', 49],
    ['6LvT0', 50],
    ['ceQdGm', 99],
  ])('of the key %s is %i of 100', (key, bucket) => {
    expect(bucketOf(murmur3(key), 100)).toBe(bucket);
  });
});

describe.each<SplitAlgorithm>(['fractional', 'rendezvous'])('a %s split of 100,000 ids', (algorithm) => {
  it('gives every variant its share', () => {
    const decide = compileSplit(split(algorithm, { a: 10, b: 30, c: 60 }));
    const counts: Record<string, number> = {};
    for (const id of ids) counts[decide(id)!] = (counts[decide(id)!] ?? 0) + 1;
    for (const [variant, share] of [
      ['a', 0.1],
      ['b', 0.3],
      ['c', 0.6],
    ] as const)
      expect(Math.abs((counts[variant] ?? 0) / ids.length - share)).toBeLessThan(fiveDeviations(share));
  });

  it.each([
    ['canary', 'stable'],
    ['on', 'off'],
  ])('keeps everyone in %s who was in as its share grows, whatever the sum of the weights', (name, other) => {
    let inside = new Set<string>();
    for (const [share, total] of [
      [1, 100],
      [5, 100],
      [100, 1_000],
      [419_430, 2_097_152],
      [1, 2],
      [1, 1],
    ] as const) {
      const decide = compileSplit(split(algorithm, { [name]: share, [other]: total - share }));
      const now = new Set(ids.filter((id) => decide(id) === name));
      expect([...inside].every((id) => now.has(id))).toBe(true);
      expect(Math.abs(now.size / ids.length - share / total)).toBeLessThanOrEqual(fiveDeviations(share / total));
      inside = now;
    }
    expect(inside.size).toBe(ids.length);
  });

  it('chooses independently for salts that differ in one character', () => {
    const [one, other] = ['mlb_model_v2', 'mlb_model_v3'].map((salt) => compileSplit(split(algorithm, { in: 10, out: 90 }, salt)));
    const both = ids.filter((id) => one!(id) === 'in' && other!(id) === 'in').length / ids.length;
    expect(Math.abs(both - 0.01)).toBeLessThan(fiveDeviations(0.01));
  });

  it('never gives a variant without weight', () => {
    const decide = compileSplit(split(algorithm, { a: 0, b: 1, c: 0 }));
    expect(ids.every((id) => decide(id) === 'b')).toBe(true);
  });
});

describe('rendezvous', () => {
  // What cannot be avoided by any rule: half the sum of the shares' changes.
  it.each([
    [{ a: 34, b: 33, c: 33 }, { a: 50, b: 25, c: 25 }, 0.16, 0.239],
    [{ a: 90, b: 5, c: 5 }, { a: 80, b: 10, c: 10 }, 0.1, 0.15],
    [{ a: 80, b: 20, c: 0 }, { a: 70, b: 20, c: 10 }, 0.118, 0.2],
  ])('moves about %j to %j no more ids than it must', (before, after, moved, byBuckets) => {
    expect(Math.abs(churn(split('rendezvous', before), split('rendezvous', after)) - moved)).toBeLessThan(fiveDeviations(moved));
    expect(Math.abs(churn(split('fractional', before), split('fractional', after)) - byBuckets)).toBeLessThan(fiveDeviations(byBuckets));
  });

  it('moves nobody between variants whose shares both shrink or both grow', () => {
    const weights = fc.tuple(...Array.from({ length: 4 }, () => fc.integer({ min: 1, max: 500 })));
    const some = ids.filter((_, at) => at % 50 === 0);
    fc.assert(
      fc.property(weights, weights, (before, after) => {
        const named = (values: number[]) => Object.fromEntries(values.map((value, at) => [`v${at}`, value]));
        const [one, other] = [compileSplit(split('rendezvous', named(before))), compileSplit(split('rendezvous', named(after)))];
        // Scores are weight times a draw of the key alone: from `x` to `y` only as y's weight grows against x's.
        const growth = (variant: string) => named(after)[variant]! / named(before)[variant]!;
        return some.every((id) => one(id) === other(id) || growth(other(id)!) > growth(one(id)!));
      }),
      { numRuns: 10 },
    );
  });

  it('moves only those of a variant that is taken away', () => {
    const [before, after] = [compileSplit(split('rendezvous', { a: 1, b: 1, c: 1 })), compileSplit(split('rendezvous', { a: 1, b: 1 }))];
    expect(ids.every((id) => before(id) === 'c' || before(id) === after(id))).toBe(true);
  });
});

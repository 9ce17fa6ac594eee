import { maxTotalWeight } from '#contracts/split.js';
import { murmur3 } from './murmur3.js';

/** flagd's limit of a sum of weights. */
export const maxFlagdWeight = 2 ** 31 - 1;

/** The bucket, 0..total-1, of a 32-bit hash: `hash * total >> 32`, exact for every total up to flagd's limit. */
export function bucketOf(hash: number, total: number): number {
  return total <= maxTotalWeight ? Math.floor((hash * total) / 2 ** 32) : Number((BigInt(hash) * BigInt(total)) >> 32n);
}

/**
 * Where a bucket lies in the running sums of weights (ascending): the first that is above it, or -1 when none is. Whoever is below a sum stays
 * below a greater one, and below the same share of another total.
 */
export function positionOf(bucket: number, sums: readonly number[]): number {
  for (let at = 0; at < sums.length; at++) if (sums[at]! > bucket) return at;
  return -1;
}

/** Sums of the weights up to and including each. */
export function runningSums(weights: readonly number[]): number[] {
  let sum = 0;
  return weights.map((weight) => (sum += weight));
}

interface Bucketing {
  variants: unknown[];
  sums: number[];
  total: number;
}

/** The buckets of flagd's `fractional`; null when one is none, or when their weights are too large. */
export function bucketing(buckets: unknown[]): Bucketing | null {
  const weights: number[] = [];
  const variants: unknown[] = [];
  for (const bucket of buckets) {
    if (!Array.isArray(bucket) || bucket.length < 1 || bucket.length > 2) return null;
    const [variant, weight = 1] = bucket as unknown[];
    if (typeof variant === 'object' && variant !== null) return null;
    if (!Number.isInteger(weight)) return null;
    variants.push(variant);
    // A weight that grows with time may begin below zero.
    weights.push(Math.max(0, weight as number));
  }
  const sums = runningSums(weights);
  const total = sums.at(-1) ?? 0;
  return total > maxFlagdWeight ? null : { variants, sums, total };
}

/** The variant of what is hashed. */
export function variantOf({ variants, sums, total }: Bucketing, hashed: string): unknown {
  return variants[positionOf(bucketOf(murmur3(hashed), total), sums)] ?? null;
}

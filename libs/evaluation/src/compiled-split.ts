import { type Split } from '#contracts/split.js';
import { bucketOf, positionOf, runningSums } from './fractional.js';
import { murmur3 } from './murmur3.js';
import { rendezvous, seedOf } from './rendezvous.js';

/** The variant of a targeting key; null without any weight. */
export type CompiledSplit = (targetingKey: string) => string | null;

/** In the order of the variants' names, which no database and no JSON parser changes. */
export const weightsOf = ({ weights }: Pick<Split, 'weights'>): [variant: string, weight: number][] =>
  Object.entries(weights).sort(([a], [b]) => (a < b ? -1 : 1));

/** A split made ready to be asked often. */
export function compileSplit(split: Split): CompiledSplit {
  const { algorithm, salt } = split;
  const entries = weightsOf(split);
  const variants = entries.map(([variant]) => variant);
  if (algorithm === 'rendezvous') {
    const drawn = entries.map(([variant, weight]) => ({ seed: seedOf(salt, variant), weight }));
    return (targetingKey) => variants[rendezvous(drawn, targetingKey)] ?? null;
  }
  const sums = runningSums(entries.map(([, weight]) => weight));
  const total = sums.at(-1) ?? 0;
  return (targetingKey) => variants[positionOf(bucketOf(murmur3(salt + targetingKey), total), sums)] ?? null;
}

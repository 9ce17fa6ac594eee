import { murmur3 } from './murmur3.js';

/**
 * Weighted rendezvous hashing (Thaler and Ravishankar 1998; weights: Schindelhauer and Schomaker 2005): each variant draws `-w / ln(u)` with a
 * `u` in (0, 1) that hash, variant and key alone decide, and the greatest wins. A variant wins with its share of the weights. A change of weights
 * changes only the scores of the variants concerned: keys leave a variant only as its share shrinks. A weight of 0 never wins.
 */
export function rendezvous(variants: readonly { seed: number; weight: number }[], targetingKey: string): number {
  let best = -1;
  let bestScore = 0;
  for (let at = 0; at < variants.length; at++) {
    const { seed, weight } = variants[at]!;
    if (weight === 0) continue;
    const score = -weight / Math.log((murmur3(targetingKey, seed) + 0.5) / 2 ** 32);
    if (score > bestScore) [best, bestScore] = [at, score];
  }
  return best;
}

/** What makes a variant's draws its own. The separator keeps salt and variant apart. */
export const seedOf = (salt: string, variant: string): number => murmur3(`${salt}\n${variant}`);

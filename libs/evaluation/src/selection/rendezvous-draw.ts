import { murmur3 } from '../murmur3.js';
import { seedOf } from '../rendezvous.js';

/** What can be drawn, with its weight, ≥ 0. */
export type Lot = readonly [id: string, weight: number];

interface Seeded {
  id: string;
  weight: number;
  seed: number;
}

const hashes = 2 ** 32;

/**
 * Draws lots for keys: the greatest score −w/ln(U) first, U a hash of salt, lot and key in 0..1. A lot is drawn first with probability w/Σw, and
 * taking one away, or changing its weight, moves no key between the others. Lots without a weight come last; where none has one all are alike.
 */
export class Draw {
  /** Those that can be drawn first, and those that come last. */
  private readonly weighted: Seeded[];
  private readonly others: Seeded[];

  constructor(salt: string, lots: readonly Lot[]) {
    const seeded = lots.map(([id, weight]): Seeded => ({ id, weight, seed: seedOf(salt, id) }));
    const weighted = seeded.filter(({ weight }) => weight > 0);
    const alike = (lot: Seeded): Seeded => ({ ...lot, weight: 1 });
    this.weighted = weighted.length ? weighted : seeded.map(alike);
    this.others = weighted.length ? seeded.filter(({ weight }) => weight === 0).map(alike) : [];
  }

  /** Undefined without lots. */
  first(key: string): string | undefined {
    if (this.weighted.length === 1) return this.weighted[0]!.id;
    let best: string | undefined;
    let bestScore = 0;
    for (const lot of this.weighted) {
      const score = scoreOf(lot, key);
      if (score > bestScore) [best, bestScore] = [lot.id, score];
    }
    return best;
  }

  order(key: string): string[] {
    return [...inOrder(this.weighted, key), ...inOrder(this.others, key)];
  }
}

// In the middle of its 2^-32, U is never 0 or 1.
const scoreOf = ({ weight, seed }: Seeded, key: string): number => -weight / Math.log((murmur3(key, seed) + 0.5) / hashes);

function inOrder(lots: readonly Seeded[], key: string): string[] {
  if (lots.length < 2) return lots.map(({ id }) => id);
  const scored = lots.map((lot) => ({ id: lot.id, score: scoreOf(lot, key) }));
  // Of equal ones the first, as `first` has it.
  return scored.sort((a, b) => b.score - a.score).map(({ id }) => id);
}

/** The probability of each lot to be drawn first. */
export function sharesOf(lots: readonly Lot[]): Map<string, number> {
  const total = lots.reduce((sum, [, weight]) => sum + weight, 0);
  return new Map(lots.map(([id, weight]) => [id, total > 0 ? weight / total : 1 / lots.length]));
}

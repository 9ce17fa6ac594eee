import { murmur3 } from '../murmur3.js';
import { seedOf } from '../rendezvous.js';

/** What can be drawn, with its weight, ≥ 0. */
export type Lot = readonly [id: string, weight: number];

const hashes = 2 ** 32;

/**
 * The lots in the order in which they are drawn for a key: the greatest score −w/ln(U) first, U a hash of salt, lot and key in 0..1. The first
 * one is drawn with probability w/Σw, and taking a lot away, or changing its weight, moves no key between the others. Lots without a weight come
 * last; where none has one all are alike.
 */
export function drawnOrder(salt: string, key: string, lots: readonly Lot[]): string[] {
  const evenly = lots.every(([, weight]) => weight === 0);
  const scored = lots.map(([id, weight]) => {
    // In the middle of its 2^-32: never 0 or 1.
    const uniform = (murmur3(key, seedOf(salt, id)) + 0.5) / hashes;
    return { id, drawable: evenly || weight > 0, score: -(weight || 1) / Math.log(uniform) };
  });
  return scored.sort((a, b) => Number(b.drawable) - Number(a.drawable) || b.score - a.score || (a.id < b.id ? -1 : 1)).map(({ id }) => id);
}

/** The probability of each lot to be drawn first. */
export function sharesOf(lots: readonly Lot[]): Map<string, number> {
  const total = lots.reduce((sum, [, weight]) => sum + weight, 0);
  return new Map(lots.map(([id, weight]) => [id, total > 0 ? weight / total : 1 / lots.length]));
}

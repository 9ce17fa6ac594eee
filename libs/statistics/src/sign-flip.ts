import type { Comparison, Unmeasurable } from './comparison.js';
import { maxGroups } from './paired-bootstrap.js';
import { seededRandom } from './seeded-random.js';
import { atOnce, type Steps } from './steps.js';

/** Up to this many differences other than 0, all sign patterns are gone through. */
export const exactUpTo = 16;
/** Random patterns beyond. */
export const flips = 9_999;
const flipsAStep = 50;
const fewBeyond = 10;

/** The part of a comparison that this test has a say in: effect and interval come from elsewhere. */
export type SignFlip = Pick<Comparison, 'test' | 'statistic' | 'p'>;

/**
 * The paired permutation test of a mean: were each row's answers those of the other model with equal probability, its difference (candidate −
 * baseline, of squared errors for instance) would as well have the other sign. p is the share of sign patterns whose sum is at least as far
 * from 0 as the one seen. It never exceeds its level where the two models' answers to a row can be exchanged, however long the tails and few
 * the rows. Sources: Fisher, "The design of experiments", 1935, 21; Pitman, JRSS Supplement 4, 1937.
 *
 * All patterns for up to 16 differences other than 0; else 9,999 random ones, p = (1 + beyond)/(1 + patterns): Phipson, Smyth, "Permutation
 * p-values should never be zero", Statistical Applications in Genetics and Molecular Biology 9, 2010. Where 10 or fewer lie beyond, p is
 * 11/10,000 or Hoeffding's bound 2·exp(−z²/2) of the same probability (JASA 58, 1963), so that p can pass 1/patterns in a large family.
 * Statistic: z = Σd/√Σd². More than 4,096 rows are flipped in random groups, which is a test of the same level.
 * The same differences and seed give the same answer. Reasons: `no_rows`, `not_a_number`.
 */
export function* signFlipSteps(differences: Float64Array, seed: number): Steps<SignFlip | Unmeasurable> {
  if (differences.length === 0) return { reason: 'no_rows' };
  if (!differences.every(Number.isFinite)) return { reason: 'not_a_number' };
  const groups = grouped(differences, seed);
  let sum = 0;
  let squares = 0;
  for (const difference of groups) {
    sum += difference;
    squares += difference * difference;
  }
  if (!Number.isFinite(squares)) return { reason: 'not_a_number' };
  const z = squares === 0 ? 0 : sum / Math.sqrt(squares);
  // Sums of the same numbers in another order differ by rounding.
  const limit = Math.abs(sum) * (1 - 1e-12);
  if (groups.length <= exactUpTo) return { test: 'sign_flip', statistic: z, p: shareOfPatterns(groups, limit) };
  const draw = seededRandom(seed ^ 0x2545f491);
  let beyond = 0;
  for (let flip = 0; flip < flips; flip++) {
    if (Math.abs(flipped(groups, draw)) >= limit) beyond += 1;
    if (flip % flipsAStep === 0) yield;
  }
  const share = (Math.max(beyond, fewBeyond) + 1) / (flips + 1);
  return { test: 'sign_flip', statistic: z, p: beyond > fewBeyond ? share : Math.min(share, 2 * Math.exp((-z * z) / 2)) };
}

export const signFlip = (differences: Float64Array, seed: number): SignFlip | Unmeasurable => atOnce(signFlipSteps(differences, seed));

/** Differences other than 0; rows beyond 4,096 are added to groups drawn at random. */
function grouped(differences: Float64Array, seed: number): Float64Array {
  const draw = seededRandom(seed);
  const groups = new Float64Array(Math.min(maxGroups, differences.length));
  for (let i = 0; i < differences.length; i++) groups[i < maxGroups ? i : draw() % maxGroups]! += differences[i]!;
  return groups.filter((difference) => difference !== 0);
}

function shareOfPatterns(differences: Float64Array, limit: number): number {
  const patterns = 2 ** differences.length;
  let beyond = 0;
  for (let pattern = 0; pattern < patterns; pattern++) {
    let sum = 0;
    for (let i = 0; i < differences.length; i++) sum += (pattern >> i) & 1 ? -differences[i]! : differences[i]!;
    if (Math.abs(sum) >= limit) beyond += 1;
  }
  return beyond / patterns;
}

function flipped(differences: Float64Array, draw: () => number): number {
  let sum = 0;
  for (let at = 0; at < differences.length; at += 32) {
    let bits = draw();
    const end = Math.min(differences.length, at + 32);
    for (let i = at; i < end; i++) {
      sum += (1 - 2 * (bits & 1)) * differences[i]!;
      bits >>>= 1;
    }
  }
  return sum;
}

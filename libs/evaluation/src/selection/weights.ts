import { probabilitiesOfBest } from '#statistics/probability-of-best.js';
import { type Evidence, expectedSuccess, posteriorOf } from './posterior.js';

/** No arm gets less: what is never tried is never known to have become better. */
export const leastShare = 0.01;
/** More arms are not weighed: the work grows with their square. */
export const mostArms = 20;
/** Users are moved where that is expected to make at least so much more of their inferences succeed. */
const worthMoving = 0.002;

/** Shares by arm; they add up to 1. */
export type Weights = Readonly<Record<string, number>>;

/** Each arm's share: the probability that it is the best of all, on top of a floor of 1 %. The evidence must be faded to the same time. */
export function banditWeights(arms: ReadonlyMap<string, Evidence>): Weights {
  const ids = [...arms.keys()];
  const best = probabilitiesOfBest([...arms.values()].map(posteriorOf));
  return Object.fromEntries(ids.map((id, index) => [id, leastShare + (1 - ids.length * leastShare) * best[index]!]));
}

/**
 * The weights to go on with: the old ones for as long as they are of the same arms and new ones would hardly make a difference. Every change of
 * weights moves users, and where two arms are alike their probabilities of being the best wander by chance alone.
 */
export function settledWeights(before: Weights | null, arms: ReadonlyMap<string, Evidence>): Weights {
  const fresh = banditWeights(arms);
  if (!before || Object.keys(before).length !== arms.size) return fresh;
  let gain = 0;
  for (const [id, evidence] of arms) {
    if (before[id] === undefined) return fresh;
    gain += (fresh[id]! - before[id]) * expectedSuccess(evidence);
  }
  return gain >= worthMoving ? fresh : before;
}

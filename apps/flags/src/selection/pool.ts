import { type Model } from '#contracts/registry.js';
import { type BanditArm, type BanditPool } from '#contracts/selection.js';
import { type Evidence, expectedSuccess, faded } from '#evaluation/selection/posterior.js';
import { isWanted } from '#evaluation/selection/wanted.js';
import { mostArms, settledWeights, type Weights } from '#evaluation/selection/weights.js';
import { type ModelState, newState } from './model-state.js';

/** Whether anybody can be served by a model. */
export const isLive = ({ status, rollout_percentage }: Model): boolean =>
  status === 'stable' || (status === 'canary' && rollout_percentage > 0);

const nowOf = ({ breaker, evidence }: ModelState, now_ms: number): Evidence =>
  breaker.state === 'closed' ? faded(evidence, now_ms) : evidence;

export const newRevision = 1;
/** Whether it waits to be weighed for the first time. */
export const isNew = ({ revision }: BanditPool): boolean => revision === newRevision;

/**
 * The pool with the weights that follow from what is known now: itself where they stay as they are. All `live` models are arms, also those with an
 * open breaker, so that what happens to one moves nobody who is on another; `rest_weight` shares out its users among the others. Of more than
 * `mostArms` those that succeed most often are.
 */
export function weighPool(pool: BanditPool, live: readonly Model[], states: ReadonlyMap<string, ModelState>, now_ms: number): BanditPool {
  const known = live
    .filter((model) => isWanted(pool, model))
    .map(({ model_id }) => states.get(model_id) ?? newState(model_id, now_ms))
    .filter(({ forced }) => forced !== 'open')
    .map((state) => ({ ...state, evidence: nowOf(state, now_ms) }))
    .sort((a, b) => expectedSuccess(b.evidence) - expectedSuccess(a.evidence) || (a.model_id < b.model_id ? -1 : 1))
    .slice(0, mostArms);
  if (known.length === 0 && pool.arms.length === 0) return isNew(pool) ? { ...pool, revision: pool.revision + 1 } : pool;
  const closed = known.filter(({ breaker, forced }) => breaker.state === 'closed' || forced === 'closed');
  const before = weightsOf(pool.arms);
  const beforeRest = restOf(pool.arms);
  const weights = settledWeights(before, evidenceOf(known));
  const rest = closed.length < known.length && closed.length > 0 ? settledWeights(beforeRest, evidenceOf(closed)) : null;
  if (weights === before && (rest === beforeRest || (rest === null && beforeRest === null))) return pool;
  const arms = known.map(({ model_id, evidence }): BanditArm => ({
    model_id,
    weight: weights[model_id]!,
    rest_weight: rest?.[model_id] ?? null,
    good: evidence.good,
    bad: evidence.bad,
  }));
  return { ...pool, arms, settled_at: new Date(now_ms).toISOString(), revision: pool.revision + 1 };
}

const evidenceOf = (states: readonly ModelState[]): Map<string, Evidence> =>
  new Map(states.map(({ model_id, evidence }) => [model_id, evidence]));

const weightsOf = (arms: readonly BanditArm[]): Weights | null =>
  arms.length ? Object.fromEntries(arms.map(({ model_id, weight }) => [model_id, weight])) : null;

const restOf = (arms: readonly BanditArm[]): Weights | null => {
  const open = arms.filter(({ rest_weight }) => rest_weight !== null);
  return open.length ? Object.fromEntries(open.map(({ model_id, rest_weight }) => [model_id, rest_weight!])) : null;
};

import { type HealthStatus } from '#contracts/metrics.js';
import { type Model } from '#contracts/registry.js';
import { type BreakerState, type ExclusionReason, type Policy } from '#contracts/selection.js';
import { Draw, type Lot, sharesOf } from './rendezvous-draw.js';
import { leastShare, type Weights } from './weights.js';

/** A model that was asked for, with what is known of it now. */
export interface Candidate {
  model: Model;
  health_status: HealthStatus;
  breaker: BreakerState;
  /** What an admin has forced the breaker to be. */
  forced: 'open' | 'closed' | null;
  /** Half-open: how many more inferences it may be tried with. */
  probes_left: number;
  /** How often it is expected to succeed within its latency objective, 0..1. */
  success: number;
}

/** What a flag says: the model of its variant, and each model's share where its split has decided; null where it cannot be told. */
export interface FlagChoice {
  model_id: string | null;
  shares: ReadonlyMap<string, number> | null;
}

/** What is asked for, whoever it is for. */
export interface Question {
  policy: Policy;
  candidates: readonly Candidate[];
  /** `bandit`: of all arms, and of those alone whose breakers are closed. Null: not known yet. */
  weights: Weights | null;
  rest: Weights | null;
  /** `flag` alone. */
  flag: FlagChoice | null;
}

export interface Exclusion {
  model_id: string;
  reason: ExclusionReason;
}

export interface Choice {
  chosen: Candidate;
  /** `policy`: what the policy says; `fallback`: that is excluded, and this is the next one; `last_one`: all are, and one is never given up. */
  way: 'policy' | 'fallback' | 'last_one';
  /** What the policy would have chosen, where it is excluded. */
  fallback_from: string | null;
  /** Whom to ask when the chosen one fails, in this order. */
  fallbacks: Candidate[];
  /** The probability of this choice over all targeting keys, as things are now; null where a flag's targeting has decided. */
  propensity: number | null;
  excluded: Exclusion[];
}

/** The salts differ, so that who is on a canary and who is on which model are independent. */
const canarySalt = 'canary';
const modelSalt = 'model';
/** Stands for everyone who is on no canary. */
const noCanary = '';
const mostFallbacks = 5;
/** Of ten models there are millions of orders. */
const keptOutcomes = 1_000;
const healthOrder: readonly HealthStatus[] = ['healthy', 'unknown', 'degraded', 'unhealthy'];

/** What could be chosen for the keys of one canary, or of none: `pool` may be served to them at all, `eligible` works besides. */
interface Ground {
  pool: Candidate[];
  eligible: Candidate[];
  isLastOne: boolean;
}

/** The same choice, as long as it lasts, for all keys that it is made for. */
export type Choose = (targeting_key: string) => Choice | { excluded: Exclusion[] };

/**
 * Chooses a model: eligibility, then the policy. The same key gets the same model for as long as nothing is known that speaks against it, and
 * what happens to one model moves the keys of that model alone.
 *
 * A canary serves the share of keys that its `rollout_percentage` says, whatever else happens; a flag directs traffic to one by itself. A model
 * that is unhealthy, or whose breaker is not closed, is passed over while there is another; forced open it is never served. Answers with the
 * exclusions alone when nothing is left.
 *
 * What does not depend on the key is worked out once: the answer is for any number of keys, until anything in the question changes.
 */
export function prepareChoice(question: Question): Choose {
  const servable = question.candidates.filter((candidate) => hardReason(question, candidate) === null);
  const canaryLots = canaryLotsOf(servable);
  const canaries = new Draw(canarySalt, canaryLots);
  const prepared = new Map<string, Choose>();
  return (targeting_key) => {
    const canary = question.flag ? (question.flag.model_id ?? noCanary) : canaries.first(targeting_key)!;
    let choose = prepared.get(canary);
    if (!choose) prepared.set(canary, (choose = choiceOn(canary, question, servable, canaryLots)));
    return choose(targeting_key);
  };
}

/** For the keys that are on one canary, or on none. */
function choiceOn(canary: string, question: Question, servable: readonly Candidate[], canaryLots: readonly Lot[]): Choose {
  const ground = groundOf(servable, canary);
  const excluded = exclusionsOf(question, ground);
  if (ground.eligible.length === 0) return () => ({ excluded });
  const eligible = new Map(ground.eligible.map((candidate) => [candidate.model.model_id, candidate]));
  const firsts = new Draw(modelSalt, question.flag ? [] : firstLots(question, ground, canary));
  const seconds = new Draw(modelSalt, secondLots(question, ground.eligible));
  const propensities = new Map<string, number | null>();
  const propensityFor = ({ model: { model_id } }: Candidate): number | null => {
    let propensity = propensities.get(model_id);
    if (propensity === undefined) propensities.set(model_id, (propensity = propensityOf(question, servable, canaryLots, model_id)));
    return propensity;
  };
  const made = new Map<string, Choice>();
  return (targeting_key) => {
    // Null: a flag whose variant has no model that could be served.
    const first = question.flag ? question.flag.model_id : (firsts.first(targeting_key) ?? null);
    const ids = seconds.order(targeting_key);
    const outcome = `${first} ${ids.join()}`;
    const before = made.get(outcome);
    if (before) return before;
    const standing = eligible.get(first ?? noCanary);
    const drawn = ids.map((id) => eligible.get(id)!);
    const order = fallbackOrder(question, drawn, first);
    const chosen = standing ?? order[0]!;
    const choice: Choice = {
      chosen,
      way: ground.isLastOne ? 'last_one' : standing ? 'policy' : 'fallback',
      fallback_from: standing ? null : first,
      fallbacks: order.filter((candidate) => candidate !== chosen && candidate.breaker !== 'half_open').slice(0, mostFallbacks),
      propensity: propensityFor(chosen),
      excluded,
    };
    if (made.size >= keptOutcomes) made.clear();
    made.set(outcome, choice);
    return choice;
  };
}

/** Why a model is served to nobody, whatever happens to the others. */
function hardReason({ flag }: Question, { model, forced }: Candidate): ExclusionReason | null {
  if (model.status !== 'stable' && model.status !== 'canary') return 'STATUS';
  if (model.status === 'canary' && model.rollout_percentage === 0 && flag === null) return 'OUTSIDE_ROLLOUT';
  return forced === 'open' ? 'FORCED_OPEN' : null;
}

/** Why a model is passed over while there is another. */
function softReason({ health_status, breaker, forced, probes_left }: Candidate): ExclusionReason | null {
  if (forced !== 'closed' && breaker === 'open') return 'BREAKER_OPEN';
  if (forced !== 'closed' && breaker === 'half_open' && probes_left === 0) return 'BREAKER_HALF_OPEN';
  return health_status === 'unhealthy' ? 'UNHEALTHY' : null;
}

function canaryLotsOf(servable: readonly Candidate[]): Lot[] {
  const canaries = servable
    .filter(({ model }) => model.status === 'canary')
    .map(({ model }): Lot => [model.model_id, model.rollout_percentage]);
  const taken = canaries.reduce((sum, [, share]) => sum + share, 0);
  return taken < 100 ? [...canaries, [noCanary, 100 - taken]] : canaries;
}

function groundOf(servable: readonly Candidate[], canary: string): Ground {
  const pool = servable.filter(({ model }) => model.status === 'stable' || model.model_id === canary);
  const well = pool.filter((candidate) => softReason(candidate) === null);
  return well.length ? { pool, eligible: well, isLastOne: false } : { pool, eligible: leastBad(pool), isLastOne: true };
}

/** Those with the least against them, which are not given up. */
function leastBad(pool: readonly Candidate[]): Candidate[] {
  for (const bearable of ['UNHEALTHY', 'BREAKER_HALF_OPEN', 'BREAKER_OPEN']) {
    const found = pool.filter((candidate) => softReason(candidate) === bearable);
    if (found.length) return found;
  }
  return [];
}

function exclusionsOf(question: Question, { pool, eligible }: Ground): Exclusion[] {
  return question.candidates.flatMap((candidate): Exclusion[] => {
    if (eligible.includes(candidate)) return [];
    const { model_id } = candidate.model;
    const reason = hardReason(question, candidate) ?? (pool.includes(candidate) ? softReason(candidate) : 'OUTSIDE_ROLLOUT');
    return [{ model_id, reason: reason ?? 'OUTSIDE_ROLLOUT' }];
  });
}

/** What the policy chooses among, whatever state that is in. */
function firstLots({ policy, weights }: Question, { pool, eligible }: Ground, canary: string): Lot[] {
  if (policy === 'bandit') return banditLots(pool, weights);
  if (policy === 'best_health') return bestLots(eligible);
  return canary === noCanary ? rolloutLots(pool) : [[canary, 1]];
}

/** What stands in for a first choice that is excluded. */
function secondLots({ policy, weights, rest }: Question, eligible: readonly Candidate[]): Lot[] {
  if (policy === 'bandit') return banditLots(eligible, rest ?? weights);
  if (policy === 'best_health') return bestLots(eligible);
  return rolloutLots(eligible);
}

const banditLots = (arms: readonly Candidate[], weights: Weights | null): Lot[] =>
  arms.map(({ model: { model_id } }) => [model_id, weights ? (weights[model_id] ?? leastShare) : 1]);

const rolloutLots = (models: readonly Candidate[]): Lot[] => models.map(({ model }) => [model.model_id, model.rollout_percentage]);

/** Those of the best health, and among them of the highest success rate in whole percent, are alike. */
function bestLots(eligible: readonly Candidate[]): Lot[] {
  const best = eligible.reduce(
    (found: Candidate | null, candidate) => (found && compareHealth(found, candidate) <= 0 ? found : candidate),
    null,
  );
  return eligible.map((candidate) => [candidate.model.model_id, best && compareHealth(best, candidate) === 0 ? 1 : 0]);
}

const compareHealth = (a: Candidate, b: Candidate): number =>
  healthOrder.indexOf(a.health_status) - healthOrder.indexOf(b.health_status) || Math.round(b.success * 100) - Math.round(a.success * 100);

/** Other versions of the first choice's name that are stable come first, then the others; best health goes by health alone. */
function fallbackOrder({ policy, candidates }: Question, drawn: Candidate[], first: string | null): Candidate[] {
  if (drawn.length < 2) return drawn;
  if (policy === 'best_health') return drawn.sort(compareHealth);
  const name = candidates.find(({ model }) => model.model_id === first)?.model.name;
  const isNext = ({ model }: Candidate): number => Number(model.name === name && model.status === 'stable');
  return drawn.sort((a, b) => isNext(b) - isNext(a));
}

/**
 * Over the canary that a key may be on, and what is drawn for it then: its own draw, or that of an excluded model and the one in its place.
 */
function propensityOf(question: Question, servable: readonly Candidate[], canaryLots: readonly Lot[], model_id: string): number | null {
  if (question.flag) return flagPropensity(question, servable, model_id);
  let propensity = 0;
  for (const [canary, share] of sharesOf(canaryLots)) {
    const ground = groundOf(servable, canary);
    const isEligible = (id: string): boolean => ground.eligible.some(({ model }) => model.model_id === id);
    if (!isEligible(model_id)) continue;
    const second = sharesInStead(question, ground.eligible);
    for (const [first, probability] of sharesOf(firstLots(question, ground, canary))) {
      if (isEligible(first)) propensity += first === model_id ? share * probability : 0;
      else propensity += share * probability * second(first, model_id);
    }
  }
  return Math.min(1, propensity);
}

/** The probability of a model to stand in for an excluded one: other stable versions of its name go before the rest. */
function sharesInStead(question: Question, eligible: readonly Candidate[]): (first: string, model_id: string) => number {
  return (first, model_id) => {
    const name = question.candidates.find(({ model }) => model.model_id === first)?.model.name;
    const next = eligible.filter(({ model }) => model.name === name && model.status === 'stable');
    return sharesOf(secondLots(question, next.length ? next : eligible)).get(model_id) ?? 0;
  };
}

/** A flag says itself how its traffic is shared; what stands in for a model takes that model's share. */
function flagPropensity(question: Question, servable: readonly Candidate[], model_id: string): number | null {
  const { model_id: first, shares } = question.flag!;
  if (!shares) return null;
  let propensity = 0;
  for (const [id, share] of shares) {
    const { eligible } = groundOf(servable, id);
    const isEligible = eligible.some(({ model }) => model.model_id === id);
    if (isEligible) propensity += id === model_id ? share : 0;
    else if (eligible.some(({ model }) => model.model_id === model_id))
      propensity += share * sharesInStead(question, eligible)(id, model_id);
  }
  return first === null ? null : Math.min(1, propensity);
}

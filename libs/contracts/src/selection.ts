import { createHash } from 'node:crypto';
import { Decimal, Instant, JsonMap, type JsonValue, Line, OneOf, Part, Parts, Text, Whole } from './fields.js';
import { pageOf, PageRequest } from './page.js';
import { FlagKey, ModelRef, modelTypes, type ModelType, Sport } from './registry.js';
import { request } from './request.js';
import { Serving } from './serving.js';
import { view } from './view.js';

export const policies = ['flag', 'weighted', 'best_health', 'bandit'] as const;
export type Policy = (typeof policies)[number];

/** Why a model that was asked for is not served. */
export const exclusionReasons = ['STATUS', 'OUTSIDE_ROLLOUT', 'FORCED_OPEN', 'UNHEALTHY', 'BREAKER_OPEN', 'BREAKER_HALF_OPEN'] as const;
export type ExclusionReason = (typeof exclusionReasons)[number];

/** What has decided: the flag's own reason, the policy, or what stands in for it. */
export const selectionReasons = [
  'STATIC',
  'DEFAULT',
  'TARGETING_MATCH',
  'SPLIT',
  'DISABLED',
  'WEIGHTED',
  'BEST_HEALTH',
  'BANDIT',
  'EVEN',
  'PROBE',
  'FALLBACK',
  'LAST_ONE',
] as const;
export type SelectionReason = (typeof selectionReasons)[number];

/** Which models are meant; all that are given must hold. */
export class ModelsWanted {
  @Line({ max: 200, optional: true, description: 'Only versions of this name.' })
  name?: string;

  @Sport({ optional: true, description: 'Only models of this sport.' })
  sport?: string;

  @OneOf(modelTypes, { optional: true, description: 'Only models of this type.' })
  model_type?: ModelType;
}

export class SelectionRequest extends ModelsWanted {
  @FlagKey({ optional: true, description: 'The flag that decides: policy `flag`.' })
  flag_key?: string;

  @OneOf(policies, { optional: true, description: 'Default: `flag` with a `flag_key`, else `weighted`.' })
  policy?: Policy;

  @Text({ max: 1000, description: 'For whom: a user, a session, a request. The same key stays on its model for as long as that works.' })
  targeting_key!: string;

  @JsonMap({ max_keys: 100, max_bytes: 20_000, optional: true, description: 'What the flag’s targeting may look at.' })
  context?: Record<string, JsonValue>;
}

/** A model and how it is called. */
export class SelectedModel extends ModelRef {
  @Text({ max: 200 })
  name!: string;

  @Text({ max: 200 })
  version!: string;

  @Part(() => Serving, { nullable: true, description: 'Where and how it is called; null where the registry does not know.' })
  serving!: Serving | null;
}

export class ExcludedModel extends ModelRef {
  @OneOf(exclusionReasons)
  reason!: ExclusionReason;
}

export class Selection extends SelectedModel {
  @OneOf(policies)
  policy!: Policy;

  @OneOf(selectionReasons)
  reason!: SelectionReason;

  @Text({ max: 64, nullable: true, description: 'What the policy says and is excluded; null where the policy is followed.' })
  fallback_from!: string | null;

  @Text({ max: 128, nullable: true, description: 'To be reported with the inference, as `variant`.' })
  flag_key!: string | null;

  @Text({ max: 128, nullable: true })
  variant!: string | null;

  @Decimal({
    min: 0,
    max: 1,
    nullable: true,
    description: 'The probability of this choice over all targeting keys, as things are now. null: a flag’s targeting has decided.',
  })
  propensity!: number | null;

  @Parts(() => SelectedModel, { max_items: 5, description: 'Whom to ask when this one fails, in this order.' })
  fallbacks!: SelectedModel[];

  @Parts(() => ExcludedModel, {
    max_items: 20,
    description: 'Stable and canary models that were asked for and are passed over, the first 20.',
  })
  excluded!: ExcludedModel[];
}

export const breakerStates = ['closed', 'open', 'half_open'] as const;
export type BreakerState = (typeof breakerStates)[number];

export const forcedStates = ['open', 'closed'] as const;
export type ForcedState = (typeof forcedStates)[number];

export class CircuitBreaker extends ModelRef {
  @OneOf(breakerStates, { description: 'What was counted has made of it; `open`: it is passed over.' })
  state!: BreakerState;

  @OneOf(forcedStates, { nullable: true, description: 'What an admin has made of it instead.' })
  forced!: ForcedState | null;

  @Text({ max: 100, nullable: true, description: 'Name of the key that forced it.' })
  forced_by!: string | null;

  @Text({ max: 1000, description: 'Why `state` is what it is, or why it was forced.' })
  reason!: string;

  @Instant({ description: 'Since when `state` is so.' })
  since!: string;

  @Instant({ nullable: true, description: '`open`: when it is tried again; `half_open`: when its probes begin anew.' })
  until!: string | null;

  @Whole({ description: 'How often it opened without a long closed time between; each opening is longer.' })
  openings!: number;

  @Decimal({ min: 0, max: 1, description: 'How often it is expected to succeed within its latency objective.' })
  expected_success!: number;

  @Whole({ min: 1 })
  revision!: number;
}

export class CircuitBreakerPage extends pageOf(CircuitBreaker) {}

export class CircuitBreakerFilter extends PageRequest {
  @OneOf(breakerStates, { optional: true })
  state?: BreakerState;
}

export const breakerSettings = ['open', 'closed', 'automatic'] as const;

export class BreakerChange extends ModelRef {
  @OneOf(breakerSettings, { description: '`open`: not served at all. `closed`: served whatever fails. `automatic`: by what is counted.' })
  state!: (typeof breakerSettings)[number];

  @Text({ max: 1000, description: 'Why; kept in the audit.' })
  reason!: string;
}

/** One model that a bandit chooses among. */
export class BanditArm extends ModelRef {
  @Decimal({ min: 0, max: 1, description: 'Its share.' })
  weight!: number;

  @Decimal({ min: 0, max: 1, nullable: true, description: 'Its share of what falls to models with an open breaker; null: its own is.' })
  rest_weight!: number | null;

  @Decimal({ min: 0, max: 1e12, description: 'Inferences that succeeded within the latency objective, older ones counting less.' })
  good!: number;

  @Decimal({ min: 0, max: 1e12, description: 'All others.' })
  bad!: number;
}

/** What a bandit chooses among, and what it has learned: as of `settled_at`, when the weights were last changed. */
export class BanditPool {
  @Text({ max: 32 })
  pool_id!: string;

  @Text({ max: 200, nullable: true })
  name!: string | null;

  @Text({ max: 16, nullable: true })
  sport!: string | null;

  @OneOf(modelTypes, { nullable: true })
  model_type!: ModelType | null;

  @Parts(() => BanditArm, { max_items: 20 })
  arms!: BanditArm[];

  @Instant()
  settled_at!: string;

  @Whole({ min: 1 })
  revision!: number;
}

export class BanditPoolPage extends pageOf(BanditPool) {}

export const listBreakers = request('flags.list_breakers', { input: CircuitBreakerFilter, output: CircuitBreakerPage });
export const getBreaker = request('flags.get_breaker', { input: ModelRef, output: CircuitBreaker });
export const changeBreaker = request('flags.change_breaker', { input: BreakerChange, output: CircuitBreaker });
export const listPools = request('flags.list_pools', { input: PageRequest, output: BanditPoolPage });
/** Asked by gateways while they serve a pool: one that nobody asks for is let go. */
export const usePool = request('flags.use_pool', { input: ModelsWanted, output: BanditPool });

/** Of each model that has been counted since breakers are kept; one without is closed. */
export const breakersView = view<CircuitBreaker>('breakers', ({ model_id }) => model_id);
export const poolsView = view<BanditPool>('bandit_pools', ({ pool_id }) => pool_id);

/** The same for the same models, whoever asks; also a key of a view. */
export const poolIdOf = ({ name, sport, model_type }: ModelsWanted): string =>
  createHash('sha256')
    .update(JSON.stringify([name ?? null, sport ?? null, model_type ?? null]))
    .digest('hex')
    .slice(0, 32);

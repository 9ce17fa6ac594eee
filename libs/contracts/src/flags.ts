import { Decimal, Instant, Json, JsonMap, type JsonValue, OneOf, Text, Whole } from './fields.js';
import { pageOf, PageRequest } from './page.js';
import { FlagKey, IfMatch } from './registry.js';
import { Removed, request } from './request.js';

export const flagStates = ['ENABLED', 'DISABLED'] as const;
export type FlagState = (typeof flagStates)[number];

export class FlagRef {
  @FlagKey()
  flag_key!: string;
}

const Variants = (optional: boolean): PropertyDecorator =>
  JsonMap({
    min_keys: 1,
    max_keys: 50,
    max_bytes: 50_000,
    optional,
    description: 'Variant name → value; all values of one JSON type.',
    example: { on: true, off: false },
  });

const Variant = (options: { optional?: boolean; nullable?: boolean; description: string }): PropertyDecorator =>
  Text({ max: 100, ...options });

export class NewFlag extends FlagRef {
  @Text({ min: 0, max: 1000, optional: true })
  description?: string;

  @OneOf(flagStates, { optional: true, description: 'DISABLED: everyone gets `default_variant`. Default ENABLED.' })
  state?: FlagState;

  @Variants(false)
  variants!: Record<string, JsonValue>;

  @Variant({ description: 'The variant of everyone who is not in the rollout.' })
  default_variant!: string;

  @Variant({ optional: true, nullable: true, description: 'The variant of those in the rollout. Default null: no rollout.' })
  rollout_variant?: string | null;

  @Decimal({ min: 0, max: 100, optional: true, description: 'Share of targeting keys in the rollout, in percent. Default 0.' })
  rollout_percentage?: number;

  @Text({ max: 64, optional: true, nullable: true, description: 'The model that it directs traffic to; the flag is removed with it.' })
  model_id?: string | null;
}

export class FlagChange extends FlagRef {
  @Text({ min: 0, max: 1000, optional: true })
  description?: string;

  @OneOf(flagStates, { optional: true })
  state?: FlagState;

  @Variants(true)
  variants?: Record<string, JsonValue>;

  @Variant({ optional: true, description: 'The variant of everyone who is not in the rollout.' })
  default_variant?: string;

  @Variant({ optional: true, nullable: true, description: 'The variant of those in the rollout.' })
  rollout_variant?: string | null;

  @Decimal({ min: 0, max: 100, optional: true })
  rollout_percentage?: number;

  @Text({ max: 64, optional: true, nullable: true })
  model_id?: string | null;

  @IfMatch()
  if_match?: number[];
}

export class Flag extends FlagRef {
  @Text({ min: 0, max: 1000 })
  description!: string;

  @OneOf(flagStates)
  state!: FlagState;

  @Variants(false)
  variants!: Record<string, JsonValue>;

  @Variant({ description: 'The variant of everyone who is not in the rollout.' })
  default_variant!: string;

  @Variant({ nullable: true, description: 'The variant of those in the rollout.' })
  rollout_variant!: string | null;

  @Decimal({ min: 0, max: 100, description: 'Percent.' })
  rollout_percentage!: number;

  @Text({ max: 64, nullable: true })
  model_id!: string | null;

  @Instant()
  created_at!: string;

  @Instant()
  updated_at!: string;

  @Text({ max: 100 })
  created_by!: string;

  @Whole({ min: 1 })
  revision!: number;
}

export class FlagFilter extends PageRequest {
  @Text({ max: 64, optional: true, description: 'Only flags of this model.' })
  model_id?: string;
}

export class FlagPage extends pageOf(Flag) {}

export class FlagRemoval extends FlagRef {
  @IfMatch()
  if_match?: number[];
}

export class EvaluationRequest extends FlagRef {
  @Text({ max: 1000, description: 'Who is asked about: a user, a session, a request. The same key always gets the same answer.' })
  targeting_key!: string;
}

/** OpenFeature's reasons, as far as a percentage rollout has them. */
export const evaluationReasons = ['STATIC', 'SPLIT', 'DISABLED'] as const;
export type EvaluationReason = (typeof evaluationReasons)[number];

export class Evaluation extends FlagRef {
  @Json({ max_bytes: 50_000, nullable: true })
  value!: JsonValue;

  @Text({ max: 100 })
  variant!: string;

  @OneOf(evaluationReasons)
  reason!: EvaluationReason;

  @Text({ max: 64, nullable: true })
  model_id!: string | null;
}

export const listFlags = request('flags.list_flags', { input: FlagFilter, output: FlagPage });
export const getFlag = request('flags.get_flag', { input: FlagRef, output: Flag });
export const createFlag = request('flags.create_flag', { input: NewFlag, output: Flag });
export const changeFlag = request('flags.change_flag', { input: FlagChange, output: Flag });
export const removeFlag = request('flags.remove_flag', { input: FlagRemoval, output: Removed });
export const evaluateFlag = request('flags.evaluate_flag', { input: EvaluationRequest, output: Evaluation });

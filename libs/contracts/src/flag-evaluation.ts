import { Json, JsonMap, type JsonValue, OneOf, Text } from './fields.js';
import { FlagRef, maxVariantName } from './flags.js';

export class EvaluationRequest extends FlagRef {
  @Text({ max: 1000, description: 'Who is asked about: a user, a session, a request. The same key always gets the same answer.' })
  targeting_key!: string;

  @JsonMap({ max_keys: 1000, max_bytes: 100_000, optional: true, description: 'What targeting may ask for, by name.' })
  context?: Record<string, JsonValue>;
}

/** OpenFeature's reasons, as far as a flag has them. */
export const evaluationReasons = ['STATIC', 'DEFAULT', 'TARGETING_MATCH', 'SPLIT', 'DISABLED', 'ERROR'] as const;
export type EvaluationReason = (typeof evaluationReasons)[number];

/** OpenFeature's error codes, as far as an evaluation has them. */
export const evaluationErrors = ['TARGETING_KEY_MISSING', 'PARSE_ERROR', 'GENERAL'] as const;
export type EvaluationError = (typeof evaluationErrors)[number];

/** What a flag says in one context. `value` null without a variant: the code's own default. */
export class Evaluation extends FlagRef {
  @Json({ max_bytes: 50_000, nullable: true })
  value!: JsonValue;

  @Text({ max: maxVariantName, nullable: true, description: 'null: the code’s own default.' })
  variant!: string | null;

  @OneOf(evaluationReasons)
  reason!: EvaluationReason;

  @Text({
    max: 1000,
    description: 'What of the definition decided, such as `targeting.if[1]`, `split`, `default_variant` or `state`.',
    example: 'targeting.if[1]',
  })
  rule!: string;

  @Text({ max: 64, nullable: true, description: 'The model that the variant directs traffic to.' })
  model_id!: string | null;

  @OneOf(evaluationErrors, { optional: true, description: 'Only with the reason ERROR.' })
  error_code?: EvaluationError;

  @Text({ max: 1000, optional: true })
  error_details?: string;
}

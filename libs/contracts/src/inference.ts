import { Bool, Decimal, Instant, Items, Parts, Text, Whole } from './fields.js';
import { ModelRef } from './registry.js';

/** One inference as the REST surface takes it. */
export class InferenceRecord extends ModelRef {
  @Decimal({ min: 0, max: 1e7, description: 'Inference timing in milliseconds' })
  timing_ms!: number;

  @Bool({ optional: true, description: 'Whether inference was successful (default: true)' })
  success?: boolean;

  @Text({ min: 0, max: 4000, optional: true, description: 'Error message if failed' })
  error?: string;
}

export class InferenceRecorded {
  @Text({ max: 100, example: 'Inference recorded successfully' })
  message!: string;
}

const name = { max: 128, pattern: /^\P{Cc}+$/u, accepted: 'a string of 1 to 128 characters without control characters', optional: true };

/** One inference of a batch. */
export class InferenceItem extends InferenceRecord {
  @Text({
    max: 512,
    optional: true,
    description: 'A snake_case name for the kind of error, where the caller knows it.',
    example: 'timeout_error',
  })
  error_type?: string;

  @Instant({ optional: true, description: 'Default: when the gateway takes it.' })
  occurred_at?: string;

  @Text({ ...name, description: 'The caller’s own name for this inference.' })
  event_id?: string;

  @Text({ ...name, description: 'The feature flag that directed the request to this model, …' })
  flag_key?: string;

  @Text({ ...name, description: '… and the variant it chose.' })
  variant?: string;
}

export const maxBatch = 10_000;

export class InferenceBatch {
  @Items(() => InferenceItem, { min_items: 1, max_items: maxBatch, description: 'Each is recorded, or refused by itself with the reason.' })
  events!: unknown[];
}

export class RefusedInference {
  @Whole({ max: maxBatch, description: 'Position in `events`, or of the line, from 0.' })
  index!: number;

  @Text({ max: 40, example: 'INVALID_INPUT' })
  code!: string;

  @Text({ max: 100, nullable: true, description: 'The field that was wrong; null: the event as a whole.' })
  field!: string | null;

  @Text({ max: 1_000 })
  accepted!: string;
}

export class InferenceBatchRecorded {
  @Whole({ max: maxBatch })
  accepted!: number;

  @Whole({ max: maxBatch })
  rejected!: number;

  @Parts(() => RefusedInference, { description: 'One for each that is not recorded, by index.' })
  errors!: RefusedInference[];
}

/**
 * Inference events on JetStream. A message is UTF-8 JSON: one event `{model_id, timing_ms, success?, error?, error_type?, occurred_at?}` or
 * `{"events": [1..500 of them]}`. A producer names itself and numbers its messages from 0; whatever arrives twice under the same name and
 * number is counted once.
 */
export const inferenceStream = {
  name: 'EMR_EVENTS',
  subject: 'emr.ev.inference',
  subjects: 'emr.ev.>',
  durable: 'metrics',
  producerHeader: 'Emr-Producer',
  sequenceHeader: 'Emr-Seq',
} as const;

import { Bool, Decimal, Text } from './fields.js';
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

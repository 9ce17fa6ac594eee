import { Instant, Json, type JsonValue, Parts, Text, Whole } from './fields.js';
import { maxTargetingBytes } from './flags.js';
import { IfMatch } from './registry.js';
import { NoInput, Removed, request } from './request.js';
import { view } from './view.js';

export const maxEvaluators = 200;

export class EvaluatorRef {
  @Text({
    max: 64,
    pattern: /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/,
    accepted: '1 to 64 letters, digits, _ and -',
    description: 'What `{"$ref": name}` in a targeting calls it.',
    example: 'paying_customer',
  })
  name!: string;
}

const Rule = (): PropertyDecorator =>
  Json({
    max_bytes: maxTargetingBytes,
    description: 'flagd’s JsonLogic, put wherever a targeting refers to it.',
    example: { in: [{ var: 'plan' }, ['pro', 'team']] },
  });

export class EvaluatorPut extends EvaluatorRef {
  @Text({ min: 0, max: 1000, optional: true })
  description?: string;

  @Rule()
  rule!: JsonValue;

  @IfMatch()
  if_match?: number[];
}

/** A part of targeting that several flags share: flagd's `$evaluators`. */
export class Evaluator extends EvaluatorRef {
  @Text({ min: 0, max: 1000 })
  description!: string;

  @Rule()
  rule!: JsonValue;

  @Instant()
  created_at!: string;

  @Instant()
  updated_at!: string;

  @Text({ max: 100 })
  created_by!: string;

  @Whole({ min: 1 })
  revision!: number;
}

export class EvaluatorRemoval extends EvaluatorRef {
  @IfMatch()
  if_match?: number[];
}

export class Evaluators {
  @Parts(() => Evaluator, { description: 'In the order of their names.' })
  evaluators!: Evaluator[];
}

export const listEvaluators = request('flags.list_evaluators', { input: NoInput, output: Evaluators });
export const getEvaluator = request('flags.get_evaluator', { input: EvaluatorRef, output: Evaluator });
export const putEvaluator = request('flags.put_evaluator', { input: EvaluatorPut, output: Evaluator });
export const removeEvaluator = request('flags.remove_evaluator', { input: EvaluatorRemoval, output: Removed });

export const evaluatorsView = view<Evaluator>('evaluators', ({ name }) => name);

import { Bool, Decimal, Json, type JsonValue, OneOf, Text, Whole } from './fields.js';

export const expectationOps = ['equals', 'approx', 'range', 'one_of', 'matches', 'schema', 'length', 'exists'] as const;
export type ExpectationOp = (typeof expectationOps)[number];

/** One thing that must hold of a model's answer. */
export class Expectation {
  @Text({ max: 500, optional: true, description: 'JSONPath to the value, such as $.outputs[0].data[0]. Default $, the whole answer.' })
  path?: string;

  @OneOf(expectationOps)
  op!: ExpectationOp;

  @Json({
    max_bytes: 100_000,
    optional: true,
    nullable: true,
    description:
      '`equals`, `approx`, `one_of` (a list), `matches` (a pattern), `schema` (a JSON Schema), `length`, `exists` (true or false).',
  })
  value?: JsonValue;

  @Decimal({ min: 0, max: 1e300, optional: true, description: '`approx`: the largest absolute difference.' })
  tolerance?: number;

  @Decimal({ min: 0, max: 1e6, optional: true, description: '`approx`: the largest difference as a share of `value`.' })
  relative?: number;

  @Decimal({ min: -1e300, max: 1e300, optional: true, description: '`range` and `length`: the smallest value.' })
  min?: number;

  @Decimal({ min: -1e300, max: 1e300, optional: true, description: '`range` and `length`: the largest value.' })
  max?: number;
}

export class Check {
  @Whole({ min: 1, max: 100, optional: true, description: '`integration`: the step, from 1.' })
  step?: number;

  @Text({ max: 500 })
  path!: string;

  @Text({ max: 20 })
  op!: string;

  @Bool()
  passed!: boolean;

  @Json({ max_bytes: 100_000, nullable: true })
  expected!: JsonValue;

  @Json({ max_bytes: 100_000, nullable: true, description: 'What the answer had, shortened when it is large.' })
  actual!: JsonValue;

  @Text({ min: 0, max: 1000 })
  reason!: string;
}

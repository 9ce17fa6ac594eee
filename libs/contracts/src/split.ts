import { JsonMap, OneOf, Text } from './fields.js';

export const splitAlgorithms = ['fractional', 'rendezvous'] as const;
export type SplitAlgorithm = (typeof splitAlgorithms)[number];

export const maxVariants = 50;
/** Up to here `floor(hash * total / 2^32)` is exact in a double; the smallest share is below 0.00005 %. */
export const maxTotalWeight = 2 ** 21;

const Weights = (): PropertyDecorator =>
  JsonMap({
    min_keys: 1,
    max_keys: maxVariants,
    max_bytes: 10_000,
    entries: {
      accepted: `variants, each with a whole number from 0 to ${maxTotalWeight}`,
      schema: { type: 'integer', minimum: 0, maximum: maxTotalWeight },
      check: (_, weight) => Number.isSafeInteger(weight) && (weight as number) >= 0 && (weight as number) <= maxTotalWeight,
    },
    description: `Variant → weight, a share of their sum, which is from 1 to ${maxTotalWeight}.`,
    example: { on: 30, off: 70 },
  });

/** Who gets which variant where targeting names none: decided by salt and targeting key alone. */
export class Split {
  @OneOf(splitAlgorithms)
  algorithm!: SplitAlgorithm;

  @Text({ max: 200 })
  salt!: string;

  @Weights()
  weights!: Record<string, number>;
}

/** A split as it is asked for. */
export class NewSplit {
  @OneOf(splitAlgorithms, {
    optional: true,
    description:
      '`fractional` (default): flagd’s buckets, in the order of the variants’ names; of two variants, whoever is in stays in as the weight grows. `rendezvous`: of three or more, a change of weights moves no more keys than it must.',
  })
  algorithm?: SplitAlgorithm;

  @Text({
    max: 200,
    optional: true,
    description: 'What the targeting key is hashed with. Default: what the flag’s split has already, at first the flag’s key.',
  })
  salt?: string;

  @Weights()
  weights!: Record<string, number>;
}

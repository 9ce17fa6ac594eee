import { type FieldProblem, invalidInput } from '#contracts/errors.js';
import { type Flag } from '#contracts/flags.js';

type Definition = Pick<Flag, 'variants' | 'default_variant' | 'rollout_variant' | 'rollout_percentage'>;

/** Throws INVALID_INPUT unless the flag's parts fit together: all values of one JSON type, every variant that is named there. */
export function assertConsistent({ variants, default_variant, rollout_variant, rollout_percentage }: Definition): void {
  const names = Object.keys(variants);
  const oneOf = `one of the variants: ${names.join(', ')}`;
  const problems: FieldProblem[] = [];
  const types = new Set(Object.values(variants).map(typeOf));
  if (types.size > 1) problems.push({ field: 'variants', value: [...types], accepted: 'values of one JSON type' });
  if (types.has('null') || types.has('array'))
    problems.push({ field: 'variants', accepted: 'values that are booleans, strings, numbers or objects' });
  if (!Object.hasOwn(variants, default_variant)) problems.push({ field: 'default_variant', value: default_variant, accepted: oneOf });
  if (rollout_variant !== null && !Object.hasOwn(variants, rollout_variant)) {
    problems.push({ field: 'rollout_variant', value: rollout_variant, accepted: `${oneOf}, or null` });
  }
  if (rollout_variant === null && rollout_percentage > 0) {
    problems.push({ field: 'rollout_percentage', value: rollout_percentage, accepted: '0 while rollout_variant is null' });
  }
  if (problems.length) throw invalidInput(problems);
}

const typeOf = (value: unknown): string => (value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value);

import { AppError, type FieldProblem, invalidInput } from '#contracts/errors.js';
import { type Flag, type FlagChange } from '#contracts/flags.js';
import { maxTotalWeight, type NewSplit, type Split } from '#contracts/split.js';
import { type Definition } from '#evaluation/compiled-flag.js';
import { targetingProblems } from '#evaluation/targeting-rules.js';

/** Throws INVALID_INPUT unless the flag's parts fit together: see `flagProblems`. */
export function assertConsistent(flag: Definition, evaluators: readonly string[]): void {
  const problems = flagProblems(flag, evaluators);
  if (problems.length) throw invalidInput(problems);
}

/** What does not fit: variants of several JSON types, or whatever names a variant or an evaluator that there is not. */
export function flagProblems(flag: Definition, evaluators: readonly string[]): FieldProblem[] {
  const { variants, default_variant, targeting, split, variant_models } = flag;
  const names = Object.keys(variants);
  const oneOf = `one of the variants: ${names.join(', ')}`.slice(0, 1000);
  const problems: FieldProblem[] = [];
  const types = new Set(Object.values(variants).map(typeOf));
  if (types.size > 1) problems.push({ field: 'variants', value: [...types], accepted: 'values of one JSON type' });
  if (types.has('null') || types.has('array'))
    problems.push({ field: 'variants', accepted: 'values that are booleans, strings, numbers or objects' });
  if (default_variant !== null && !Object.hasOwn(variants, default_variant))
    problems.push({ field: 'default_variant', value: default_variant, accepted: `${oneOf}, or null` });
  if (targeting !== null) problems.push(...targetingProblems(targeting, { path: 'targeting', variants: names, evaluators }));
  if (split) problems.push(...splitProblems(split, names, oneOf));
  for (const variant of Object.keys(variant_models))
    if (!Object.hasOwn(variants, variant)) problems.push({ field: `variant_models.${variant}`, accepted: oneOf });
  return problems;
}

function splitProblems({ weights }: Split, names: string[], oneOf: string): FieldProblem[] {
  const problems: FieldProblem[] = [];
  for (const variant of Object.keys(weights))
    if (!names.includes(variant)) problems.push({ field: `split.weights.${variant}`, value: weights[variant], accepted: oneOf });
  const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0);
  if (total < 1 || total > maxTotalWeight)
    problems.push({ field: 'split.weights', value: weights, accepted: `weights whose sum is from 1 to ${maxTotalWeight}` });
  return problems;
}

const typeOf = (value: unknown): string => (value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value);

/** What a split becomes: what is not asked for stays, and a new one is `fractional` with the flag's key as its salt. */
export function splitFrom(asked: NewSplit | null, present: Split | null, flag_key: string): Split | null {
  if (asked === null) return null;
  const { algorithm = present?.algorithm ?? 'fractional', salt = present?.salt ?? flag_key, weights } = asked;
  return { algorithm, salt, weights };
}

const owned = ['state', 'variants', 'split', 'variant_models'] as const;

/** Throws OWNED_BY_ROLLOUT where a change names what the flag's rollout alone changes. */
export function assertNotOwned({ flag_key, rollout_id }: Flag, change: Partial<FlagChange>): void {
  const fields = owned.filter((field) => change[field] !== undefined);
  if (rollout_id === null || fields.length === 0) return;
  throw new AppError('OWNED_BY_ROLLOUT', `Rollout ${rollout_id} alone changes ${fields.join(', ')} of flag ${flag_key}`, {
    rollout_id,
    fields,
    accepted: 'changes of other fields; or end the rollout first',
  });
}

import { type JsonValue, singleLine } from '#contracts/fields.js';
import { type Loss } from '#contracts/flag-import.js';
import { all, attribute, type Candidate, type Imported, isObject, type Json, listOf, note, objectsOf, textOf } from './candidate.js';
import { growthbookCondition, NoOperation } from './growthbook-condition.js';

const otherBuckets = 'the shares are the same, but who is in them is not: flagd spreads keys over buckets in another way';

/** GrowthBook's features, as its SDK endpoint answers them. Each value that a feature may have becomes a variant. */
export function fromGrowthbook(document: Json): Imported {
  const features = isObject(document.features) ? document.features : {};
  return { candidates: Object.entries(features).map(([key, feature]) => candidate(key, isObject(feature) ? feature : {})), evaluators: [] };
}

function candidate(flag_key: string, feature: Json): Candidate {
  const lost: Loss[] = [];
  const variants = new Map<string, [name: string, value: JsonValue]>();
  const variantOf = (value: unknown): JsonValue => {
    if (value === null || value === undefined) return null;
    const text = JSON.stringify(value);
    const known = variants.get(text) ?? [
      variantName(
        value,
        [...variants.values()].map(([name]) => name),
      ),
      value as JsonValue,
    ];
    variants.set(text, known);
    return known[0];
  };
  const fallback = variantOf(feature.defaultValue);
  const rules = objectsOf(feature.rules).flatMap((rule, at) => branch(rule, flag_key, variantOf, lost, `rules[${at}]`));
  if (!variants.size)
    return { flag_key, flag: null, lost: [...lost, { field: 'defaultValue', reason: 'the feature has no value at all' }] };
  return {
    flag_key,
    flag: {
      variants: Object.fromEntries(variants.values()),
      default_variant: fallback,
      targeting: rules.length ? { if: [...rules, null] } : null,
    },
    lost,
  };
}

/** A value as a name where that is one, else a number of its own. */
function variantName(value: unknown, taken: string[]): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const fits = typeof value !== 'object' && text.length <= 100 && singleLine.test(text);
  let name = fits ? text : `value_${taken.length}`;
  while (taken.includes(name)) name += '_';
  return name;
}

/** A rule as condition and variant; nothing where it cannot be carried over, so that the next ones hold. */
function branch(rule: Json, key: string, variantOf: (value: unknown) => JsonValue, lost: Loss[], field: string): JsonValue[] {
  const conditions: JsonValue[] = [];
  try {
    if (isObject(rule.condition)) conditions.push(growthbookCondition(rule.condition));
  } catch (error) {
    if (!(error instanceof NoOperation)) throw error;
    return leave(lost, field, error.message);
  }
  for (const name of ['parentConditions', 'namespace', 'filters', 'ranges', 'savedGroups'])
    if (rule[name] !== undefined) return leave(lost, field, `${name} is not carried over`);
  const unit = attribute(textOf(rule.hashAttribute) || 'id', 'id');
  const seed = textOf(rule.seed) || textOf(rule.key) || key;
  const { coverage } = rule;
  if (typeof coverage === 'number' && coverage < 1) {
    note(lost, field, otherBuckets);
    conditions.push(isThere(unit), covered(coverage, unit, seed));
  }
  if (rule.force !== undefined) return [all(conditions), variantOf(rule.force)];
  const values = listOf(rule.variations);
  if (!values.length) return leave(lost, field, 'neither force nor variations');
  note(lost, field, otherBuckets);
  if (typeof coverage !== 'number' || coverage >= 1) conditions.push(isThere(unit));
  const weights = listOf(rule.weights).filter((weight) => typeof weight === 'number');
  const even = weights.length !== values.length;
  // Millionths: what a GrowthBook weight can have.
  const buckets = values.map((value, at): JsonValue => [variantOf(value), even ? 1 : Math.round(weights[at]! * 1e6)]);
  return [all(conditions), { fractional: [{ cat: [seed, ':', unit] }, ...buckets] }];
}

const isThere = (unit: JsonValue): JsonValue => ({ '!==': [unit, null] });

/** Hashed apart from the choice of a variation, so that the two are independent. */
function covered(coverage: number, unit: JsonValue, seed: string): JsonValue {
  const share = Math.round(Math.max(0, coverage) * 1e6);
  return { fractional: [{ cat: ['coverage:', seed, ':', unit] }, [true, share], [false, 1e6 - share]] };
}

function leave(lost: Loss[], field: string, reason: string): [] {
  note(lost, field, `${reason}: the rule is left out`);
  return [];
}

import { type JsonValue } from '#contracts/fields.js';
import { all, any, attribute, type Json, listOf, not, textOf } from './candidate.js';

/** A condition as a rule, or why there is none. */
export type Condition = { rule: JsonValue } | { lost: string };

const isSet = (value: JsonValue): JsonValue => ({ '!==': [value, null] });
/** Unleash compares texts; attributes may also be numbers or booleans. */
const asText = (value: JsonValue): JsonValue => ({ cat: [value] });

const comparisons: Record<string, string> = {
  NUM_EQ: '==',
  NUM_GT: '>',
  NUM_GTE: '>=',
  NUM_LT: '<',
  NUM_LTE: '<=',
  DATE_AFTER: '>',
  DATE_BEFORE: '<',
  SEMVER_EQ: '=',
  SEMVER_GT: '>',
  SEMVER_GTE: '>=',
  SEMVER_LT: '<',
  SEMVER_LTE: '<=',
};

const fullVersion = /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$/;

/** One of Unleash's constraints. An attribute that is not there fulfils none but an inverted one, and NOT_IN. */
export function unleashConstraint(constraint: Json): Condition {
  const operator = textOf(constraint.operator);
  const plain = plainCondition(constraint, operator);
  if ('lost' in plain || constraint.inverted !== true) return plain;
  return { rule: not(plain.rule) };
}

function plainCondition(constraint: Json, operator: string): Condition {
  const name = textOf(constraint.contextName);
  const value = attribute(name, 'userId');
  const values = listOf(constraint.values).map(String);
  if (operator === 'IN') return { rule: isOneOf(value, values) };
  if (operator === 'NOT_IN') return { rule: not(isOneOf(value, values)) };
  if (operator.startsWith('STR_')) return textCondition(constraint, operator, value, values);
  const compare = Object.hasOwn(comparisons, operator) ? comparisons[operator] : undefined;
  if (compare === undefined) return { lost: `flagd has no operation for ${operator}` };
  if (operator.startsWith('NUM_')) return numberCondition(constraint, compare, value);
  if (operator.startsWith('DATE_')) return dateCondition(constraint, compare, name);
  return versionCondition(constraint, compare, name);
}

const isOneOf = (value: JsonValue, values: string[]): JsonValue => all([isSet(value), { in: [asText(value), values] }]);

function textCondition({ caseInsensitive }: Json, operator: string, value: JsonValue, values: string[]): Condition {
  if (caseInsensitive === true) return { lost: 'flagd compares texts with their case' };
  const holds: Record<string, (part: string) => JsonValue> = {
    STR_STARTS_WITH: (part) => ({ starts_with: [asText(value), part] }),
    STR_ENDS_WITH: (part) => ({ ends_with: [asText(value), part] }),
    STR_CONTAINS: (part) => ({ in: [part, asText(value)] }),
  };
  const rule = Object.hasOwn(holds, operator) ? holds[operator] : undefined;
  return rule ? { rule: all([isSet(value), any(values.map(rule))]) } : { lost: `flagd has no operation for ${operator}` };
}

function numberCondition(constraint: Json, compare: string, value: JsonValue): Condition {
  const { value: asked } = constraint;
  const number = typeof asked === 'string' && asked.trim() !== '' ? Number(asked) : asked;
  if (typeof number !== 'number' || !Number.isFinite(number)) return { lost: 'the value is no number' };
  return { rule: all([isSet(value), { [compare]: [value, number] }]) };
}

/** flagd knows the time itself, in whole seconds. */
function dateCondition(constraint: Json, compare: string, name: string): Condition {
  const time = Date.parse(textOf(constraint.value));
  if (name !== 'currentTime') return { lost: 'flagd reads no dates but the time of the evaluation' };
  if (Number.isNaN(time)) return { lost: 'the value is no date' };
  return { rule: { [compare]: [{ var: '$flagd.timestamp' }, time / 1_000] } };
}

function versionCondition(constraint: Json, compare: string, name: string): Condition {
  const version = textOf(constraint.value);
  return fullVersion.test(version)
    ? { rule: { sem_ver: [{ var: name }, compare, version] } }
    : { lost: 'the value is no semantic version' };
}

import { type JsonValue } from '#contracts/fields.js';
import { all, any, attribute, isObject, type Json, listOf, not } from './candidate.js';

/** Thrown for a condition that flagd has no operation for. */
export class NoOperation extends Error {}

const versions: Record<string, string> = { $veq: '=', $vne: '!=', $vgt: '>', $vgte: '>=', $vlt: '<', $vlte: '<=' };
const comparisons: Record<string, string> = { $gt: '>', $gte: '>=', $lt: '<', $lte: '<=' };

/** GrowthBook's condition, a part of MongoDB's query language, as a rule. Throws NoOperation. */
export function growthbookCondition(condition: Json): JsonValue {
  return all(
    Object.entries(condition).map(([name, asked]): JsonValue => {
      if (name === '$or') return any(listOf(asked).map(part));
      if (name === '$nor') return not(any(listOf(asked).map(part)));
      if (name === '$and') return all(listOf(asked).map(part));
      if (name === '$not') return not(part(asked));
      return valueCondition(attribute(name, 'id'), asked, name);
    }),
  );
}

const part = (condition: unknown): JsonValue => growthbookCondition(isObject(condition) ? condition : {});

const isOperator = (asked: unknown): asked is Json =>
  isObject(asked) && Object.keys(asked).length > 0 && Object.keys(asked).every((key) => key.startsWith('$'));

function valueCondition(value: JsonValue, asked: unknown, name: string): JsonValue {
  // As texts: GrowthBook takes the number 1 for '1' here, and nowhere else.
  if (typeof asked === 'string') return { '===': [{ cat: [value] }, asked] };
  if (!isOperator(asked)) return equals(value, asked);
  return all(Object.entries(asked).map(([operator, operand]) => operation(value, operator, operand, name)));
}

function operation(value: JsonValue, operator: string, operand: unknown, name: string): JsonValue {
  if (operator === '$eq') return equals(value, operand);
  if (operator === '$ne') return not(equals(value, operand));
  if (operator === '$in') return isOneOf(value, operand);
  if (operator === '$nin') return not(isOneOf(value, operand));
  if (operator === '$not') return not(valueCondition(value, operand, name));
  if (operator === '$exists') return { [operand ? '!==' : '===']: [value, null] };
  if (Object.hasOwn(comparisons, operator) && isComparable(operand))
    return all([{ '!==': [value, null] }, { [comparisons[operator]!]: [value, operand] }]);
  const version = Object.hasOwn(versions, operator) ? versions[operator] : undefined;
  if (version !== undefined && typeof operand === 'string' && /^v?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/.test(operand))
    return { sem_ver: [{ var: name }, version, operand.replace(/^v/, '')] };
  throw new NoOperation(`flagd has no operation for ${operator.slice(0, 40)} here`);
}

const isComparable = (operand: unknown): operand is JsonValue => typeof operand === 'number' || typeof operand === 'string';

function equals(value: JsonValue, operand: unknown): JsonValue {
  if (typeof operand === 'object' && operand !== null) throw new NoOperation('flagd compares no lists and no objects');
  return { '===': [value, operand ?? null] };
}

function isOneOf(value: JsonValue, operands: unknown): JsonValue {
  const list = listOf(operands);
  if (list.some((operand) => typeof operand === 'object' && operand !== null))
    throw new NoOperation('flagd compares no lists and no objects');
  return { in: [value, list] };
}

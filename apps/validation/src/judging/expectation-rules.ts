import { isPlainJson } from '#contracts/fields.js';
import type { Expectation, ExpectationOp } from '#contracts/expectation.js';
import { acceptedSchema, schemaFailure, schemaProblem } from './json-schema.js';
import { acceptedPattern, compilePattern, maxTextLength, PatternError } from './linear-pattern.js';

/** A field of an expectation that its op cannot work with. */
export interface Unfit {
  field: 'value' | 'tolerance' | 'relative' | 'min' | 'max';
  accepted: string;
}

interface Rule {
  /** The fields it reads besides path and op; others are refused. */
  reads: Unfit['field'][];
  unfit(expectation: Expectation): Unfit[];
  /** Why the value fails; null when it is as expected. `actual` is undefined where the path leads to nothing. */
  failure(expectation: Expectation, actual: unknown): string | null;
}

const maxChoices = 100;
const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
const isPositive = (value: unknown): boolean => isNumber(value) && value >= 0;
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
const isNumbers = (value: unknown): boolean => isNumber(value) || (Array.isArray(value) && value.length > 0 && value.every(isNumbers));

/** Equality of JSON: numbers by value, objects whatever the order of their keys. No deeper than `expected`, which is plain JSON. */
function isEqual(expected: unknown, actual: unknown): boolean {
  if (typeof expected !== 'object' || expected === null) return expected === actual;
  if (typeof actual !== 'object' || actual === null || Array.isArray(expected) !== Array.isArray(actual)) return false;
  const keys = Object.keys(expected);
  const at = (value: object, key: string): unknown => (value as Record<string, unknown>)[key];
  return (
    keys.length === Object.keys(actual).length &&
    keys.every((key) => Object.hasOwn(actual, key) && isEqual(at(expected, key), at(actual, key)))
  );
}

/** Close when |actual − expected| ≤ max(tolerance, relative × |expected|), as in PEP 485 but relative to the expected value alone. */
function difference(expected: unknown, actual: unknown, tolerance: number, relative: number): string | null {
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual) || actual.length !== expected.length) return `is not a list of ${expected.length}`;
    return expected.map((entry, index) => difference(entry, actual[index], tolerance, relative)).find((reason) => reason !== null) ?? null;
  }
  if (!isNumber(actual)) return 'is not a number where a number is expected';
  const allowed = Math.max(tolerance, relative * Math.abs(expected as number));
  const distance = Math.abs(actual - (expected as number));
  return distance <= allowed ? null : `${actual} differs from ${String(expected)} by ${distance}, more than ${allowed}`;
}

function outside(value: unknown, min = -Infinity, max = Infinity): string | null {
  if (!isNumber(value)) return 'is not a number';
  if (value < min) return `${value} is less than ${min}`;
  return value > max ? `${value} is more than ${max}` : null;
}

function unfitBounds({ min, max }: Expectation, isBound: (value: unknown) => boolean, bound: string): Unfit[] {
  const unfit: Unfit[] = [];
  if (min !== undefined && !isBound(min)) unfit.push({ field: 'min', accepted: bound });
  if (max !== undefined && !isBound(max)) unfit.push({ field: 'max', accepted: bound });
  if (isNumber(min) && isNumber(max) && min > max) unfit.push({ field: 'max', accepted: `${bound}, not less than min` });
  return unfit;
}

function patternProblem(pattern: unknown): string | null {
  if (typeof pattern !== 'string') return 'it is not a string';
  try {
    compilePattern(pattern);
    return null;
  } catch (error) {
    if (error instanceof PatternError) return error.message;
    throw error;
  }
}

/** What each op needs of the expectation and of the value. */
export const expectationRules: Record<ExpectationOp, Rule> = {
  equals: {
    reads: ['value'],
    unfit: ({ value }) => (isPlainJson(value) ? [] : [{ field: 'value', accepted: 'any JSON' }]),
    failure: ({ value }, actual) => (isEqual(value, actual) ? null : 'is not equal to the expected value'),
  },

  approx: {
    reads: ['value', 'tolerance', 'relative'],
    unfit({ value, tolerance, relative }) {
      const unfit: Unfit[] = [];
      if (!isPlainJson(value) || !isNumbers(value)) unfit.push({ field: 'value', accepted: 'a number or a list of numbers' });
      if (tolerance === undefined && relative === undefined) unfit.push({ field: 'tolerance', accepted: 'tolerance, relative or both' });
      if (tolerance !== undefined && !isPositive(tolerance)) unfit.push({ field: 'tolerance', accepted: 'a number from 0' });
      if (relative !== undefined && !isPositive(relative)) unfit.push({ field: 'relative', accepted: 'a number from 0' });
      return unfit;
    },
    failure: ({ value, tolerance = 0, relative = 0 }, actual) => difference(value, actual, tolerance, relative),
  },

  range: {
    reads: ['min', 'max'],
    unfit: (expectation) =>
      expectation.min === undefined && expectation.max === undefined
        ? [{ field: 'min', accepted: 'min, max or both' }]
        : unfitBounds(expectation, isNumber, 'a number'),
    failure: ({ min, max }, actual) => {
      // A tensor's data may be nested rows.
      const values: unknown[] = Array.isArray(actual) ? actual.flat(Infinity) : [actual];
      if (values.length === 0) return 'is an empty list';
      return values.map((value) => outside(value, min, max)).find((reason) => reason !== null) ?? null;
    },
  },

  one_of: {
    reads: ['value'],
    unfit: ({ value }) =>
      Array.isArray(value) && value.length > 0 && value.length <= maxChoices && isPlainJson(value)
        ? []
        : [{ field: 'value', accepted: `a list of 1 to ${maxChoices} JSON values` }],
    failure: ({ value }, actual) =>
      (value as unknown[]).some((choice) => isEqual(choice, actual)) ? null : 'is none of the expected values',
  },

  matches: {
    reads: ['value'],
    unfit({ value }) {
      const problem = patternProblem(value);
      return problem === null ? [] : [{ field: 'value', accepted: `${acceptedPattern} (${problem})` }];
    },
    failure({ value }, actual) {
      if (typeof actual !== 'string') return 'is not a string';
      if (actual.length > maxTextLength) return `is longer than the ${maxTextLength} characters that are matched`;
      return compilePattern(value as string)(actual) ? null : 'does not match the pattern';
    },
  },

  schema: {
    reads: ['value'],
    unfit({ value }) {
      const problem = schemaProblem(value);
      return problem === null ? [] : [{ field: 'value', accepted: `${acceptedSchema} (${problem})` }];
    },
    failure: ({ value }, actual) => schemaFailure(value, actual),
  },

  length: {
    reads: ['value', 'min', 'max'],
    unfit(expectation) {
      const { value, min, max } = expectation;
      const count = 'a whole number from 0';
      if (value === undefined && min === undefined && max === undefined)
        return [{ field: 'value', accepted: `${count}, or min, max or both` }];
      if (value !== undefined && (min !== undefined || max !== undefined))
        return [{ field: 'value', accepted: 'value, or min and max, not both' }];
      return value === undefined ? unfitBounds(expectation, isCount, count) : isCount(value) ? [] : [{ field: 'value', accepted: count }];
    },
    /** Of a list its entries, of a string its characters (code points). */
    failure({ value, min, max }, actual) {
      if (!Array.isArray(actual) && typeof actual !== 'string') return 'is neither a list nor a string';
      const length = typeof actual === 'string' ? [...actual].length : actual.length;
      if (value !== undefined) return length === value ? null : `has the length ${length}`;
      const reason = outside(length, min, max);
      return reason && `the length ${reason}`;
    },
  },

  exists: {
    reads: ['value'],
    unfit: ({ value }) =>
      value === undefined || typeof value === 'boolean' ? [] : [{ field: 'value', accepted: 'true or false; default true' }],
    failure({ value = true }, actual) {
      if ((actual !== undefined) === value) return null;
      return value ? 'there is no value at this path' : 'there is a value at this path';
    },
  },
};

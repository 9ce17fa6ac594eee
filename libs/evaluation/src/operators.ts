import { assertBuildable, type Rule, EvaluationFault } from './rule.js';
import { parseVersion, versionComparisons } from './sem-ver.js';
import { isAtMost, isBelow, isTruthy, looselyEqual, numberOf, textOf, valueAt } from './values.js';

/** Makes a rule of its compiled arguments; `raw` are the arguments as they are written. */
export type Operator = (args: Rule[], raw: unknown[]) => Rule;

const nothing: Rule = () => null;
const binary =
  (of: (a: unknown, b: unknown) => unknown): Operator =>
  ([first = nothing, second = nothing]) =>
  (data, run) =>
    of(first(data, run), second(data, run));

const unary =
  (of: (value: unknown) => unknown): Operator =>
  ([only = nothing]) =>
  (data, run) =>
    of(only(data, run));

const variadic =
  (of: (values: unknown[]) => unknown): Operator =>
  (args) =>
  (data, run) =>
    of(args.map((arg) => arg(data, run)));

/** `a < b`, or with a third `a < b < c`. */
const ordered =
  (holds: (a: unknown, b: unknown) => boolean): Operator =>
  ([first = nothing, second = nothing, third]) =>
  (data, run) => {
    const middle = second(data, run);
    return holds(first(data, run), middle) && (!third || holds(middle, third(data, run)));
  };

function number(value: number): number {
  if (Number.isNaN(value)) throw new EvaluationFault('GENERAL', 'The rule calculates with something that is no number');
  return value;
}

const sum = (values: unknown[]): number => number(values.reduce<number>((total, value) => total + numberOf(value), 0));
const product = (values: unknown[]): number => number(values.reduce<number>((total, value) => total * numberOf(value), 1));

function difference([first, ...rest]: unknown[]): number {
  return number(rest.length ? rest.reduce<number>((left, value) => left - numberOf(value), numberOf(first)) : -numberOf(first));
}

function quotient(a: unknown, b: unknown): number {
  if (numberOf(b) === 0) throw new EvaluationFault('GENERAL', 'The rule divides by zero');
  return number(numberOf(a) / numberOf(b));
}

/** `max` and `min` also take one list. */
const numbers = (values: unknown[]): number[] =>
  (values.length === 1 && Array.isArray(values[0]) ? (values[0] as unknown[]) : values).map((value) => number(numberOf(value)));

function extreme(values: unknown[], of: (a: number, b: number) => number): number | null {
  const [first, ...rest] = numbers(values);
  return first === undefined ? null : rest.reduce((best, value) => of(best, value), first);
}

/** Nothing is in an empty text, not even another. */
function isIn(needle: unknown, hay: unknown): boolean {
  if (typeof hay === 'string') return hay !== '' && typeof needle === 'string' && hay.includes(needle);
  return Array.isArray(hay) && hay.includes(needle);
}

function concatenated(values: unknown[]): string {
  let text = '';
  for (const value of values) {
    text += textOf(value);
    assertBuildable(text.length);
  }
  return text;
}

function merged(values: unknown[]): unknown[] {
  const list = values.flat();
  assertBuildable(list.length);
  return list;
}

/** From a position, negative from the end; a negative length leaves out so many at the end. */
function part([text, from, length]: unknown[]): string {
  const start = Math.trunc(numberOf(from)) || 0;
  const rest = textOf(text).slice(start);
  if (length === undefined) return rest;
  const count = Math.trunc(numberOf(length)) || 0;
  return rest.slice(0, count);
}

const or: Operator = (args) => (data, run) => {
  let value: unknown = null;
  for (const arg of args) if (isTruthy((value = arg(data, run)))) return value;
  return value;
};

const and: Operator = (args) => (data, run) => {
  let value: unknown = null;
  for (const arg of args) if (!isTruthy((value = arg(data, run)))) return value;
  return value;
};

const isAbsent = (data: unknown, name: unknown): boolean => {
  const value = valueAt(data, String(name).split('.'));
  return value === undefined || value === null || value === '';
};

/** The names that the data lacks. */
const missing: Operator = (args) => (data, run) => {
  const names = args.flatMap((arg) => arg(data, run));
  return names.filter((name) => isAbsent(data, name));
};

const missingSome: Operator = ([needed = nothing, names = nothing]) => {
  return (data, run) => {
    const list: unknown = names(data, run);
    if (!Array.isArray(list)) return [];
    const absent: unknown[] = list.filter((name) => isAbsent(data, name));
    return list.length - absent.length >= numberOf(needed(data, run)) ? [] : absent;
  };
};

const comparesText = (holds: (text: string, part: string) => boolean): Operator =>
  binary((text, part) => (typeof text === 'string' && typeof part === 'string' ? holds(text, part) : null));

/** Versions that are written in the rule are read once. */
const semVer: Operator = ([first = nothing, , third = nothing], raw) => {
  const compare = versionComparisons[String(raw[1])];
  if (!compare || raw.length !== 3) return nothing;
  const read = (arg: Rule, written: unknown): ((...data: Parameters<Rule>) => ReturnType<typeof parseVersion>) => {
    if (typeof written === 'object' && written !== null) return (data, run) => parseVersion(arg(data, run));
    const version = parseVersion(written);
    return () => version;
  };
  const [left, right] = [read(first, raw[0]), read(third, raw[2])];
  return (data, run) => {
    const [a, b] = [left(data, run), right(data, run)];
    return a && b ? compare(a, b) : null;
  };
};

export const operators: Record<string, Operator> = {
  '==': binary(looselyEqual),
  '===': binary((a, b) => a === b),
  '!=': binary((a, b) => !looselyEqual(a, b)),
  '!==': binary((a, b) => a !== b),
  '<': ordered(isBelow),
  '<=': ordered(isAtMost),
  '>': ordered((a, b) => isBelow(b, a)),
  '>=': ordered((a, b) => isAtMost(b, a)),
  '!': unary((value) => !isTruthy(value)),
  '!!': unary(isTruthy),
  or,
  and,
  '+': variadic(sum),
  '*': variadic(product),
  '-': variadic(difference),
  '/': binary(quotient),
  '%': binary((a, b) => number(numberOf(a) % numberOf(b))),
  max: variadic((values) => extreme(values, Math.max)),
  min: variadic((values) => extreme(values, Math.min)),
  in: binary(isIn),
  cat: variadic(concatenated),
  merge: variadic(merged),
  substr: variadic(part),
  missing,
  missing_some: missingSome,
  starts_with: comparesText((text, start) => text.startsWith(start)),
  ends_with: comparesText((text, end) => text.endsWith(end)),
  sem_ver: semVer,
};

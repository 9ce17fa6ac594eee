import type { FieldProblem } from '#contracts/errors.js';
import { isPlainJson, type JsonValue } from '#contracts/fields.js';
import type { Check, Expectation, ExpectationOp } from '#contracts/expectation.js';
import { expectationRules, type Unfit } from './expectation-rules.js';
import { acceptedPath, parsePath, valueAt } from '#contracts/json-path.js';

const maxShownLength = 1000;

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const isOp = (value: unknown): value is ExpectationOp => typeof value === 'string' && Object.hasOwn(expectationRules, value);

/** The value itself when it is small and can be stored, else the beginning of its JSON text. */
function shown(value: unknown, maxLength = maxShownLength): JsonValue {
  if (value === undefined) return null;
  if (!isPlainJson(value)) return '(a value that cannot be stored: too deep, or with a NUL)';
  const text = JSON.stringify(value);
  return text.length <= maxLength ? value : `${text.slice(0, maxLength).toWellFormed()}… (${text.length} characters)`;
}

function problemsOf(expectation: unknown): FieldProblem[] {
  if (!isObject(expectation)) return [{ field: '', accepted: 'an object with path, op and what the op needs' }];
  const problems: FieldProblem[] = [];
  const report = (field: string, accepted: string): void => {
    const value = expectation[field];
    problems.push({ field, ...(value !== undefined && { value: shown(value, 100) }), accepted });
  };

  const { path = '$', op } = expectation;
  if (typeof path !== 'string' || !parsePath(path)) report('path', acceptedPath);
  if (!isOp(op)) {
    report('op', `one of ${Object.keys(expectationRules).join(', ')}`);
    return problems;
  }
  const rule = expectationRules[op];
  for (const field of Object.keys(expectation)) {
    if (expectation[field] === undefined || field === 'path' || field === 'op') continue;
    if (!rule.reads.includes(field as Unfit['field'])) report(field, `nothing: ${op} reads ${rule.reads.join(', ')} only`);
  }
  for (const { field, accepted } of rule.unfit(expectation as unknown as Expectation)) report(field, accepted);
  return problems;
}

/**
 * What is wrong with expectations, beyond the types of their fields: paths that cannot be read, patterns outside the accepted syntax, fields an
 * op lacks or does not read. Each problem names its field as `<field>.<position>.<field>` and what is accepted.
 */
export function expectationProblems(field: string, expectations: readonly unknown[]): FieldProblem[] {
  return expectations.flatMap((expectation, index) =>
    problemsOf(expectation).map((problem) => ({ ...problem, field: `${field}.${index}${problem.field && `.${problem.field}`}` })),
  );
}

/** What a check held the value against: the expectation's own fields, or its value alone when it has nothing else. */
function expectedOf({ value, tolerance, relative, min, max }: Expectation): JsonValue {
  const given = Object.entries({ value, tolerance, relative, min, max }).filter(([, entry]) => entry !== undefined);
  return shown(given.length === 1 && value !== undefined ? value : Object.fromEntries(given));
}

function failed(path: string, op: string, reason: string): Check {
  return { path, op, expected: null, actual: null, passed: false, reason };
}

function check(expectation: Expectation, answer: unknown): Check {
  const [problem] = problemsOf(expectation);
  if (problem) return failed('$', 'invalid', `the expectation cannot be used: ${problem.field || 'it'} must be ${problem.accepted}`);
  const { path = '$', op } = expectation;
  if (!isPlainJson(answer)) return failed(path, op, 'the answer is not JSON that can be judged: too deep, or with a NUL');
  const actual = valueAt(answer, parsePath(path) ?? []);
  const nothing = actual === undefined && op !== 'exists';
  const reason = nothing ? 'there is no value at this path' : expectationRules[op].failure(expectation, actual);
  const expected = op === 'exists' ? (expectation.value ?? true) : expectedOf(expectation);
  return { path, op, expected, actual: shown(actual), passed: reason === null, reason: reason ?? '' };
}

export interface Expected {
  expectations: readonly Expectation[];
  /** Milliseconds; the check of it has op `max_duration_ms` and path `duration_ms`. */
  max_duration_ms?: number | null;
}

export interface Judgement {
  outcome: 'passed' | 'failed';
  checks: Check[];
}

/**
 * Holds a model's answer and the call's duration (ms) against what is expected of them. Passed when every check passed, and there was one: what
 * checks nothing proves nothing. Never throws: an expectation that cannot be used is a check that did not pass.
 */
export function judge({ expectations, max_duration_ms }: Expected, answer: unknown, duration_ms: number): Judgement {
  const checks = expectations.map((expectation) => check(expectation, answer));
  if (typeof max_duration_ms === 'number') {
    const passed = duration_ms <= max_duration_ms;
    const reason = passed ? '' : `the call took ${duration_ms} ms, more than ${max_duration_ms} ms`;
    checks.push({ path: 'duration_ms', op: 'max_duration_ms', expected: max_duration_ms, actual: duration_ms, passed, reason });
  }
  return { outcome: checks.length > 0 && checks.every(({ passed }) => passed) ? 'passed' : 'failed', checks };
}

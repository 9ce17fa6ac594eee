import { type FieldProblem } from '#contracts/errors.js';
import { maxFlagdWeight } from './fractional.js';
import { versionComparisons } from './sem-ver.js';
import { textOf } from './values.js';

interface Known {
  /** Where the rule stands, such as `targeting`. */
  path: string;
  /** The variants that it may name; undefined where any flag may use it. */
  variants?: readonly string[];
  /** The shared evaluators that it may refer to. */
  evaluators: readonly string[];
}

interface Place extends Known {
  /** Whether what stands here is the rule's answer: a variant, or null. */
  answers: boolean;
}

type Check = (argument: unknown, place: Place) => FieldProblem[];

const rest = Number.POSITIVE_INFINITY;

/** How many arguments an operation of flagd's schema takes. Those with arguments of their own kind are in `special`. */
const arities: Record<string, [min: number, max: number]> = {
  '==': [2, 2],
  '===': [2, 2],
  '!=': [2, 2],
  '!==': [2, 2],
  '<': [2, 3],
  '<=': [2, 3],
  '>': [2, 2],
  '>=': [2, 2],
  '+': [1, rest],
  '-': [1, rest],
  '*': [2, rest],
  '/': [2, 2],
  '%': [2, 2],
  max: [1, rest],
  min: [1, rest],
  in: [2, 2],
  cat: [1, rest],
  merge: [1, rest],
  substr: [2, 3],
  or: [1, rest],
  and: [1, rest],
  map: [2, 2],
  filter: [2, 2],
  all: [2, 2],
  some: [2, 2],
  none: [2, 2],
  reduce: [3, 3],
};

const special: Record<string, Check> = {
  var: variable,
  if: conditional,
  '!': negation,
  '!!': negation,
  missing: (argument, place) => (isStrings(argument) ? [] : [problem(place, argument, 'a list of names')]),
  missing_some: missingSome,
  starts_with: textComparison,
  ends_with: textComparison,
  sem_ver: versionComparison,
  fractional,
  $ref: reference,
};

const operations = [...Object.keys(arities), ...Object.keys(special)];
const acceptedRule = `an object with one operation: ${operations.join(' ')}`;

/**
 * What is wrong with a targeting or a shared evaluator, by flagd's schema; each with its path in the definition, such as `targeting.if[0].==[1]`.
 * Beyond the schema, what an answer names must be a variant, and what is referred to must be there.
 */
export function targetingProblems(rule: unknown, known: Known): FieldProblem[] {
  const place = { ...known, answers: true };
  if (!isObject(rule)) return [problem(place, rule, `${acceptedRule}; or an empty object`)];
  if (Object.keys(rule).length === 0) return [];
  if (Object.hasOwn(rule, '$ref')) return [problem(place, rule, 'an operation; a reference only within one')];
  return ruleProblems(rule, place);
}

function ruleProblems(rule: unknown, place: Place): FieldProblem[] {
  if (Array.isArray(rule)) return rule.flatMap((item, at) => ruleProblems(item, inner(place, `[${at}]`)));
  if (!isObject(rule)) return place.answers ? namedProblems(rule, place) : [];
  const [[name, argument] = [], ...others] = Object.entries(rule);
  if (name === undefined || others.length) return [problem(place, rule, acceptedRule)];
  const at = { ...place, path: `${place.path}.${name}` };
  const check = Object.hasOwn(special, name) ? special[name] : undefined;
  if (check) return check(argument, at);
  const arity = Object.hasOwn(arities, name) ? arities[name] : undefined;
  return arity ? argumentProblems(argument, arity, at) : [problem(place, rule, acceptedRule)];
}

function argumentProblems(argument: unknown, [min, max]: [number, number], place: Place): FieldProblem[] {
  const count = min === max ? `${min}` : max === rest ? `${min} or more` : `${min} to ${max}`;
  if (!Array.isArray(argument) || argument.length < min || argument.length > max)
    return [problem(place, argument, `a list of ${count} arguments`)];
  return argument.flatMap((item, at) => ruleProblems(item, inner(place, `[${at}]`)));
}

/** What an answer says by itself: null, or the name of a variant. */
function namedProblems(named: unknown, place: Place): FieldProblem[] {
  const { variants } = place;
  if (named === null || !variants || variants.includes(textOf(named))) return [];
  return [problem(place, named, `one of the variants: ${variants.join(', ')}; or null`)];
}

function variable(argument: unknown, place: Place): FieldProblem[] {
  const [name, fallback, ...others] = Array.isArray(argument) ? (argument as unknown[]) : [argument];
  if (!(typeof name === 'string' || Number.isSafeInteger(name)) || others.length)
    return [problem(place, argument, 'a name such as "country" or "user.plan", or a list of it and what holds where there is none')];
  if (typeof name === 'string' && name.startsWith('$flagd.') && name !== '$flagd.timestamp' && name !== '$flagd.flagKey')
    return [problem(place, name, '$flagd.timestamp or $flagd.flagKey')];
  return fallback === undefined ? [] : ruleProblems(fallback, inner(place, '[1]'));
}

function conditional(argument: unknown, place: Place): FieldProblem[] {
  if (!Array.isArray(argument) || argument.length === 0)
    return [problem(place, argument, 'a list of condition, value, condition, value, …, value')];
  const isResult = (at: number): boolean => at % 2 === 1 || at === argument.length - 1;
  return argument.flatMap((part, at) =>
    ruleProblems(part, { ...inner(place, `[${at}]`), answers: place.answers && isResult(at) && argument.length > 1 }),
  );
}

function negation(argument: unknown, place: Place): FieldProblem[] {
  if (!Array.isArray(argument)) return ruleProblems(argument, { ...place, answers: false });
  return argument.length === 1 ? ruleProblems(argument[0], inner(place, '[0]')) : [problem(place, argument, 'one argument')];
}

function missingSome(argument: unknown, place: Place): FieldProblem[] {
  const fits = Array.isArray(argument) && argument.length === 2 && typeof argument[0] === 'number' && isStrings(argument[1]);
  return fits ? [] : [problem(place, argument, 'a list of how many are needed and of a list of names')];
}

function textComparison(argument: unknown, place: Place): FieldProblem[] {
  if (!Array.isArray(argument) || argument.length !== 2) return [problem(place, argument, 'a list of 2 arguments')];
  return argument.flatMap((part: unknown, at) => {
    const here = inner(place, `[${at}]`);
    return typeof part === 'string' || isObject(part) ? ruleProblems(part, here) : [problem(here, part, 'a text or an operation')];
  });
}

const fullVersion = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$/;

function versionComparison(argument: unknown, place: Place): FieldProblem[] {
  if (!Array.isArray(argument) || argument.length !== 3) return [problem(place, argument, 'a list of version, comparison and version')];
  const comparisons = Object.keys(versionComparisons);
  return argument.flatMap((part: unknown, at) => {
    const here = inner(place, `[${at}]`);
    if (at === 1) return comparisons.includes(part as string) ? [] : [problem(here, part, `one of ${comparisons.join(' ')}`)];
    if (isObject(part) && Object.hasOwn(part, 'var')) return ruleProblems(part, here);
    return typeof part === 'string' && fullVersion.test(part) ? [] : [problem(here, part, 'a version such as 1.2.3, or a var')];
  });
}

function fractional(argument: unknown, place: Place): FieldProblem[] {
  const accepted = 'a list of buckets [variant, weight], after an operation that makes the text to be hashed, if any';
  if (!Array.isArray(argument) || argument.length === 0) return [problem(place, argument, accepted)];
  const buckets = argument.slice(isObject(argument[0]) ? 1 : 0);
  const first = argument.length - buckets.length;
  if (buckets.length === 0) return [problem(place, argument, accepted)];
  const problems = first ? ruleProblems(argument[0], inner(place, '[0]')) : [];
  for (const [at, bucket] of buckets.entries())
    problems.push(...bucketProblems(bucket, { ...place, path: `${place.path}[${at + first}]` }));
  return problems;
}

function bucketProblems(bucket: unknown, place: Place): FieldProblem[] {
  if (!Array.isArray(bucket) || bucket.length < 1 || bucket.length > 2) return [problem(place, bucket, 'a bucket [variant, weight]')];
  const [variant, weight = 1] = bucket as unknown[];
  const problems = ruleProblems(variant, { ...place, path: `${place.path}[0]` });
  if (isObject(weight)) return [...problems, ...ruleProblems(weight, inner(place, '[1]'))];
  if (!Number.isSafeInteger(weight) || (weight as number) < 0 || (weight as number) > maxFlagdWeight)
    problems.push(problem(inner(place, '[1]'), weight, `a whole number from 0 to ${maxFlagdWeight}, or an operation`));
  return problems;
}

function reference(name: unknown, place: Place): FieldProblem[] {
  if (typeof name === 'string' && place.evaluators.includes(name)) return [];
  const { evaluators } = place;
  return [
    problem(place, name, evaluators.length ? `a shared evaluator: ${evaluators.join(', ')}` : 'nothing: there is no shared evaluator here'),
  ];
}

const inner = (place: Place, step: string): Place => ({ ...place, path: place.path + step, answers: false });

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const isStrings = (value: unknown): boolean => Array.isArray(value) && value.every((item) => typeof item === 'string');

const maxShown = 100;

function problem({ path }: Place, value: unknown, accepted: string): FieldProblem {
  const text = JSON.stringify(value) ?? '';
  return { field: path, value: text.length > maxShown ? `${text.slice(0, maxShown)}…` : value, accepted: accepted.slice(0, 1000) };
}

/** The shared evaluators that a rule refers to. */
export function referencesOf(rule: unknown): Set<string> {
  const names = new Set<string>();
  const walk = (part: unknown): void => {
    if (typeof part !== 'object' || part === null) return;
    if (!Array.isArray(part) && Object.hasOwn(part, '$ref')) names.add(String((part as { $ref: unknown }).$ref));
    else for (const inside of Object.values(part)) walk(inside);
  };
  walk(rule);
  return names;
}

import { bucketing, variantOf } from './fractional.js';
import { listOperators } from './list-operators.js';
import { type Operator, operators } from './operators.js';
import { type Rule, type Run } from './rule.js';
import { isTruthy, valueAt } from './values.js';

/** A definition that is no rule: where, and what is accepted there. `targetingProblems` names all of them before a flag is stored. */
export class RuleError extends Error {
  constructor(
    readonly path: string,
    readonly accepted: string,
  ) {
    super(`${path}: accepted: ${accepted}`);
    this.name = 'RuleError';
  }
}

export interface Scope {
  /** Where in the definition this is. */
  path: string;
  /** Whether its value is the rule's answer, so that `run.rule` shall tell of it. */
  answers: boolean;
  /** Whether data is the whole context; false within `map` and the like, where it is one element. */
  whole: boolean;
  /** The shared evaluators, compiled. */
  evaluatorOf: (name: string, answers: boolean) => Rule | undefined;
}

const within = (scope: Scope, step: string, changed: Partial<Scope> = {}): Scope => ({
  ...scope,
  answers: false,
  ...changed,
  path: scope.path + step,
});

/** A rule as a function. Throws RuleError for what is none. */
export function compileRule(rule: unknown, scope: Scope): Rule {
  if (typeof rule !== 'object' || rule === null) return answering(scope, () => rule);
  if (Array.isArray(rule)) return answering(scope, listOf(rule, scope));
  const [[name, argument] = [], ...rest] = Object.entries(rule as Record<string, unknown>);
  if (name === undefined) return answering(scope, () => null);
  if (rest.length) throw new RuleError(scope.path, 'an object with one operation');
  if (name === '$ref') return reference(argument, scope);
  if (name === 'if') return conditional(argumentsOf(argument), scope);
  return answering(scope, compileOperation(name, argument, scope));
}

/** What evaluates to itself needs no call. */
const isConstant = (rule: unknown): boolean => typeof rule !== 'object' || rule === null || (Array.isArray(rule) && rule.every(isConstant));

const argumentsOf = (argument: unknown): unknown[] => (Array.isArray(argument) ? argument : [argument]);

function answering(scope: Scope, rule: Rule): Rule {
  if (!scope.answers) return rule;
  const { path } = scope;
  return (data, run) => {
    run.rule = path;
    return rule(data, run);
  };
}

function listOf(items: unknown[], scope: Scope): Rule {
  if (items.every(isConstant)) return () => items;
  const rules = items.map((item, at) => compileRule(item, within(scope, `[${at}]`)));
  return (data, run) => rules.map((rule) => rule(data, run));
}

function reference(name: unknown, scope: Scope): Rule {
  const rule = typeof name === 'string' ? scope.evaluatorOf(name, scope.answers) : undefined;
  if (!rule) throw new RuleError(`${scope.path}.$ref`, 'the name of a shared evaluator');
  return rule;
}

/** `if`: condition, value, condition, value, … and the value where none holds; null without one. */
function conditional(parts: unknown[], scope: Scope): Rule {
  const { answers } = scope;
  const at = (position: number, result: boolean): Rule =>
    compileRule(parts[position] ?? null, within(scope, `.if[${position}]`, { answers: answers && result }));
  let otherwise: Rule = parts.length % 2 === 1 ? at(parts.length - 1, true) : answering(scope, () => null);
  for (let position = (parts.length & ~1) - 2; position >= 0; position -= 2) {
    const [condition, then, rest] = [at(position, false), at(position + 1, true), otherwise];
    otherwise = (data, run) => (isTruthy(condition(data, run)) ? then(data, run) : rest(data, run));
  }
  return otherwise;
}

function compileOperation(name: string, argument: unknown, scope: Scope): Rule {
  if (name === 'var') return variable(argument, scope);
  if (name === 'fractional') return fractional(argumentsOf(argument), within(scope, '.fractional'));
  const list = Object.hasOwn(listOperators, name) ? listOperators[name] : undefined;
  if (list) {
    const [items, each, initial] = argumentsOf(argument);
    return list(
      compileRule(items ?? null, within(scope, `.${name}[0]`)),
      compileRule(each ?? null, within(scope, `.${name}[1]`, { whole: false })),
      compileRule(initial ?? null, within(scope, `.${name}[2]`)),
    );
  }
  const operator: Operator | undefined = Object.hasOwn(operators, name) ? operators[name] : undefined;
  if (!operator) throw new RuleError(scope.path, `an operation of flagd's targeting, not ${name.slice(0, 40)}`);
  const args = argumentsOf(argument);
  return operator(
    args.map((part, at) => compileRule(part, within(scope, `.${name}[${at}]`))),
    args,
  );
}

const flagdValues: Record<string, (run: Run) => unknown> = {
  '$flagd.flagKey': ({ flag_key }) => flag_key,
  '$flagd.timestamp': ({ now_ms }) => Math.floor(now_ms / 1000),
};

function variable(argument: unknown, scope: Scope): Rule {
  const [name, fallback] = argumentsOf(argument);
  const absent = compileRule(fallback ?? null, within(scope, '.var[1]'));
  if (typeof name !== 'string' && typeof name !== 'number') throw new RuleError(`${scope.path}.var`, 'a name');
  return variableNamed(String(name), absent, scope.whole);
}

/** The value of a dotted name, else what `absent` says; the whole data for the empty name. */
function variableNamed(name: string, absent: Rule, whole: boolean): Rule {
  if (name === '') return (data, run) => data ?? absent(data, run);
  const flagdValue = whole && Object.hasOwn(flagdValues, name) ? flagdValues[name] : undefined;
  if (flagdValue) return (_, run) => flagdValue(run);
  const path = name.split('.');
  if (path.length > 1) return (data, run) => valueAt(data, path) ?? absent(data, run);
  return (data, run) =>
    (typeof data === 'object' && data !== null && Object.hasOwn(data, name) ? (data as Record<string, unknown>)[name] : undefined) ??
    absent(data, run);
}

/**
 * flagd's `fractional`: buckets `[variant, weight]`, a weight of 1 where there is none, after an expression for what is hashed, without which it
 * is flag key and targeting key. null where nothing can be hashed or a bucket is none, so that the default variant holds.
 */
function fractional(args: unknown[], scope: Scope): Rule {
  const shorthand = Array.isArray(args[0]);
  const hashed: Rule = shorthand
    ? (_, { flag_key, targetingKey }) => (typeof targetingKey === 'string' && targetingKey !== '' ? flag_key + targetingKey : null)
    : compileRule(args[0] ?? null, within(scope, '[0]'));
  const buckets = args.slice(shorthand ? 0 : 1);
  const rules = buckets.map((bucket, at) => compileRule(bucket, within(scope, `[${at + (shorthand ? 0 : 1)}]`)));
  const written = buckets.every(isConstant) ? bucketing(buckets) : undefined;
  return (data, run) => {
    const text = hashed(data, run);
    if (typeof text !== 'string') return null;
    const found = written === undefined ? bucketing(rules.map((rule) => rule(data, run))) : written;
    return found && variantOf(found, text);
  };
}

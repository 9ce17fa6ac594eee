import { type EvaluationError, type EvaluationReason } from '#contracts/flag-evaluation.js';
import { type Flag } from '#contracts/flags.js';
import { type JsonValue } from '#contracts/fields.js';
import { compileRule, RuleError, type Scope } from './json-logic.js';
import { textOf } from './values.js';
import { EvaluationFault, type Rule, type Run } from './rule.js';
import { compileSplit, type CompiledSplit } from './compiled-split.js';

/** What a flag is asked with: who, and whatever targeting wants to know. */
export type EvaluationContext = Record<string, unknown> & { targetingKey?: unknown };

/** `value` null without a variant: the code's own default. */
export interface Evaluated {
  value: JsonValue;
  variant: string | null;
  reason: EvaluationReason;
  rule: string;
  model_id: string | null;
  error_code?: EvaluationError;
  error_details?: string;
}

export interface CompiledFlag<Known extends Definition = Flag> {
  readonly flag: Known;
  /** The same context at the same time always gets the same answer. Never throws. */
  evaluate(context: EvaluationContext, now_ms: number): Evaluated;
}

/** What of a flag decides its answers. */
export type Definition = Pick<Flag, 'flag_key' | 'state' | 'variants' | 'default_variant' | 'targeting' | 'split' | 'variant_models'>;

/**
 * A flag made ready to be asked often. A disabled flag answers with its default variant; else targeting's variant where it names one, else the
 * split's, else the default. `evaluators` are the shared rules that targeting refers to. A definition that cannot be compiled answers every
 * question with PARSE_ERROR.
 */
export function compileFlag<Known extends Definition>(flag: Known, evaluators: Record<string, JsonValue>): CompiledFlag<Known> {
  return { flag, evaluate: evaluationOf(flag, evaluators) };
}

function evaluationOf(flag: Definition, evaluators: Record<string, JsonValue>): CompiledFlag['evaluate'] {
  const answers = new Answers(flag);
  if (flag.state === 'DISABLED') return constant(answers.of(flag.default_variant, 'DISABLED', 'state'));
  const { targeting, split } = flag;
  if (isEmpty(targeting)) {
    if (!split) return constant(answers.of(flag.default_variant, 'STATIC', 'default_variant'));
    const compiled = compileSplit(split);
    return ({ targetingKey }) => splitAnswer(answers, compiled, targetingKey);
  }
  let rule: Rule;
  try {
    rule = compileTargeting(targeting, evaluators);
  } catch (error) {
    if (!(error instanceof RuleError)) throw error;
    return constant(answers.fault('PARSE_ERROR', error.path, error.message));
  }
  const compiled = split && compileSplit(split);
  return (context, now_ms) => {
    const run: Run = { flag_key: flag.flag_key, targetingKey: context.targetingKey, now_ms, steps: 0, rule: 'targeting' };
    let named: unknown;
    try {
      named = rule(context, run);
    } catch (error) {
      const known = error instanceof EvaluationFault;
      return answers.fault(known ? error.code : 'GENERAL', run.rule, known ? error.message : 'The rule cannot be evaluated');
    }
    if (named !== null && named !== undefined) return answers.named(named, run.rule);
    if (compiled) return splitAnswer(answers, compiled, context.targetingKey);
    return answers.of(flag.default_variant, 'DEFAULT', 'default_variant');
  };
}

/** flagd writes "no targeting" as an empty object, too. */
const isEmpty = (targeting: JsonValue): boolean =>
  targeting === null || (typeof targeting === 'object' && !Array.isArray(targeting) && Object.keys(targeting).length === 0);

const constant =
  (answer: Evaluated): CompiledFlag['evaluate'] =>
  () =>
    answer;

/** Each evaluator is compiled once for each of its two uses, as an answer and as a part of one. They refer to no others. */
export function compileTargeting(targeting: JsonValue, evaluators: Record<string, JsonValue>): Rule {
  const compiled = new Map<string, Rule>();
  const scope: Scope = { path: 'targeting', answers: true, whole: true, evaluatorOf: () => undefined };
  const evaluatorOf = (name: string, answers: boolean): Rule | undefined => {
    if (!Object.hasOwn(evaluators, name)) return undefined;
    const key = `${answers ? 'answers' : 'part'} ${name}`;
    const rule = compiled.get(key) ?? compileRule(evaluators[name], { ...scope, path: `$evaluators.${name}`, answers });
    compiled.set(key, rule);
    return rule;
  };
  return compileRule(targeting, { ...scope, evaluatorOf });
}

class Answers {
  private readonly byVariant = new Map<string, { value: JsonValue; variant: string; model_id: string | null }>();

  constructor({ variants, variant_models }: Definition) {
    for (const [variant, value] of Object.entries(variants)) {
      const model_id = Object.hasOwn(variant_models, variant) ? (variant_models[variant] ?? null) : null;
      this.byVariant.set(variant, { value, variant, model_id });
    }
  }

  of(variant: string | null, reason: EvaluationReason, rule: string): Evaluated {
    if (variant === null) return { value: null, variant: null, reason, rule, model_id: null };
    const answer = this.byVariant.get(variant);
    if (!answer) return this.fault('GENERAL', rule, `The flag has no variant ${variant.slice(0, 100)}`);
    return { value: answer.value, variant: answer.variant, reason, rule, model_id: answer.model_id };
  }

  /** What targeting names: a text, or a boolean or number for the variant that is called like it. */
  named(named: unknown, rule: string): Evaluated {
    if (typeof named === 'object') return this.fault('GENERAL', rule, 'The rule names no variant: it is a list or an object');
    return this.of(textOf(named), 'TARGETING_MATCH', rule);
  }

  fault(error_code: EvaluationError, rule: string, error_details: string): Evaluated {
    return { value: null, variant: null, reason: 'ERROR', rule, model_id: null, error_code, error_details };
  }
}

function splitAnswer(answers: Answers, split: CompiledSplit, targetingKey: unknown): Evaluated {
  if (typeof targetingKey !== 'string' || targetingKey === '') {
    return answers.fault('TARGETING_KEY_MISSING', 'split', 'The split needs a targetingKey: a text that is not empty');
  }
  return answers.of(split(targetingKey), 'SPLIT', 'split');
}

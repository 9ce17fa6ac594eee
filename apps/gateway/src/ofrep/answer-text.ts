import { type Flag } from '#contracts/flags.js';
import { type CompiledFlag, type Evaluated, type EvaluationContext } from '#evaluation/compiled-flag.js';

/** OFREP's answer for one flag: its JSON, and whether it is a failure. */
export interface AnswerText {
  text: string;
  failed: boolean;
}

/** What a flag has answered so far, as JSON: a flag has few answers, and gives them often. */
const textsOf = new WeakMap<CompiledFlag, Map<string, AnswerText>>();

export function answerOf(compiled: CompiledFlag, context: EvaluationContext, now_ms: number): AnswerText {
  const { flag } = compiled;
  const evaluated = compiled.evaluate(context, now_ms);
  // Its details may be of this context alone.
  if (evaluated.error_code) return { text: failureText(flag, evaluated), failed: true };
  let texts = textsOf.get(compiled);
  if (!texts) {
    texts = new Map();
    textsOf.set(compiled, texts);
  }
  const name = `${evaluated.reason} ${evaluated.rule} ${evaluated.variant ?? ''}`;
  let answer = texts.get(name);
  if (!answer) {
    answer = { text: successText(flag, evaluated), failed: false };
    texts.set(name, answer);
  }
  return answer;
}

/** Without a variant there is no value: the client takes the code's default. */
function successText({ flag_key, metadata }: Flag, { value, variant, reason, rule, model_id }: Evaluated): string {
  return JSON.stringify({
    key: flag_key,
    ...(variant !== null && { value, variant }),
    reason,
    metadata: { ...metadata, rule, ...(model_id !== null && { model_id }) },
  });
}

const failureText = ({ flag_key, metadata }: Flag, { error_code, error_details, rule }: Evaluated): string =>
  JSON.stringify({ key: flag_key, errorCode: error_code, errorDetails: error_details, metadata: { ...metadata, rule } });

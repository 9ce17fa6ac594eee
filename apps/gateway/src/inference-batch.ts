import { fieldsOf } from '#contracts/fields.js';
import { InferenceItem, type InferenceBatchRecorded, type RefusedInference } from '#contracts/inference.js';
import { itemProblem } from '#contracts/parse.js';

/** A line of NDJSON that is not JSON. */
export class UnreadableLine {}

/** What is known of a model: `unsure` when nobody could be asked. */
export type ModelSight = 'visible' | 'absent' | 'unsure';

type Refusal = Omit<RefusedInference, 'index'>;

/** One item of a batch: an inference to record, or why it is none. */
export type Judged = InferenceItem | Refusal;

export const isRefusal = (judged: Judged): judged is Refusal => 'code' in judged;

const problemOf = itemProblem(InferenceItem);

/** Each item by itself, its model left aside. */
export const judgeItems = (items: unknown[]): Judged[] => items.map(judgeItem);

function judgeItem(item: unknown): Judged {
  if (item instanceof UnreadableLine) return { code: 'INVALID_JSON', field: null, accepted: 'a JSON object on each line' };
  const problem = problemOf(item);
  if (problem) return { code: 'INVALID_INPUT', ...problem };
  const inference = item as InferenceItem;
  if (inference.error && inference.success !== false) {
    return { code: 'INVALID_INPUT', field: 'error', accepted: 'an error only with success=false' };
  }
  return inference;
}

/** Refuses the inferences of models that are not there. */
export function judgeModels(items: Judged[], sights: ReadonlyMap<string, ModelSight>): Judged[] {
  return items.map((judged) => {
    if (isRefusal(judged)) return judged;
    const sight = sights.get(judged.model_id);
    if (sight === 'visible') return judged;
    return sight === 'absent'
      ? { code: 'MODEL_NOT_FOUND', field: 'model_id', accepted: 'a model that exists' }
      : { code: 'SERVICE_UNAVAILABLE', field: 'model_id', accepted: 'the same again, when the registry can be asked' };
  });
}

const hashedFields = ['code', ...fieldsOf(InferenceItem).keys()];

/** What was asked for, without what the server adds: equal for a request and its retry, whatever the order of their fields. */
export const payloadOf = (items: Judged[]): string =>
  JSON.stringify(
    items.map((judged) => (isRefusal(judged) ? judged.code : judged)),
    hashedFields,
  );

/** The answer. `stored`: for each item whether the stream has it; refused ones are not asked. */
export function recorded(items: Judged[], stored: ('yes' | 'no' | 'unknown')[]): InferenceBatchRecorded {
  const errors = items.flatMap((judged, index): RefusedInference[] => {
    if (isRefusal(judged)) return [{ index, ...judged }];
    if (stored[index] === 'yes') return [];
    const unsure = stored[index] === 'unknown' ? ', which may count twice without an Idempotency-Key' : '';
    return [{ index, code: 'SERVICE_UNAVAILABLE', field: null, accepted: `the same again${unsure}` }];
  });
  return { accepted: items.length - errors.length, rejected: errors.length, errors };
}

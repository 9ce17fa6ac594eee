import { isPlainJson, type JsonValue } from '#contracts/fields.js';
import { parsePath, valueAt } from '#contracts/json-path.js';
import { type Serving } from '#contracts/serving.js';
import { filled, TemplateError } from '#contracts/template.js';
import { defaultTimeoutMs, exchange, parseAnswer } from './exchange.js';
import { InvokeError } from './invoke-error.js';
import { checkOpenInferenceAnswer, openInferenceRequest, openInferenceUrl } from './open-inference.js';
import { type Ways } from './ways.js';

/** A template may put the input into what is sent many times over. */
const maxRequestBytes = 1_000_000;

export interface Invocation {
  /** The model's name in the registry, used where `serving` names none. */
  model_name: string;
  /** Identifies the request to the model server, which has to echo it (`oip_v2`). */
  request_id: string;
  signal?: AbortSignal;
}

export interface InvokeResult {
  answer: JsonValue;
  /** Null over NATS. */
  status: number | null;
  /** Milliseconds from name look-up to the last byte of the answer; over NATS from request to reply. */
  duration_ms: number;
}

/** What is sent for an input. Throws INVALID_INPUT. */
function requestOf({ request_template }: Serving, input: JsonValue): JsonValue {
  if (request_template === undefined || request_template === null) return input;
  try {
    const request = filled(request_template as JsonValue, { input });
    if (!isPlainJson(request)) throw new TemplateError('it would be nested too deeply');
    if (Buffer.byteLength(JSON.stringify(request)) > maxRequestBytes) throw new TemplateError(`it would be over ${maxRequestBytes} bytes`);
    return request;
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    throw new InvokeError('INVALID_INPUT', `The input does not fit the request template: ${error.message}`);
  }
}

/** Throws INVALID_ANSWER where the answer is not where it should be. */
function answerOf({ answer_path }: Serving, body: JsonValue, status: number | null): JsonValue {
  const answer = valueAt(body, parsePath(answer_path ?? '$') ?? []) as JsonValue | undefined;
  if (answer === undefined) throw new InvokeError('INVALID_ANSWER', `The answer has nothing at ${answer_path}`, status);
  return answer;
}

type Protocol = (ways: Ways, serving: Serving, input: JsonValue, invocation: Invocation) => Promise<InvokeResult>;

const protocols: Record<Serving['protocol'], Protocol> = {
  async oip_v2(ways, serving, input, { model_name, request_id, signal }) {
    const request = openInferenceRequest(input, request_id);
    const url = openInferenceUrl(serving, model_name, '/infer');
    const { body, status, duration_ms } = await exchange(ways, serving, { url, method: 'POST', body: request, signal });
    const answer = parseAnswer(body, status);
    checkOpenInferenceAnswer(answer, request.id, status);
    return { answer, status, duration_ms };
  },

  async http_json(ways, serving, input, { signal }) {
    const request = { url: serving.url ?? '', method: 'POST' as const, body: requestOf(serving, input), signal };
    const { body, status, duration_ms } = await exchange(ways, serving, request);
    return { answer: answerOf(serving, parseAnswer(body, status), status), status, duration_ms };
  },

  async nats(ways, serving, input, { signal }) {
    const { subject, timeout_ms = defaultTimeoutMs } = serving;
    const request = JSON.stringify(requestOf(serving, input));
    const { body, duration_ms } = await ways.nats(subject ?? '', request, { timeout_ms, signal });
    return { answer: answerOf(serving, parseAnswer(body, null), null), status: null, duration_ms };
  },
};

/** Calls a model once, by the protocol it is served with. Throws InvokeError. */
export async function invoke(ways: Ways, serving: Serving, input: JsonValue, invocation: Invocation): Promise<InvokeResult> {
  if (!isPlainJson(input)) throw new InvokeError('INVALID_INPUT', 'The input is not JSON, or is nested too deeply');
  return protocols[serving.protocol](ways, serving, input, invocation);
}

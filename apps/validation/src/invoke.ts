import { isPlainJson, type JsonValue } from '#contracts/fields.js';
import type { Serving } from '#contracts/registry.js';
import { type Egress, EgressError, type EgressErrorCode } from '#runtime/egress.js';

export type InvokeErrorCode = EgressErrorCode | 'INVALID_INPUT' | 'MODEL_ERROR' | 'INVALID_ANSWER';

/**
 * Why a model gave no answer that can be judged. INVALID_INPUT: the input does not fit the protocol, nothing was sent. MODEL_ERROR: the
 * server answered with another status than 2xx. INVALID_ANSWER: it answered with something else than the protocol's JSON. The other
 * codes are the egress client's. The message is fit to show.
 */
export class InvokeError extends Error {
  constructor(
    readonly code: InvokeErrorCode,
    message: string,
    /** The HTTP status when the server answered. */
    readonly status: number | null = null,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'InvokeError';
  }
}

export interface Invocation {
  /** The model's name in the registry, used where `serving` names none. */
  model_name: string;
  /** Identifies the request to the model server, which has to echo it (`oip_v2`). */
  request_id: string;
  signal?: AbortSignal;
}

export interface InvokeResult {
  answer: JsonValue;
  status: number;
  /** Milliseconds from name look-up to the last byte of the answer. */
  duration_ms: number;
}

type JsonObject = Record<string, unknown>;

const defaultTimeoutMs = 5000;
const maxShownError = 300;

const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Keys that change an object's prototype where a copy is made by assignment: no model has a use for them. */
function hasPrototypeKey(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasPrototypeKey);
  if (!isObject(value)) return false;
  return Object.entries(value).some(
    ([key, entry]) =>
      key === '__proto__' || (key === 'constructor' && isObject(entry) && Object.hasOwn(entry, 'prototype')) || hasPrototypeKey(entry),
  );
}

/** Reads an answer's bytes as JSON that can be judged and stored. Throws INVALID_ANSWER. */
export function parseAnswer(body: Buffer, status: number): JsonValue {
  const invalid = (why: string): InvokeError => new InvokeError('INVALID_ANSWER', `The answer ${why}`, status);
  let answer: unknown;
  try {
    answer = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw invalid('is not JSON in UTF-8');
  }
  if (!isPlainJson(answer)) throw invalid('is nested too deeply, or holds a NUL, a lone surrogate or a number out of range');
  if (hasPrototypeKey(answer)) throw invalid('has a key that would change an object’s prototype');
  return answer;
}

/** The Open Inference Protocol's request: `input` is its whole body, or its `inputs` list alone. Throws INVALID_INPUT. */
export function openInferenceRequest(input: JsonValue, request_id: string): JsonObject & { id: string } {
  const body = Array.isArray(input) ? { inputs: input } : input;
  if (!isObject(body) || !Array.isArray(body.inputs)) {
    throw new InvokeError(
      'INVALID_INPUT',
      'The input does not fit oip_v2; accepted: a list of tensors, or an object with such a list as inputs',
    );
  }
  if (body.id !== undefined && typeof body.id !== 'string') {
    throw new InvokeError('INVALID_INPUT', 'The input’s id does not fit oip_v2; accepted: a string, or no id');
  }
  return { ...body, id: body.id ?? request_id };
}

const isTensor = (value: unknown): boolean =>
  isObject(value) &&
  typeof value.name === 'string' &&
  typeof value.datatype === 'string' &&
  Array.isArray(value.shape) &&
  value.shape.every((size) => Number.isSafeInteger(size) && (size as number) >= 0) &&
  Array.isArray(value.data);

/** Holds an answer against the Open Inference Protocol. Throws INVALID_ANSWER naming the field. A server may leave the id out. */
export function checkOpenInferenceAnswer(answer: unknown, request_id: string, status: number): void {
  const invalid = (why: string): InvokeError => new InvokeError('INVALID_ANSWER', `The answer is not oip_v2: ${why}`, status);
  if (!isObject(answer)) throw invalid('it is no object');
  if (answer.id !== undefined && answer.id !== request_id) throw invalid('id is not the request’s');
  if (!Array.isArray(answer.outputs)) throw invalid('outputs is no list');
  const wrong = answer.outputs.findIndex((output) => !isTensor(output));
  if (wrong >= 0) throw invalid(`outputs[${wrong}] is no tensor with name, datatype, shape and data`);
}

/** `{"error": "message"}` is how servers of both protocols say what was wrong; anything else they send stays unseen. */
function shownError(body: Buffer, status: number): string {
  try {
    const answer = parseAnswer(body, status);
    if (!isObject(answer) || typeof answer.error !== 'string') return '';
    return `: ${answer.error
      .replace(/\p{Cc}+/gu, ' ')
      .slice(0, maxShownError)
      .toWellFormed()}`;
  } catch {
    return '';
  }
}

async function post(egress: Egress, url: string, input: JsonValue, serving: Serving, signal?: AbortSignal): Promise<InvokeResult> {
  const timeout_ms = serving.timeout_ms ?? defaultTimeoutMs;
  const headers = { 'content-type': 'application/json', accept: 'application/json' };
  const { status, body, duration_ms } = await egress
    .call({ url, method: 'POST', headers, body: JSON.stringify(input), timeout_ms, signal })
    .catch((error: unknown) => {
      throw error instanceof EgressError ? new InvokeError(error.code, error.message, null, { cause: error }) : error;
    });
  if (status < 200 || status > 299) {
    throw new InvokeError('MODEL_ERROR', `The model server answered with status ${status}${shownError(body, status)}`, status);
  }
  return { answer: parseAnswer(body, status), status, duration_ms };
}

/** `{url}/v2/models/{name}[/versions/{version}]/infer`. Throws INVALID_ADDRESS or INVALID_INPUT. */
function openInferenceUrl({ url, model_name, model_version }: Serving, registered_name: string): string {
  const segment = (name: string): string => {
    // These two would be read as steps up the path.
    if (name === '.' || name === '..') throw new InvokeError('INVALID_INPUT', `${name} cannot be the name or version of a served model`);
    return encodeURIComponent(name);
  };
  if (!URL.canParse(url)) throw new InvokeError('INVALID_ADDRESS', 'The address is not a URL; accepted: http:// or https://');
  const target = new URL(url);
  const version = model_version ? `/versions/${segment(model_version)}` : '';
  target.pathname = `${target.pathname.replace(/\/+$/, '')}/v2/models/${segment(model_name ?? registered_name)}${version}/infer`;
  return target.href;
}

type Protocol = (egress: Egress, serving: Serving, input: JsonValue, invocation: Invocation) => Promise<InvokeResult>;

const protocols: Record<Serving['protocol'], Protocol> = {
  async oip_v2(egress, serving, input, { model_name, request_id, signal }) {
    const request = openInferenceRequest(input, request_id);
    const result = await post(egress, openInferenceUrl(serving, model_name), request, serving, signal);
    checkOpenInferenceAnswer(result.answer, request.id, result.status);
    return result;
  },

  http_json: (egress, serving, input, { signal }) => post(egress, serving.url, input, serving, signal),
};

/** Calls a model once, by the protocol it is served with. Throws InvokeError. */
export async function invoke(egress: Egress, serving: Serving, input: JsonValue, invocation: Invocation): Promise<InvokeResult> {
  if (!isPlainJson(input)) throw new InvokeError('INVALID_INPUT', 'The input is not JSON, or is nested too deeply');
  return protocols[serving.protocol](egress, serving, input, invocation);
}

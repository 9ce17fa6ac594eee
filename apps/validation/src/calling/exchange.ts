import { isPlainJson, type JsonValue } from '#contracts/fields.js';
import { type Serving } from '#contracts/serving.js';
import { normalizeHost } from '#runtime/address.js';
import { EgressError } from '#runtime/egress.js';
import { InvokeError } from './invoke-error.js';
import { type Ways } from './ways.js';

export const defaultTimeoutMs = 5000;
const maxShownError = 300;

type JsonObject = Record<string, unknown>;

export const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Keys that change an object's prototype where a copy is made by assignment: no model has a use for them. */
function hasPrototypeKey(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasPrototypeKey);
  if (!isObject(value)) return false;
  return Object.entries(value).some(
    ([key, entry]) =>
      key === '__proto__' || (key === 'constructor' && isObject(entry) && Object.hasOwn(entry, 'prototype')) || hasPrototypeKey(entry),
  );
}

/** Reads an answer's bytes as JSON that can be judged and stored. Throws INVALID_ANSWER. `status` is null over NATS. */
export function parseAnswer(body: Buffer, status: number | null): JsonValue {
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

/** One line of what a server said, short enough to show. */
export const shownLine = (text: string): string =>
  text
    .replace(/\p{Cc}+/gu, ' ')
    .slice(0, maxShownError)
    .toWellFormed();

/** `{"error": "message"}` is how servers of both protocols say what was wrong; anything else they send stays unseen. */
function shownError(body: Buffer, status: number): string {
  try {
    const answer = parseAnswer(body, status);
    return isObject(answer) && typeof answer.error === 'string' ? `: ${shownLine(answer.error)}` : '';
  } catch {
    return '';
  }
}

/** The headers of `serving` with the values of their secrets. Throws UNKNOWN_SECRET. */
async function secretHeaders(ways: Ways, url: string, { headers }: Serving): Promise<Record<string, string>> {
  if (!headers || !URL.canParse(url)) return {};
  const host = normalizeHost(new URL(url).hostname);
  const resolved = Object.entries(headers).map(async ([name, { secret }]) => [name, await ways.secret(host, secret)] as const);
  return Object.fromEntries(await Promise.all(resolved));
}

/** Of `Bearer xyz` the part that counts is xyz, unless that is so short that any answer may have it. */
function tellTale(secret: string): string {
  const last = secret.slice(secret.lastIndexOf(' ') + 1);
  return last.length >= 8 ? last : secret;
}

/** Whether an answer, which will be stored and shown, has a secret in it as it was sent. */
const repeats = (body: Buffer, secrets: string[]): boolean => secrets.some((secret) => body.includes(tellTale(secret)));

export interface Exchanged {
  body: Buffer;
  status: number;
  duration_ms: number;
}

/** One HTTP request to a model server, with the headers of its serving. Answers with a status of 2xx only; throws InvokeError. */
export async function exchange(
  ways: Ways,
  serving: Serving,
  request: { url: string; method: 'GET' | 'POST'; body?: JsonValue; signal?: AbortSignal },
): Promise<Exchanged> {
  const { url, method, signal } = request;
  const secrets = await secretHeaders(ways, url, serving);
  const hasBody = request.body !== undefined;
  const headers = { ...secrets, ...(hasBody && { 'content-type': 'application/json' }), accept: 'application/json' };
  const timeout_ms = serving.timeout_ms ?? defaultTimeoutMs;
  const { status, body, duration_ms } = await ways.http
    .call({ url, method, headers, ...(hasBody && { body: JSON.stringify(request.body) }), timeout_ms, signal })
    .catch((error: unknown) => {
      throw error instanceof EgressError ? new InvokeError(error.code, error.message, null, { cause: error }) : error;
    });
  if (repeats(body, Object.values(secrets))) throw new InvokeError('INVALID_ANSWER', 'The answer repeats a secret that was sent', status);
  if (status < 200 || status > 299)
    throw new InvokeError('MODEL_ERROR', `The model server answered with status ${status}${shownError(body, status)}`, status);
  return { body, status, duration_ms };
}

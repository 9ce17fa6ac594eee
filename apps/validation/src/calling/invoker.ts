import { type JsonValue } from '#contracts/fields.js';
import { type Serving } from '#contracts/serving.js';
import { exchange, isObject, parseAnswer } from './exchange.js';
import { invoke, type InvokeResult } from './invoke.js';
import { InvokeError } from './invoke-error.js';
import { livenessUrl, openInferenceRequest, openInferenceUrl } from './open-inference.js';
import { inputProblem, readSignature, type Signature } from './signature.js';
import { type Ways } from './ways.js';

/** What a look at a model server found wrong; null: nothing. */
export interface Look {
  /** What was looked at: `liveness`, `readiness`, `metadata`. */
  path: string;
  problem: string | null;
}

/** One model version as cases call it. All of it throws InvokeError. */
export interface Invoker {
  call(input: JsonValue, request_id: string, signal: AbortSignal): Promise<InvokeResult>;
  /** What the protocol tells of itself without a prediction; nothing where it has no such thing. Throws where nobody answers. */
  look(signal: AbortSignal): Promise<Look[]>;
}

export interface Called {
  /** The model's name in the registry. */
  name: string;
  serving: Serving;
  /** Inputs are held against it before they are sent. */
  signature: Signature | null;
}

export function createInvoker(ways: Ways, { name, serving, signature }: Called): Invoker {
  const get = (url: string, signal: AbortSignal) => exchange(ways, serving, { url, method: 'GET', signal });

  /** A server that answers with an error has been reached, and is not well. */
  async function problemAt(url: string, signal: AbortSignal, problemOf: (answer: JsonValue) => string | null): Promise<string | null> {
    try {
      const { body, status } = await get(url, signal);
      // An empty 200 is what the protocol's health answers are at the least.
      return body.length === 0 && problemOf !== metadataProblem ? null : problemOf(parseAnswer(body, status));
    } catch (error) {
      if (error instanceof InvokeError && error.status !== null) return error.message;
      throw error;
    }
  }

  return {
    async call(input, request_id, signal) {
      if (serving.protocol === 'oip_v2' && signature) {
        const problem = inputProblem(signature, openInferenceRequest(input, request_id).inputs);
        if (problem) throw new InvokeError('INVALID_INPUT', `The input does not fit the model’s signature: ${problem}`);
      }
      return invoke(ways, serving, input, { model_name: name, request_id, signal });
    },

    async look(signal) {
      if (serving.protocol !== 'oip_v2') return [];
      const looks: [string, string, (answer: JsonValue) => string | null][] = [
        ['liveness', livenessUrl(serving), healthProblem],
        ['readiness', openInferenceUrl(serving, name, '/ready'), healthProblem],
        ['metadata', openInferenceUrl(serving, name, ''), metadataProblem],
      ];
      const found: Look[] = [];
      for (const [path, url, problemOf] of looks) found.push({ path, problem: await problemAt(url, signal, problemOf) });
      return found;
    },
  };
}

/** `live` or `ready` false is a server's word that it is not; a 200 without either says that it is. */
function healthProblem(answer: JsonValue): string | null {
  if (!isObject(answer)) return null;
  return answer.live === false || answer.ready === false ? 'the server says that it is not' : null;
}

function metadataProblem(answer: JsonValue): string | null {
  try {
    readSignature(answer);
    return null;
  } catch (error) {
    if (error instanceof InvokeError) return error.message;
    throw error;
  }
}

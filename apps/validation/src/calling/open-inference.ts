import { type JsonValue } from '#contracts/fields.js';
import { type Serving } from '#contracts/serving.js';
import { isObject } from './exchange.js';
import { InvokeError } from './invoke-error.js';

/** The Open Inference Protocol's request: `input` is its whole body, or its `inputs` list alone. Throws INVALID_INPUT. */
export function openInferenceRequest(input: JsonValue, request_id: string): { id: string; inputs: unknown[] } {
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
  return { ...body, inputs: body.inputs, id: body.id ?? request_id };
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

function under(url: string | null | undefined, path: string): string {
  if (!url || !URL.canParse(url)) throw new InvokeError('INVALID_ADDRESS', 'The address is not a URL; accepted: http:// or https://');
  const target = new URL(url);
  target.pathname = `${target.pathname.replace(/\/+$/, '')}/v2/${path}`;
  return target.href;
}

function segment(name: string): string {
  // These two would be read as steps up the path.
  if (name === '.' || name === '..') throw new InvokeError('INVALID_INPUT', `${name} cannot be the name or version of a served model`);
  return encodeURIComponent(name);
}

/** `{url}/v2/health/live`: whether the server as a whole is alive. Throws INVALID_ADDRESS. */
export const livenessUrl = ({ url }: Serving): string => under(url, 'health/live');

/** `{url}/v2/models/{name}[/versions/{version}][/infer | /ready]`; without an ending the metadata. Throws INVALID_ADDRESS or INVALID_INPUT. */
export function openInferenceUrl(serving: Serving, registered_name: string, ending: '' | '/infer' | '/ready'): string {
  const { url, model_name, model_version } = serving;
  const version = model_version ? `/versions/${segment(model_version)}` : '';
  return under(url, `models/${segment(model_name ?? registered_name)}${version}${ending}`);
}

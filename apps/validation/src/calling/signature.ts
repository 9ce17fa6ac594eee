import { type JsonValue } from '#contracts/fields.js';
import { isObject } from './exchange.js';
import { InvokeError } from './invoke-error.js';

/** A tensor as a model's metadata declare it; -1 in the shape is any size. */
export interface TensorSignature {
  name: string;
  datatype: string;
  shape: number[];
}

/** What a model takes and gives, by the Open Inference Protocol's metadata. Empty lists: the server does not say. */
export interface Signature {
  inputs: TensorSignature[];
  outputs: TensorSignature[];
}

const maxTensors = 200;
const maxProblems = 20;

const isSize = (size: unknown): boolean => Number.isSafeInteger(size) && (size as number) >= -1;

function tensors(list: unknown, field: string): TensorSignature[] {
  const invalid = (why: string): InvokeError => new InvokeError('INVALID_ANSWER', `The metadata are not oip_v2: ${why}`);
  if (list === undefined || list === null) return [];
  if (!Array.isArray(list) || list.length > maxTensors) throw invalid(`${field} is no list of at most ${maxTensors}`);
  const names = new Set<string>();
  return list.map((tensor: unknown, index) => {
    const { name, datatype, shape } = isObject(tensor) ? tensor : {};
    const isTensor = typeof name === 'string' && typeof datatype === 'string' && Array.isArray(shape) && shape.every(isSize);
    if (!isTensor || names.has(name)) throw invalid(`${field}[${index}] is no tensor with name of its own, datatype and shape`);
    names.add(name);
    return { name, datatype, shape: shape as number[] };
  });
}

/** Reads the answer of `GET v2/models/{name}`. Throws INVALID_ANSWER naming the field. */
export function readSignature(metadata: JsonValue): Signature {
  if (!isObject(metadata)) throw new InvokeError('INVALID_ANSWER', 'The metadata are not oip_v2: they are no object');
  return { inputs: tensors(metadata.inputs, 'inputs'), outputs: tensors(metadata.outputs, 'outputs') };
}

/** Whether every shape of `special` is one of `general`. */
const covers = (general: number[], special: number[]): boolean =>
  general.length === special.length && general.every((size, axis) => size === -1 || size === special[axis]);

const text = (shape: readonly unknown[]): string => `[${shape.join(', ')}]`;

function tensorProblem({ datatype, shape }: TensorSignature, tensor: Record<string, unknown>): string | null {
  if (tensor.datatype !== datatype) return `has the datatype ${String(tensor.datatype)}; accepted: ${datatype}`;
  const given = tensor.shape;
  if (!Array.isArray(given) || !given.every((size) => Number.isSafeInteger(size) && (size as number) >= 0)) return 'has no shape';
  if (!covers(shape, given as number[])) return `has the shape ${text(given)}; accepted: ${text(shape)}`;
  if (!Array.isArray(tensor.data)) return 'has no data';
  const values = tensor.data.flat(Infinity).length;
  const size = (given as number[]).reduce((product, each) => product * each, 1);
  return values === size ? null : `has the shape ${text(given)}, so ${size} values, but ${values} are given`;
}

/** Why a request's tensors do not fit a signature; null when they do, or when the signature says nothing of inputs. */
export function inputProblem({ inputs: declared }: Signature, inputs: readonly unknown[]): string | null {
  if (declared.length === 0) return null;
  const known = new Map(declared.map((tensor) => [tensor.name, tensor]));
  for (const [index, tensor] of inputs.entries()) {
    const name = isObject(tensor) ? tensor.name : undefined;
    const expected = typeof name === 'string' ? known.get(name) : undefined;
    if (!isObject(tensor) || !expected) return `inputs[${index}] is none of the model’s inputs: ${[...known.keys()].join(', ')}`;
    const problem = tensorProblem(expected, tensor);
    if (problem) return `the input ${expected.name} ${problem}`;
  }
  const missing = declared.find(({ name }) => !inputs.some((tensor) => isObject(tensor) && tensor.name === name));
  return missing ? `the input ${missing.name} is missing` : null;
}

function pairs(baseline: TensorSignature[], candidate: TensorSignature[]): [TensorSignature, TensorSignature | undefined][] {
  return baseline.map((tensor) => [tensor, candidate.find(({ name }) => name === tensor.name)]);
}

/**
 * Why a candidate cannot stand in for its baseline; empty when it can. It can when every request that fits the baseline fits the candidate
 * (the same inputs and no further ones, of the same datatype, each shape as wide or wider) and every answer of the candidate could be the
 * baseline's (the same outputs of the same datatype, each shape as narrow or narrower; further outputs are a compatible extension). Where one
 * of the two says nothing of its inputs or outputs, they are not compared.
 */
export function incompatibilities(baseline: Signature, candidate: Signature): string[] {
  const problems: string[] = [];
  if (baseline.inputs.length && candidate.inputs.length) {
    for (const [before, now] of pairs(baseline.inputs, candidate.inputs)) {
      if (!now) problems.push(`the input ${before.name} is gone`);
      else if (now.datatype !== before.datatype) problems.push(`the input ${before.name} is ${now.datatype} instead of ${before.datatype}`);
      else if (!covers(now.shape, before.shape))
        problems.push(`the input ${before.name} takes the shape ${text(now.shape)} instead of ${text(before.shape)}`);
    }
    for (const [added, before] of pairs(candidate.inputs, baseline.inputs)) if (!before) problems.push(`the input ${added.name} is new`);
  }
  if (baseline.outputs.length && candidate.outputs.length) {
    for (const [before, now] of pairs(baseline.outputs, candidate.outputs)) {
      if (!now) problems.push(`the output ${before.name} is gone`);
      else if (now.datatype !== before.datatype)
        problems.push(`the output ${before.name} is ${now.datatype} instead of ${before.datatype}`);
      else if (!covers(before.shape, now.shape))
        problems.push(`the output ${before.name} has the shape ${text(now.shape)} instead of ${text(before.shape)}`);
    }
  }
  return problems.slice(0, maxProblems);
}

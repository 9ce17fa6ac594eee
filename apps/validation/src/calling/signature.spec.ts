import { incompatibilities, inputProblem, readSignature, type Signature, type TensorSignature } from './signature.js';

const features: TensorSignature = { name: 'features', datatype: 'FP64', shape: [-1, 2] };
const park: TensorSignature = { name: 'park', datatype: 'BYTES', shape: [1] };
const probability: TensorSignature = { name: 'probability', datatype: 'FP64', shape: [-1] };
const signature: Signature = { inputs: [features, park], outputs: [probability] };

describe('reading a signature', () => {
  it('takes the tensors of the metadata and nothing else', () => {
    const metadata = { name: 'mlb', platform: 'x', inputs: [{ ...features, parameters: {} }, park], outputs: [probability] };
    expect(readSignature(metadata)).toEqual(signature);
    expect(readSignature({ name: 'mlb', inputs: null })).toEqual({ inputs: [], outputs: [] });
  });

  it.each<[unknown, string]>([
    [[], 'no object'],
    ['text', 'no object'],
    [{ inputs: {} }, 'inputs'],
    [{ inputs: [null] }, 'inputs[0]'],
    [{ inputs: [{ ...features, shape: [1.5] }] }, 'inputs[0]'],
    [{ inputs: [{ ...features, shape: [-2] }] }, 'inputs[0]'],
    [{ inputs: [{ ...features, shape: 'N' }] }, 'inputs[0]'],
    [{ outputs: [probability, probability] }, 'outputs[1]'],
    [{ outputs: [{ ...probability, datatype: 7 }] }, 'outputs[0]'],
    [{ outputs: new Array(201).fill(probability) }, 'outputs'],
  ])('refuses %j', (metadata, field) => {
    expect(() => readSignature(metadata as never)).toThrow(field);
  });
});

describe('an input', () => {
  const good = [
    {
      ...features,
      shape: [2, 2],
      data: [
        [1, 2],
        [3, 4],
      ],
    },
    { ...park, shape: [1], data: ['oracle'] },
  ];
  const first = (change: object): object[] => [{ ...good[0], ...change }, good[1]!];

  it('fits when it has every tensor in its datatype and shape', () => {
    expect(inputProblem(signature, good)).toBeNull();
    expect(inputProblem(signature, first({ shape: [0, 2], data: [] }))).toBeNull();
    expect(inputProblem({ inputs: [], outputs: [] }, [{ name: 'whatever' }])).toBeNull();
  });

  it.each<[unknown[], string]>([
    [[good[0]], 'park is missing'],
    [[], 'features is missing'],
    [[...good, { name: 'other' }], 'inputs[2] is none'],
    [[null], 'inputs[0] is none'],
    [first({ datatype: 'FP32' }), 'datatype FP32; accepted: FP64'],
    [first({ shape: [4] }), 'shape [4]; accepted: [-1, 2]'],
    [first({ shape: [1, 4] }), 'shape [1, 4]; accepted: [-1, 2]'],
    [first({ shape: [-1, 2] }), 'no shape'],
    [first({ shape: undefined }), 'no shape'],
    [first({ data: undefined }), 'no data'],
    [first({ data: [1, 2, 3] }), '4 values, but 3'],
  ])('does not fit as %j', (inputs, why) => {
    expect(inputProblem(signature, inputs)).toContain(why);
  });
});

describe('a candidate', () => {
  const input = (...inputs: TensorSignature[]): Signature => ({ inputs, outputs: [probability] });
  const output = (...outputs: TensorSignature[]): Signature => ({ inputs: [features], outputs });

  it('is compatible when it takes all that the baseline takes and gives no less', () => {
    for (const candidate of [
      input(features),
      input({ ...features, shape: [-1, -1] }),
      output(probability, { ...probability, name: 'pick' }),
      output({ ...probability, shape: [1] }),
      { inputs: [], outputs: [] },
    ])
      expect(incompatibilities(input(features), candidate)).toEqual([]);
  });

  it.each<[Signature, string]>([
    [input({ ...features, name: 'other' }), 'the input features is gone'],
    [input(features, park), 'the input park is new'],
    [input({ ...features, datatype: 'FP32' }), 'the input features is FP32 instead of FP64'],
    [input({ ...features, shape: [1, 2] }), 'the input features takes the shape [1, 2] instead of [-1, 2]'],
    [input({ ...features, shape: [-1] }), 'the input features takes the shape [-1] instead of [-1, 2]'],
    [output(park), 'the output probability is gone'],
    [output({ ...probability, datatype: 'INT64' }), 'the output probability is INT64 instead of FP64'],
    [output({ ...probability, shape: [-1, 1] }), 'the output probability has the shape [-1, 1] instead of [-1]'],
  ])('is not as %j', (candidate, problem) => {
    expect(incompatibilities(input(features), candidate)).toContain(problem);
  });
});

import { fc } from '#testing/property.js';
import { AppError } from './errors.js';
import { FlagChange, NewFlag } from './flags.js';
import { InferenceRecord } from './inference.js';
import { fromTexts, parse, problemsIn } from './parse.js';
import { ModelChange, ModelFilter, NewModel } from './registry.js';
import { NewTestCase } from './test-case.js';

const model = { name: 'A', version: '1.0.0', model_type: 'ensemble' };

/** The fields that the error names. */
function refused(type: new () => object, value: unknown): string[] {
  try {
    parse(type, value);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return (error.details!.fields as { field: string }[]).map(({ field }) => field);
  }
  return [];
}

describe('parsing plain data', () => {
  it('leaves out what was not given, so that a change does not wipe out the rest', () => {
    expect(Object.keys(parse(ModelChange, { model_id: 'a', description: 'new' }))).toEqual(['model_id', 'description']);
    const { serving } = parse(NewModel, { ...model, serving: { protocol: 'oip_v2', url: 'http://a' } });
    expect(Object.keys(serving ?? {})).toEqual(['protocol', 'url']);
  });

  it.each([
    [NewModel, { ...model, version: '1.0' }, ['version']],
    [NewModel, { ...model, version: '01.0.0' }, ['version']],
    [NewModel, { ...model, unknown: 1 }, ['unknown']],
    [NewModel, { ...model, name: 'a\u0000b' }, ['name']],
    [NewModel, { ...model, name: '\ud800' }, ['name']],
    [NewModel, { ...model, sport: 'mlb' }, ['sport']],
    [NewModel, { ...model, retention_days: 1.5 }, ['retention_days']],
    [NewModel, { ...model, serving: { protocol: 'x', url: 5 } }, ['serving.protocol', 'serving.url']],
    [NewModel, { ...model, serving: [] }, ['serving']],
    [NewModel, { ...model, description: null }, ['description']],
    [NewModel, {}, ['name', 'version', 'model_type']],
    [NewModel, [], ['(body)']],
    [NewModel, 'text', ['(body)']],
    [NewModel, null, ['(body)']],
    [InferenceRecord, { model_id: 'a', timing_ms: NaN }, ['timing_ms']],
    [InferenceRecord, { model_id: 'a', timing_ms: Infinity }, ['timing_ms']],
    [InferenceRecord, { model_id: 'a', timing_ms: 1e308 }, ['timing_ms']],
    [InferenceRecord, { model_id: '../a', timing_ms: 1 }, ['model_id']],
    [NewFlag, { flag_key: 'a b', variants: {}, default_variant: 'x' }, ['flag_key', 'variants']],
    [FlagChange, { flag_key: 'a', rollout_percentage: 100.1 }, ['rollout_percentage']],
    [NewTestCase, { test_case_id: 'a', input: 1, expectations: [{ op: 'nope' }] }, ['expectations.0.op']],
    [NewTestCase, { test_case_id: 'a', steps: Array.from({ length: 21 }, () => ({ input: 1 })) }, ['steps']],
    [NewTestCase, { test_case_id: 'a', input: 'x'.repeat(300_000), expectations: [{ op: 'exists' }] }, ['input']],
    [NewModel, { ...model, constructor: 1, toString: 1 }, ['constructor', 'toString']],
  ])('refuses what %p does not accept, naming the field: %j', (type, value, fields) => {
    expect(refused(type, value).sort()).toEqual(fields.sort());
  });

  it('accepts exactly what nothing is said against', () => {
    const values = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom('a', '1.0.0', 'ensemble', 1, 0.5, [], {}, undefined, NaN));
    const some = (names: string[]): fc.Arbitrary<Record<string, unknown>> => fc.dictionary(fc.constantFrom(...names), values);
    const expectation = some(['path', 'op', 'value', 'min', 'surprise']).map((rest) => ({ op: 'exists', ...rest }));
    const cases = fc.oneof(
      some(['name', 'version', 'sport', 'retention_days', 'description', 'serving']).map((rest): [new () => object, object] => [
        NewModel,
        { ...model, ...rest },
      ]),
      some(['url', 'protocol', 'timeout_ms', '__proto__']).map((serving): [new () => object, object] => [NewModel, { ...model, serving }]),
      fc
        .tuple(some(['description', 'max_duration_ms', 'applies_to']), fc.array(fc.oneof(expectation, values)))
        .map(([rest, expectations]): [new () => object, object] => [
          NewTestCase,
          { test_case_id: 'a', input: 1, expectations: expectations as object[], ...rest },
        ]),
    );
    fc.assert(
      fc.property(cases, ([type, value]) => {
        const problems = problemsIn(type, value as Record<string, unknown>);
        expect([value, refused(type, value).length > 0]).toEqual([value, problems.length > 0]);
      }),
      { numRuns: 1_000 },
    );
  });

  it('refuses what is nested too deeply wherever it stands, naming where', () => {
    const deep = JSON.parse('['.repeat(100_000) + ']'.repeat(100_000)) as unknown;
    const testCase = { test_case_id: 'a', input: 1, expectations: [{ op: 'exists' }] };
    expect(refused(NewTestCase, { ...testCase, input: deep })).toEqual(['input']);
    expect(refused(NewTestCase, { ...testCase, expectations: [{ op: 'equals', value: { a: deep } }] })).toEqual(['expectations.0.value']);
    expect(refused(NewTestCase, { ...testCase, expectations: deep })).toEqual(['expectations']);
    expect(refused(NewTestCase, { ...testCase, applies_to: deep })).toEqual(['applies_to']);
    expect(refused(NewTestCase, { ...testCase, description: deep })).toEqual(['description']);
    expect(refused(NewTestCase, { ...testCase, surprise: deep })).toEqual(['surprise']);
    expect(refused(NewTestCase, deep)).toEqual(['(body)']);
  });

  it('keeps non-ASCII text and free JSON as they are', () => {
    const input = { ключ: ['ü', { 木: null }], then: 1 };
    expect(parse(NewTestCase, { test_case_id: 'a', input, expectations: [{ op: 'exists' }] }).input).toBe(input);
    expect(parse(NewModel, { ...model, name: 'Модель 木 🏀' }).name).toBe('Модель 木 🏀');
  });
});

describe('reading texts', () => {
  it.each([
    ['12.5', 12.5],
    ['-3', -3],
    ['1e3', 1000],
    ['', ''],
    ['0x10', '0x10'],
    [' 1', ' 1'],
    ['NaN', 'NaN'],
    ['Infinity', 'Infinity'],
  ])('takes %j for %j where a number belongs', (text, value) => {
    expect(fromTexts(InferenceRecord, { timing_ms: text })).toEqual({ timing_ms: value });
  });

  it('takes true and false alone for booleans, and leaves a repeated parameter as it came', () => {
    expect(fromTexts(InferenceRecord, { success: 'true' })).toEqual({ success: true });
    expect(fromTexts(InferenceRecord, { success: '1' })).toEqual({ success: '1' });
    expect(fromTexts(ModelFilter, { limit: ['1', '2'] })).toEqual({ limit: ['1', '2'] });
  });
});

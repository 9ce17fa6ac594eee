import { readConfig } from '#runtime/config.js';
import { MetricsConfig } from '../metrics.config.js';
import { Tally } from '../windows/tally.js';
import { errorTypeOf } from './error-type.js';
import { ErrorTypes, readErrorTypeRules } from './error-types.js';

const rule = { type: 'feature_store_error', words: ['feature store', 'Feast'] };
const configured = (rules: unknown): MetricsConfig =>
  readConfig(MetricsConfig, {
    NATS_URL: 'nats://127.0.0.1:4222',
    DATABASE_URL: 'postgres://nobody@127.0.0.1:9/none',
    ERROR_TYPE_RULES: typeof rules === 'string' ? rules : JSON.stringify(rules),
  });

describe('ERROR_TYPE_RULES', () => {
  it('are read with their words in lower case; without them there are none', () => {
    expect(configured([rule]).errorTypeRules).toEqual([{ type: 'feature_store_error', words: ['feature store', 'feast'] }]);
    expect(configured([]).errorTypeRules).toEqual([]);
    expect(configured('').errorTypeRules).toEqual([]);
  });

  it.each([
    ['no JSON', 'feast'],
    ['no list', rule],
    ['a list in a list', [[rule]]],
    ['null', [null]],
    ['21 rules', new Array(21).fill(rule)],
    ['no type', [{ words: ['feast'] }]],
    ['a type that is no token', [{ ...rule, type: 'Feature Store' }]],
    ['a type of 65 characters', [{ ...rule, type: 'a'.repeat(65) }]],
    ['no words', [{ type: 'a_error' }]],
    ['an empty list of words', [{ ...rule, words: [] }]],
    ['21 words', [{ ...rule, words: new Array(21).fill('feast') }]],
    ['a word that is a number', [{ ...rule, words: [504] }]],
    ['a word of one letter', [{ ...rule, words: [' a '] }]],
    ['a word of 65 letters', [{ ...rule, words: ['a'.repeat(65)] }]],
    ['a field that there is not', [{ ...rule, pattern: '.*' }]],
    ['a text that is too long', `[${' '.repeat(50_000)}]`],
  ])('that are %s stop the start with the sentence that says what is accepted', (_, rules) => {
    expect(() => configured(rules)).toThrow(
      /^These environment variables.*\n {2}ERROR_TYPE_RULES: must be a JSON list of at most 20 rules/,
    );
  });

  it('decide what failed inferences are counted as', () => {
    const tally = new Tally(new ErrorTypes(readErrorTypeRules(JSON.stringify([rule]))));
    const failure = { model_id: 'm', timing_ms: 1, success: false, occurred_at_ms: 0 };
    for (const error of ['no answer of FEAST', 'no answer of Feast', 'timed out']) tally.add({ ...failure, error }, 0);
    expect([...tally.lifetimes()[0]!.counters.errors]).toEqual([
      ['feature_store_error', 2],
      ['timeout_error', 1],
    ]);
  });
});

describe('ErrorTypes', () => {
  const own = readErrorTypeRules(JSON.stringify([rule]));
  const texts = ['timed out', 'feast', 'custom_error: x', '', '__proto__', 'x '.repeat(250), `${'x '.repeat(300)}feast`];

  it('are those of errorTypeOf, at the first time and again, with more texts than are remembered', () => {
    const types = new ErrorTypes(own);
    const many = Array.from({ length: 2_500 }, (_, index) => `request ${index} ${index % 3 ? 'timed out' : 'to feast'}`);
    for (const text of [...texts, ...many, ...texts, ...many.slice(-10)]) {
      expect(types.of(text)).toBe(errorTypeOf(text, undefined, own));
      expect(types.of(text, 'FeastError')).toBe(errorTypeOf(text, 'FeastError', own));
    }
    expect(types.of(undefined)).toBe('unknown_error');
  });
});

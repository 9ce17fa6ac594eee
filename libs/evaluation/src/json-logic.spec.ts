import { FlagdCore, MemoryStorage } from '@openfeature/flagd-core';
import { type JsonValue } from '#contracts/fields.js';
import { fc } from '#testing/property.js';
import { compileFlag, type Definition } from './compiled-flag.js';
import { targetingProblems } from './targeting-rules.js';

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const variants = { on: true, off: false, true: true, false: false, other: true };
const names = Object.keys(variants);

const flagOf = (targeting: JsonValue): Definition => ({
  ...{ flag_key: 'oracle', state: 'ENABLED', variants, default_variant: 'off', split: null, variant_models: {}, targeting },
});

interface Said {
  variant: string | undefined;
  reason: string | undefined;
}

function flagdSays(targeting: unknown, context: Record<string, unknown>, evaluators: Record<string, unknown> = {}): Said {
  const core = new FlagdCore(undefined, silent);
  const flags = { oracle: { state: 'ENABLED', variants, defaultVariant: 'off', targeting } };
  core.setConfigurations(JSON.stringify({ flags, $evaluators: evaluators }));
  const { variant, reason } = core.resolveBooleanEvaluation('oracle', false, context as never);
  return { variant, reason };
}

function weSay(targeting: unknown, context: Record<string, unknown>, evaluators: Record<string, JsonValue> = {}): Said {
  const { variant, reason } = compileFlag(flagOf(targeting as JsonValue), evaluators).evaluate(context, 1_700_000_000_000);
  return { variant: variant ?? undefined, reason };
}

/** The schema that flagd-core is published with. */
function schemaAccepts(targeting: unknown): boolean {
  try {
    new MemoryStorage(silent).setConfigurations(
      JSON.stringify({ flags: { oracle: { state: 'ENABLED', variants, defaultVariant: 'off', targeting } } }),
      true,
    );
    return true;
  } catch {
    return false;
  }
}

const text = fc.constantFrom('', 'CA', 'US', 'abc', 'abcxyz', '5', '10', 'v1.2.3', '1.2.3', '2.0.0-rc.1');
const number = fc.constantFrom(0, 1, 2, 5, 10, -3, 0.5);
const context = fc.record({
  targetingKey: fc.constantFrom('user-1', 'user-2', 'jane@company.com', 'x'),
  country: text,
  age: number,
  plan: fc.record({ name: text, seats: number }),
  tags: fc.array(text, { maxLength: 4 }),
  sizes: fc.array(number, { minLength: 1, maxLength: 4 }),
  beta: fc.boolean(),
});
const op = <const Name extends string>(name: Name, ...args: fc.Arbitrary<unknown>[]): fc.Arbitrary<unknown> =>
  fc.tuple(...args).map((values) => ({ [name]: values }));
const variable = (...of: unknown[]): fc.Arbitrary<unknown> => fc.constantFrom(...of.map((name) => ({ var: name })));

/** Rules whose operands are of the types that they are for: what flagd does with others differs between its own implementations. */
const rules = fc.letrec<{ bool: unknown; text: unknown; number: unknown; texts: unknown; numbers: unknown; answer: unknown }>((tie) => ({
  text: fc.oneof(
    { maxDepth: 3 },
    text,
    variable('country', 'plan.name', ['plan.name'], ['nothing', 'CA'], 'targetingKey', '$flagd.flagKey'),
    op('cat', tie('text'), tie('text'), tie('number')),
    op('substr', tie('text'), fc.constantFrom(0, 1, -2)),
    op('substr', tie('text'), fc.constant(1), fc.constantFrom(1, -1)),
    op('if', tie('bool'), tie('text'), tie('text')),
  ),
  number: fc.oneof(
    { maxDepth: 3 },
    number,
    variable('age', 'plan.seats', ['nothing', 3]),
    op('+', tie('number'), tie('number')),
    op('-', tie('number'), tie('number')),
    op('-', tie('number')),
    op('*', tie('number'), tie('number')),
    op('/', tie('number'), fc.constantFrom(1, 2, -4)),
    op('%', tie('number'), fc.constantFrom(2, 3)),
    op('max', tie('number'), tie('number')),
    op('min', tie('number'), tie('number')),
    op('reduce', tie('numbers'), fc.constant({ '+': [{ var: 'accumulator' }, { var: 'current' }] }), tie('number')),
  ),
  texts: fc.oneof(
    { maxDepth: 3 },
    fc.array(text, { minLength: 1, maxLength: 3 }),
    variable('tags'),
    op('merge', tie('texts'), tie('texts')),
    op('filter', tie('texts'), fc.constantFrom({ '!=': [{ var: '' }, 'CA'] }, { starts_with: [{ var: '' }, 'a'] })),
    op('missing', fc.constantFrom('country', 'none', 'plan.name')).map((rule) => rule),
    fc.constantFrom({ missing_some: [1, ['country', 'none']] }, { missing_some: [2, ['country', 'none']] }),
  ),
  numbers: fc.oneof(
    { maxDepth: 3 },
    fc.array(number, { minLength: 1, maxLength: 3 }),
    variable('sizes'),
    op('map', tie('numbers'), fc.constant({ '*': [{ var: '' }, 2] })),
  ),
  bool: fc.oneof(
    { maxDepth: 4 },
    fc.boolean(),
    variable('beta', 'plan', 'nothing', 'tags'),
    op('==', tie('text'), tie('text')),
    op('!==', tie('number'), tie('number')),
    op('===', tie('text'), tie('text')),
    op('!=', tie('number'), tie('number')),
    op('<', tie('number'), tie('number')),
    op('<=', tie('number'), tie('number'), tie('number')),
    op('>', tie('text'), tie('text')),
    op('>=', tie('number'), tie('number')),
    op('in', tie('text'), tie('texts')),
    op('in', tie('text'), tie('text')),
    op('and', tie('bool'), tie('bool')),
    op('or', tie('bool'), tie('bool')),
    op('!', tie('bool')),
    op('!!', tie('texts')).map((rule) => ({ '!!': [{ in: ['CA', (rule as { '!!': unknown[] })['!!'][0]] }] })),
    op('starts_with', tie('text'), tie('text')),
    op('ends_with', tie('text'), tie('text')),
    op('sem_ver', variable('plan.name', 'country'), fc.constantFrom('=', '!=', '<', '>=', '^', '~'), fc.constant('1.2.3')),
    op('some', tie('texts'), fc.constant({ '==': [{ var: '' }, 'CA'] })),
    op('none', tie('numbers'), fc.constant({ '>': [{ var: '' }, 2] })),
    op('all', tie('numbers'), fc.constant({ '<': [{ var: '' }, 3] })),
  ),
  answer: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom('on', 'off', 'other', null, true),
    op('if', tie('bool'), tie('answer'), tie('answer')),
    op('if', tie('bool'), tie('answer'), tie('bool'), tie('answer'), tie('answer')),
    op('fractional', fc.constant(['on', 30]), fc.constant(['off', 70])),
    op('fractional', op('cat', tie('text'), fc.constant('salt')), fc.constant(['on', 1]), fc.constant(['off']), fc.constant(['other', 2])),
    op('fractional', fc.constant(['on', { '*': [{ var: 'plan.seats' }, 10] }]), fc.constant(['off', 50])),
  ),
}));

/** Half weights are no weights to either; a rule must be an object. */
const targeting = op('if', rules.bool, rules.answer, rules.answer);

describe('a rule', () => {
  it('says what flagd-core says, for whatever operands its operations are for', () => {
    fc.assert(
      fc.property(targeting, context, (rule, data) => {
        const said = flagdSays(rule, data);
        // Its engine gives up where it meets, say, an empty text in a calculation.
        fc.pre(said.reason !== 'ERROR');
        expect(weSay(rule, data)).toEqual(said);
      }),
      { numRuns: 300 },
    );
  });

  it('that we accept is one that flagd’s schema accepts', () => {
    fc.assert(
      fc.property(targeting, (rule) => {
        expect(targetingProblems(rule, { path: 'targeting', variants: names, evaluators: [] })).toEqual([]);
        expect(schemaAccepts(rule)).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  const scrap = fc.letrec<{ any: unknown }>((tie) => ({
    any: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom(null, true, 'on', 'off', 1, 1.5, -1, '1.2.3', '='),
      fc.array(tie('any'), { maxLength: 4 }),
      fc
        .tuple(
          fc.constantFrom(
            'if',
            '==',
            'var',
            '!',
            '<',
            '+',
            'in',
            'fractional',
            'sem_ver',
            'starts_with',
            'missing',
            'missing_some',
            'map',
            'reduce',
            'nothing',
          ),
          tie('any'),
        ) // prettier-ignore
        .map(([name, argument]) => ({ [name]: argument })),
    ),
  }));

  it('of any shape is refused wherever flagd’s schema refuses it', () => {
    fc.assert(
      fc.property(scrap.any, (rule) => {
        const accepted = targetingProblems(rule, { path: 'targeting', variants: names, evaluators: [] }).length === 0;
        expect(accepted && !schemaAccepts(rule)).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  it('of any shape that is accepted is compiled, and answers in every context without a throw', () => {
    fc.assert(
      fc.property(scrap.any, fc.oneof(context, fc.dictionary(fc.string(), fc.jsonValue())), (rule, data) => {
        fc.pre(targetingProblems(rule, { path: 'targeting', variants: names, evaluators: [] }).length === 0);
        const { error_code } = compileFlag(flagOf(rule as JsonValue), {}).evaluate(data, 0);
        expect(error_code).not.toBe('PARSE_ERROR');
      }),
      { numRuns: 300 },
    );
  });

  it('differs from JavaScript’s flagd, as Go’s does, where the targeting key is not ASCII', () => {
    const rule = { fractional: [['on', 1], ['off', 1], ['other', 1]] }; // prettier-ignore
    const keys = Array.from({ length: 200 }, (_, at) => `naïve-ü-木-${at}`);
    expect(keys.some((targetingKey) => weSay(rule, { targetingKey }).variant !== flagdSays(rule, { targetingKey }).variant)).toBe(true);
  });

  it('refers to a shared evaluator', () => {
    const evaluators = { is_ballmer: { '==': [{ var: 'email' }, 'ballmer@macrosoft.com'] } };
    const rule = { if: [{ $ref: 'is_ballmer' }, 'on', 'other'] };
    for (const email of ['ballmer@macrosoft.com', 'x@macrosoft.com'])
      expect(weSay(rule, { email }, evaluators)).toEqual(flagdSays(rule, { email }, evaluators));
  });

  it('finds nothing in what lists and objects inherit', () => {
    for (const name of ['__proto__', 'constructor', 'country.length', 'toString'])
      expect(weSay({ if: [{ var: name }, 'on', 'other'] }, { country: 'CA', tags: [1] }).variant).toBe('other');
  });

  it('is false where it compares what cannot be compared', () => {
    for (const rule of [{ '==': [{ var: 'plan' }, 1] }, { '<': ['CA', 1] }, { '>': [{ var: 'tags' }, 1] }, { in: [1, { var: 'plan' }] }])
      expect(weSay({ if: [rule, 'on', 'other'] }, { plan: { a: 1 }, tags: ['x'] }).variant).toBe('other');
  });
});

describe('a rule that would never end', () => {
  const list = Array.from({ length: 1_000 }, (_, at) => at);

  it('is given up after 100,000 elements', () => {
    const rule = { if: [{ some: [{ var: 'list' }, { some: [{ var: 'inner' }, false] }] }, 'on', 'off'] };
    const data = { list: list.map(() => ({ inner: list })) };
    const answer = compileFlag(flagOf(rule), {}).evaluate(data, 0);
    expect(answer).toMatchObject({ reason: 'ERROR', error_code: 'GENERAL', error_details: 'The rule visits more than 100000 elements' });
  });

  it.each(['cat', 'merge'])('is given up before %s has built more than 100,000', (name) => {
    const rule = { if: [{ reduce: [{ var: 'list' }, { [name]: [{ var: 'accumulator' }, { var: 'accumulator' }] }, ['x']] }, 'on', 'off'] };
    expect(compileFlag(flagOf(rule), {}).evaluate({ list }, 0)).toMatchObject({
      error_details: 'The rule builds more than 100000 characters or items',
    });
  });
});

import { type JsonValue } from '#contracts/fields.js';
import { compileFlag, type Definition, type EvaluationContext } from './compiled-flag.js';

const flag: Definition = {
  flag_key: 'mlb_transformer_v2',
  state: 'ENABLED',
  variants: { on: true, off: false },
  default_variant: 'off',
  targeting: { if: [{ '==': [{ var: 'country' }, 'CA'] }, 'on', null] },
  split: { algorithm: 'fractional', salt: 'mlb_transformer_v2', weights: { on: 30, off: 70 } },
  variant_models: { on: 'mlb_model_1' },
};

const say = (changed: Partial<Definition>, context: EvaluationContext, evaluators: Record<string, JsonValue> = {}) =>
  compileFlag({ ...flag, ...changed }, evaluators).evaluate(context, Date.parse('2025-01-20T15:30:00.900Z'));

describe('a flag', () => {
  it('says the variant that targeting names, with its value, its model and where it is named', () => {
    expect(say({}, { country: 'CA' })).toEqual({
      value: true,
      variant: 'on',
      reason: 'TARGETING_MATCH',
      rule: 'targeting.if[1]',
      model_id: 'mlb_model_1',
    });
  });

  it('leaves it to the split where targeting names none', () => {
    const answers = Array.from({ length: 9 }, (_, at) => say({}, { country: 'US', targetingKey: `u${at}` }));
    expect(new Set(answers.map(({ variant }) => variant))).toEqual(new Set(['on', 'off']));
    for (const { variant, ...answer } of answers) {
      const bound = variant === 'on' ? { value: true, model_id: 'mlb_model_1' } : { value: false, model_id: null };
      expect(answer).toEqual({ reason: 'SPLIT', rule: 'split', ...bound });
    }
  });

  it('says its default where neither names one, DEFAULT after targeting, STATIC without, DISABLED while it is off', () => {
    expect(say({ split: null }, {})).toMatchObject({ variant: 'off', reason: 'DEFAULT', rule: 'default_variant' });
    expect(say({ split: null, targeting: null }, {})).toMatchObject({ variant: 'off', reason: 'STATIC', rule: 'default_variant' });
    expect(say({ split: null, targeting: {} }, {})).toMatchObject({ reason: 'STATIC' });
    expect(say({ state: 'DISABLED' }, { country: 'CA' })).toMatchObject({
      variant: 'off',
      value: false,
      reason: 'DISABLED',
      rule: 'state',
    });
  });

  it('leaves it to the code where the default variant is null', () => {
    for (const changed of [{ targeting: null }, {}, { state: 'DISABLED' as const }])
      expect(say({ ...changed, split: null, default_variant: null }, {})).toMatchObject({ value: null, variant: null, model_id: null });
  });

  it('tells where in a nested rule, or in which shared evaluator, the variant is named', () => {
    const evaluators = { by_plan: { if: [{ '==': [{ var: 'plan' }, 'pro'] }, 'on', 'off'] } };
    const targeting = { if: [{ var: 'beta' }, { if: [{ var: 'staff' }, 'on', { fractional: [['on', 1], ['off', 1]] }] }, { $ref: 'by_plan' }] }; // prettier-ignore
    const ruleFor = (context: EvaluationContext): string => say({ targeting }, context, evaluators).rule;
    expect(ruleFor({ beta: true, staff: true })).toBe('targeting.if[1].if[1]');
    expect(ruleFor({ beta: true, targetingKey: 'u' })).toBe('targeting.if[1].if[2]');
    expect(ruleFor({ plan: 'pro' })).toBe('$evaluators.by_plan.if[1]');
    expect(ruleFor({ plan: 'free' })).toBe('$evaluators.by_plan.if[2]');
  });

  it('knows its own key and the time', () => {
    const since = (timestamp: number) => ({ if: [{ '>=': [{ var: '$flagd.timestamp' }, timestamp] }, 'on', 'off'] });
    const seconds = Date.parse('2025-01-20T15:30:00Z') / 1000;
    expect(say({ targeting: since(seconds) }, {}).variant).toBe('on');
    expect(say({ targeting: since(seconds + 1) }, {}).variant).toBe('off');
    expect(say({ targeting: { if: [{ '==': [{ var: '$flagd.flagKey' }, 'mlb_transformer_v2'] }, 'on', 'off'] } }, {}).variant).toBe('on');
    const forged = { $flagd: { flagKey: 'forged' } };
    expect(say({ targeting: { if: [{ '==': [{ var: '$flagd.flagKey' }, 'forged'] }, 'on', 'off'] } }, forged).variant).toBe('off');
  });

  it('takes a boolean for the variant that is called like it', () => {
    expect(say({ variants: { true: 1, false: 0 }, targeting: { '!': [{ var: 'none' }] } }, {})).toMatchObject({
      variant: 'true',
      value: 1,
    });
  });

  it.each([
    [{ targeting: null }, {}, 'TARGETING_KEY_MISSING', 'split'],
    [{ targeting: null }, { targetingKey: '' }, 'TARGETING_KEY_MISSING', 'split'],
    [{ targeting: { if: [true, { var: 'country' }, null] } }, { country: 'US' }, 'GENERAL', 'targeting.if[1]'],
    [{ targeting: { merge: [['on']] } }, {}, 'GENERAL', 'targeting'],
    [{ targeting: { '+': ['x'] } }, {}, 'GENERAL', 'targeting'],
    [{ targeting: { if: [{ $ref: 'gone' }, 'on', 'off'] } }, {}, 'PARSE_ERROR', 'targeting.if[0].$ref'],
    [{ targeting: { unheard: [1] } }, {}, 'PARSE_ERROR', 'targeting'],
  ])('of %j in %j answers the error %s at %s', (changed, context, error_code, rule) => {
    expect(say(changed, context)).toMatchObject({ value: null, variant: null, reason: 'ERROR', error_code, rule });
  });

  it('has no variant that objects inherit', () => {
    for (const named of ['constructor', '__proto__', 'toString'])
      expect(say({ targeting: { if: [true, { var: 'named' }] } }, { named })).toMatchObject({ reason: 'ERROR', error_code: 'GENERAL' });
  });
});

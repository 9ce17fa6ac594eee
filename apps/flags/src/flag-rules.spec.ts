import { type AppError, type FieldProblem } from '#contracts/errors.js';
import { type Flag } from '#contracts/flags.js';
import { type Definition } from '#evaluation/compiled-flag.js';
import { assertNotOwned, flagProblems, splitFrom } from './flag-rules.js';

const flag: Definition = {
  ...{ flag_key: 'f', state: 'ENABLED', variants: { on: true, off: false }, default_variant: 'off', targeting: null, split: null },
  variant_models: {},
};
const fieldsOf = (changed: Partial<Definition>): string[] =>
  flagProblems({ ...flag, ...changed }, []).map(({ field }: FieldProblem) => field);
const weights = (of: Record<string, number>): Definition['split'] => ({ algorithm: 'fractional', salt: 'f', weights: of });

describe('a flag', () => {
  it.each<[string, Partial<Definition>, string[]]>([
    ['whole', {}, []],
    ['without a default', { default_variant: null }, []],
    ['of several types', { variants: { on: true, off: 'no' } }, ['variants']],
    ['of lists', { variants: { on: [], off: [] } }, ['variants']],
    ['with an unknown default', { default_variant: 'of' }, ['default_variant']],
    ['with an inherited default', { default_variant: 'constructor' }, ['default_variant']],
    ['with a share of an unknown variant', { split: weights({ on: 1, constructor: 1 }) }, ['split.weights.constructor']],
    ['with a split of nothing', { split: weights({ on: 0, off: 0 }) }, ['split.weights']],
    ['with weights beyond 2^21', { split: weights({ on: 2_097_152, off: 1 }) }, ['split.weights']],
    ['with an unknown variant bound', { variant_models: { onn: 'm' } }, ['variant_models.onn']],
    ['with targeting that names no variant', { targeting: { if: [true, 'onn', null] } }, ['targeting.if[1]']],
  ])('%s', (_, changed, fields) => {
    expect(fieldsOf(changed)).toEqual(fields);
  });

  it('keeps algorithm and salt of its split where they are not named', () => {
    expect(splitFrom({ weights: { on: 1 } }, null, 'f')).toEqual({ algorithm: 'fractional', salt: 'f', weights: { on: 1 } });
    const present = { algorithm: 'rendezvous', salt: 's', weights: { on: 1 } } as const;
    expect(splitFrom({ weights: { on: 2 } }, present, 'f')).toEqual({ ...present, weights: { on: 2 } });
    expect(splitFrom({ salt: 'new', weights: { on: 2 } }, present, 'f')).toMatchObject({ algorithm: 'rendezvous', salt: 'new' });
    expect(splitFrom(null, present, 'f')).toBeNull();
  });

  it('is changed by its rollout alone in what a rollout owns', () => {
    const owned = { ...flag, rollout_id: 'rollout_1' } as Flag;
    expect(() => assertNotOwned(owned, { description: 'new', tags: ['a'] })).not.toThrow();
    for (const change of [{ state: 'DISABLED' as const }, { split: null }, { variants: {} }, { variant_models: {} }])
      expect(() => assertNotOwned(owned, change)).toThrow(
        expect.objectContaining<Partial<AppError>>({ code: 'OWNED_BY_ROLLOUT' }) as Error,
      );
    expect(() => assertNotOwned({ ...owned, rollout_id: null }, { split: null })).not.toThrow();
  });
});

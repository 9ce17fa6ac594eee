import { type Flag } from '#contracts/flags.js';
import { fc } from '#testing/property.js';
import { evaluate, isInRollout } from './evaluation.js';

const flag: Flag = {
  flag_key: 'mlb_transformer_v2',
  description: '',
  state: 'ENABLED',
  variants: { on: true, off: false },
  default_variant: 'off',
  rollout_variant: 'on',
  rollout_percentage: 30,
  model_id: null,
  created_at: '2025-01-15T10:30:00Z',
  updated_at: '2025-01-15T10:30:00Z',
  created_by: 'ml_team',
  revision: 1,
};

describe('a percentage rollout', () => {
  it('keeps everyone in who was in at a lower percentage', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.string({ unit: 'grapheme' }),
        fc.integer({ min: 0, max: 100 }),
        fc.integer({ min: 0, max: 100 }),
        (key, id, a, b) => {
          const [low, high] = [Math.min(a, b), Math.max(a, b)];
          return !isInRollout(key, id, low) || isInRollout(key, id, high);
        },
      ),
    );
  });

  it('takes nobody at 0 % and everybody at 100 %', () => {
    fc.assert(fc.property(fc.string(), fc.string(), (key, id) => !isInRollout(key, id, 0) && isInRollout(key, id, 100)));
  });

  it('takes its share of 100,000 users', () => {
    const ids = Array.from({ length: 100_000 }, (_, index) => `user-${index}`);
    const inside = ids.filter((id) => isInRollout('mlb_transformer_v2', id, 10)).length;
    // Five standard deviations of a binomial(100000, 0.1).
    expect(Math.abs(inside - 10_000)).toBeLessThan(5 * Math.sqrt(100_000 * 0.1 * 0.9));
  });

  it('chooses independently for flags whose keys differ in one character', () => {
    const ids = Array.from({ length: 100_000 }, (_, index) => `user-${index}`);
    const both = ids.filter((id) => isInRollout('mlb_model_v2', id, 10) && isInRollout('mlb_model_v3', id, 10)).length;
    expect(Math.abs(both - 1_000)).toBeLessThan(5 * Math.sqrt(100_000 * 0.01 * 0.99));
  });
});

describe('evaluating a flag', () => {
  it('says the variant, its value and that the split decided', () => {
    const answers = new Set(['u1', 'u2', 'u3', 'u4', 'u5', 'u6', 'u7', 'u8', 'u9'].map((id) => JSON.stringify(evaluate(flag, id))));
    expect([...answers].sort()).toEqual([
      '{"flag_key":"mlb_transformer_v2","value":false,"variant":"off","reason":"SPLIT","model_id":null}',
      '{"flag_key":"mlb_transformer_v2","value":true,"variant":"on","reason":"SPLIT","model_id":null}',
    ]);
  });

  it('gives everyone the default of a disabled flag', () => {
    expect(evaluate({ ...flag, state: 'DISABLED', rollout_percentage: 100 }, 'u1')).toMatchObject({ variant: 'off', reason: 'DISABLED' });
  });

  it('is static without a rollout', () => {
    expect(evaluate({ ...flag, rollout_variant: null, rollout_percentage: 0 }, 'u1')).toMatchObject({ variant: 'off', reason: 'STATIC' });
  });
});

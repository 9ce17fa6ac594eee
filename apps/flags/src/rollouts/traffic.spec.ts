import { type Flag } from '#contracts/flags.js';
import { compileFlag } from '#evaluation/compiled-flag.js';
import { fc } from '#testing/property.js';
import { onCanary, promoted, splitAt, withdrawn } from './traffic.js';

const arms = { candidate_model_id: 'new', control_model_id: 'old', candidate_variant: 'b', control_variant: 'a' };

const gets = (split: Flag['split'], targetingKey: string): string | null =>
  compileFlag(
    { flag_key: 'f', state: 'ENABLED', variants: { a: 1, b: 2 }, targeting: null, split, variant_models: {} } as unknown as Flag,
    {},
  ).evaluate({ targetingKey }, 0).variant;

const percentage = fc.integer({ min: 0, max: 1_000_000 }).map((parts) => parts / 10_000);

describe('the traffic of a rollout', () => {
  it('stays with the candidate for whoever has it, as its share grows, whatever the variants are called', () => {
    fc.assert(
      fc.property(percentage, percentage, fc.string(), fc.boolean(), (x, y, key, swapped) => {
        const variants = swapped ? { candidate_variant: 'a', control_variant: 'b' } : {};
        const at = (share: number): boolean => {
          const rollout = { ...arms, ...variants, rollout_id: 'rollout_0a1b2c3d4e5f' };
          return gets(splitAt(rollout, share), key) === rollout.candidate_variant;
        };
        return !at(Math.min(x, y)) || at(Math.max(x, y));
      }),
    );
  });

  it('goes to the candidate for as many as it shall, and to others in another rollout', () => {
    const keys = Array.from({ length: 20_000 }, (_, index) => `user-${index}`);
    const chosen = (rollout_id: string): Set<string> => {
      const split = splitAt({ ...arms, rollout_id }, 10);
      return new Set(keys.filter((key) => gets(split, key) === 'b'));
    };
    const [first, second] = [chosen('rollout_000000000001'), chosen('rollout_000000000002')];
    // Five standard deviations.
    expect(Math.abs(first.size - 2_000)).toBeLessThan(212);
    expect(Math.abs([...first].filter((key) => second.has(key)).length - 200)).toBeLessThan(71);
  });

  it('is shared by the models as by the flag, without the digits that binary adds', () => {
    expect(onCanary(arms, 'stable', 0.1)).toEqual([
      { model_id: 'new', status: 'canary', rollout_percentage: 0.1 },
      { model_id: 'old', status: 'stable', rollout_percentage: 99.9 },
    ]);
    fc.assert(
      fc.property(percentage, (share) => onCanary(arms, 'stable', share)[1]!.rollout_percentage === Number((100 - share).toFixed(4))),
    );
  });

  it('leaves a control of another name what it is', () => {
    expect(promoted(arms, 'stable', true)[1]).toMatchObject({ status: 'deprecated', rollout_percentage: 0 });
    expect(promoted(arms, 'stable', false)[1]).toMatchObject({ status: 'stable', rollout_percentage: 0 });
    expect(promoted(arms, 'canary', true)[1]).toMatchObject({ status: 'canary', rollout_percentage: 0 });
    expect(withdrawn(arms, 'canary')[1]).toMatchObject({ status: 'canary', rollout_percentage: 100 });
  });
});

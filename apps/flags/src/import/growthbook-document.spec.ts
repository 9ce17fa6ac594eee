import { GrowthBook } from '@growthbook/growthbook';
import { type Flag } from '#contracts/flags.js';
import { compileFlag } from '#evaluation/compiled-flag.js';
import { fc } from '#testing/property.js';
import { importable, readDocument } from './imported-flag.js';

const read = (feature: object) => {
  const [candidate] = readDocument('growthbook', { features: { f: feature } }).candidates;
  const { flag, lost } = importable(candidate!, []);
  const whole = { state: 'ENABLED', variant_models: {}, ...flag, split: null } as unknown as Flag;
  return { flag, lost, say: (context: Record<string, unknown>) => compileFlag(whole, {}).evaluate(context, 0).value };
};

const scalar = fc.constantFrom('CA', 'US', 'pro', '', 1, 5, 10, true, false);
const number = fc.constantFrom(1, 5, 10);
const operators = fc.oneof(
  // Of numbers and booleans GrowthBook takes others for equal: 1 and true, 'x' and true.
  fc.constantFrom('CA', 'pro'),
  fc.record({ $eq: scalar }),
  fc.record({ $ne: scalar }),
  fc.record({ $in: fc.array(scalar, { maxLength: 3 }) }),
  fc.record({ $nin: fc.array(scalar, { maxLength: 3 }) }),
  fc.record({ $exists: fc.boolean() }),
);
const attributes = fc.record({ country: scalar, age: number, plan: fc.record({ name: scalar }) }, { requiredKeys: ['age'] });
const comparison = fc
  .tuple(fc.constantFrom('$gt', '$gte', '$lt', '$lte'), number)
  .map(([name, value]) => ({ age: { [name]: value, $ne: 7 } }));
const conditions = fc.letrec<{ condition: object }>((tie) => ({
  condition: fc.oneof(
    { maxDepth: 2 },
    fc.record({ country: operators }),
    fc.record({ 'plan.name': operators, country: operators }, { requiredKeys: [] }),
    comparison,
    fc.record({ $or: fc.array(tie('condition'), { minLength: 1, maxLength: 2 }) }),
    fc.record({ $and: fc.array(tie('condition'), { maxLength: 2 }) }),
    fc.record({ $nor: fc.array(tie('condition'), { minLength: 1, maxLength: 2 }) }),
    fc.record({ $not: tie('condition') }),
  ),
}));

describe('a GrowthBook feature', () => {
  it('of conditions and forced values says what GrowthBook says', () => {
    fc.assert(
      fc.property(fc.array(conditions.condition, { maxLength: 3 }), attributes, (list, data) => {
        const feature = { defaultValue: 'none', rules: list.map((condition, at) => ({ condition, force: `rule ${at}` })) };
        const { lost, say } = read(feature);
        expect(lost).toEqual([]);
        const theirs = new GrowthBook({ features: { f: feature as never }, attributes: data });
        expect(say(data)).toBe(theirs.getFeatureValue('f', 'absent'));
      }),
      { numRuns: 150 },
    );
  });

  it('of a share keeps the share, and says that others are in it', () => {
    const { lost, say } = read({ defaultValue: false, rules: [{ force: true, coverage: 0.3, hashAttribute: 'id' }] });
    const inside = Array.from({ length: 10_000 }, (_, at) => say({ targetingKey: `u${at}` })).filter(Boolean).length;
    expect(Math.abs(inside - 3_000)).toBeLessThan(5 * Math.sqrt(10_000 * 0.3 * 0.7));
    expect(lost).toMatchObject([{ field: 'rules[0]', reason: expect.stringContaining('who is in them is not') as string }]);
    expect(say({})).toBe(false);
  });

  it('of an experiment keeps variations, weights and coverage', () => {
    const { say } = read({
      defaultValue: 'none',
      rules: [{ key: 'e', variations: ['control', 'red', 'blue'], weights: [0.5, 0.25, 0.25], coverage: 0.8, hashAttribute: 'id' }],
    });
    const counts: Record<string, number> = {};
    for (let at = 0; at < 20_000; at++) {
      const value = say({ id: `u${at}` }) as string;
      counts[value] = (counts[value] ?? 0) + 1;
    }
    for (const [value, share] of [
      ['none', 0.2],
      ['control', 0.4],
      ['red', 0.2],
      ['blue', 0.2],
    ] as const)
      // prettier-ignore
      expect(Math.abs((counts[value] ?? 0) / 20_000 - share)).toBeLessThan(0.02);
  });

  it('leaves out a rule that flagd has no operation for, says so, and asks the next', () => {
    const { lost, say } = read({
      defaultValue: 1,
      rules: [{ condition: { email: { $regex: '@x.com$' } }, force: 2 }, { parentConditions: [], force: 3 }, { force: 4 }],
    });
    expect(lost.map(({ field }) => field)).toEqual(['rules[0]', 'rules[1]']);
    expect(say({ email: 'a@x.com' })).toBe(4);
  });

  it('is refused where its values are of several types, or none', () => {
    expect(read({ defaultValue: 1, rules: [{ force: 'one' }] })).toMatchObject({ flag: null, lost: [{ field: 'variants' }] });
    expect(read({ defaultValue: null })).toMatchObject({ flag: null, lost: [{ field: 'defaultValue' }] });
  });
});

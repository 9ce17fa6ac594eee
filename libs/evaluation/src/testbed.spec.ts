import { type JsonValue } from '#contracts/fields.js';
import { compileFlag, type Definition } from './compiled-flag.js';

/** What the targeting of a flag with this key names. */
function named(flag_key: string, targeting: JsonValue, variants: string[], context: Record<string, unknown>): string | null {
  const flag: Definition = {
    ...{ flag_key, state: 'ENABLED', default_variant: null, split: null, variant_models: {}, targeting },
    variants: Object.fromEntries(variants.map((variant) => [variant, variant])),
  };
  return compileFlag(flag, {}).evaluate(context, 0).variant;
}

const suits = ['clubs', 'diamonds', 'hearts', 'spades'];
const quarters = suits.map((suit): JsonValue => [suit, 25]);

// Known answers of flagd's own conformance suite (open-feature/flagd-testbed, `fractional-v2`, `fractional-nested`, `semver`).
describe('flagd’s testbed', () => {
  it.each([
    ['jack', 'hearts'],
    ['queen', 'spades'],
    ['ten', 'clubs'],
    ['nine', 'diamonds'],
    [3, 'clubs'],
  ])('deals %s %s by flag key and name', (name, suit) => {
    const rule = { fractional: [{ cat: [{ var: '$flagd.flagKey' }, { var: 'user.name' }] }, ...quarters] };
    expect(named('fractional-flag', rule, suits, { user: { name } })).toBe(suit);
  });

  it.each([
    ['seven', 'hearts'],
    ['eight', 'diamonds'],
    ['nine', 'clubs'],
    ['two', 'spades'],
  ])('deals %s %s by a shared seed, whatever the flag', (name, suit) => {
    const rule = { fractional: [{ cat: ['shared-seed', { var: 'user.name' }] }, ...quarters] };
    for (const key of ['fractional-flag-A-shared-seed', 'fractional-flag-B-shared-seed'])
      expect(named(key, rule, suits, { user: { name } })).toBe(suit);
  });

  it.each([
    ['jon@company.com', 'heads'],
    ['jane@company.com', 'tails'],
  ])('deals %s %s by flag key and targeting key', (targetingKey, side) => {
    expect(named('fractional-flag-shorthand', { fractional: [['heads'], ['tails', 1]] }, ['heads', 'tails'], { targetingKey })).toBe(side);
  });

  it.each([
    ['ejOoVL', 'lower'],
    ['bY9fO-', 'lower'],
    ['SI7p-', 'lower'],
    ['6LvT0', 'upper'],
    ['ceQdGm', 'upper'],
  ])('puts the edge %s into the %s half', (targetingKey, half) => {
    const rule = { fractional: [{ var: 'targetingKey' }, ['lower', 50], ['upper', 50]] };
    expect(named('fractional-hash-edge-flag', rule, ['lower', 'upper'], { targetingKey })).toBe(half);
  });

  it.each([
    ['jon@company.com', 'premium', 'premium'],
    ['jon@company.com', 'basic', 'standard'],
    ['user1', 'premium', 'standard'],
  ])('lets an operation name the variant of a bucket: %s, %s', (targetingKey, tier, variant) => {
    const byTier = { if: [{ '==': [{ var: 'tier' }, 'premium'] }, 'premium', 'standard'] };
    const rule = { fractional: [{ var: 'targetingKey' }, [byTier, 50], ['standard', 50]] };
    expect(named('fractional-nested-if-flag', rule, ['premium', 'standard'], { targetingKey, tier })).toBe(variant);
  });

  it.each([
    ['jon@company.com', 'premium', 'red'],
    ['jon@company.com', 'basic', 'blue'],
    ['user1', 'premium', 'red'],
    ['user1', 'basic', 'blue'],
  ])('lets an operation weigh a bucket: %s, %s', (targetingKey, tier, variant) => {
    const byTier = { if: [{ '==': [{ var: 'tier' }, 'premium'] }, 100, 0] };
    const rule = { fractional: [{ var: 'targetingKey' }, ['red', byTier], ['blue', 10]] };
    expect(named('fractional-nested-weight-flag', rule, ['red', 'blue'], { targetingKey, tier })).toBe(variant);
  });

  it('takes a bucket for a condition', () => {
    const rule = (of: number): JsonValue => ({ if: [{ fractional: [[false, 100 - of], [true, of]] }, 'big', 'small'] }); // prettier-ignore
    expect(named('fractional-as-condition-flag', rule(100), ['big', 'small'], { targetingKey: 'some-targeting-key' })).toBe('big');
    expect(named('fractional-as-condition-false-flag', rule(0), ['big', 'small'], { targetingKey: 'some-targeting-key' })).toBe('small');
  });

  it('names no variant where nothing can be hashed, no weight is left or one is no whole number', () => {
    const context = { targetingKey: 'u', half: 0.5 };
    for (const rule of [
      { fractional: [{ var: 'missing_key' }, ['one', 50], ['two', 50]] },
      { fractional: [{ var: 'targetingKey' }, ['one', 0], ['two', 0]] },
      { fractional: [['one', { var: 'half' }], ['two', 1]] }, // prettier-ignore
    ])
      expect(named('none', rule, ['one', 'two'], context)).toBeNull();
    expect(named('negative', { fractional: [['one', { '-': [0, 5] }], ['two', 1]] }, ['one', 'two'], context)).toBe('two'); // prettier-ignore
  });

  it.each([
    ['2.0.0', 'equal'],
    ['2.1.0', 'greater'],
    ['1.9.0', 'lesser'],
    ['2.0.0-alpha', 'lesser'],
    ['2.0.0.0', 'none'],
  ])('takes version %s for %s', (version, variant) => {
    const is = (compare: string): JsonValue => ({ sem_ver: [{ var: 'version' }, compare, '2.0.0'] });
    const rule = { if: [is('='), 'equal', is('>'), 'greater', is('<'), 'lesser', 'none'] };
    expect(named('versions', rule, ['equal', 'greater', 'lesser', 'none'], { version })).toBe(variant);
  });

  it.each([
    ['abcdef', 'prefix'],
    ['uvwxyz', 'postfix'],
    ['abcxyz', 'prefix'],
    ['lmnopq', 'none'],
    [3, 'none'],
  ])('takes %s for %s', (id, variant) => {
    const rule = { if: [{ starts_with: [{ var: 'id' }, 'abc'] }, 'prefix', { ends_with: [{ var: 'id' }, 'xyz'] }, 'postfix', 'none'] };
    expect(named('starts-ends-flag', rule, ['prefix', 'postfix', 'none'], { id })).toBe(variant);
  });
});

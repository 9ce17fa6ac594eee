import { type JsonValue } from '#contracts/fields.js';
import { type Loss } from '#contracts/flag-import.js';
import {
  all,
  any,
  attribute,
  type Candidate,
  type Imported,
  isObject,
  type Json,
  listOf,
  not,
  note,
  objectsOf,
  textOf,
} from './candidate.js';
import { type Condition, unleashConstraint } from './unleash-constraint.js';

/** Of one document: its features by name and its segments by id. */
interface Source {
  features: Map<string, Json>;
  segments: Map<unknown, Condition[]>;
  /** What others ask of parents, made once: see `isWithin`. */
  made: Map<string, { rule: JsonValue; lost: Loss[] }>;
}

const otherBuckets = 'the shares are the same, but who is in them is not: flagd spreads keys over buckets in another way';

/**
 * Unleash's features. A feature becomes a boolean flag with the variants `on` and `off`. One with variants becomes a second flag besides, with
 * `.variant` after its key, whose values are `{name, payload}`. `userId` falls back to the targeting key; the context's properties are attributes
 * of their own names.
 */
export function fromUnleash(document: Json): Imported {
  const features = objectsOf(document.features);
  const source: Source = {
    features: new Map(features.map((feature) => [textOf(feature.name), feature])),
    segments: new Map(objectsOf(document.segments).map(({ id, constraints }) => [id, objectsOf(constraints).map(unleashConstraint)])),
    made: new Map(),
  };
  return { candidates: features.flatMap((feature) => candidates(feature, source)), evaluators: [] };
}

function candidates(feature: Json, source: Source): Candidate[] {
  const flag_key = textOf(feature.name);
  const shared = {
    state: feature.enabled === false ? 'DISABLED' : 'ENABLED',
    description: textOf(feature.description).slice(0, 1_000),
  };
  const [lost, lostOfVariants]: Loss[][] = [[], []];
  const on: Record<string, JsonValue> = {
    variants: { on: true, off: false },
    default_variant: 'off',
    targeting: { if: [activation(feature, source, lost!), 'on', 'off'] },
  };
  const enabled = { flag_key, flag: { ...shared, ...on }, lost: lost! };
  const variants = allVariants(feature);
  if (!variants.length) return [enabled];
  const choice: Record<string, JsonValue> = {
    variants: Object.fromEntries([disabled, ...variants.map((variant): [string, JsonValue] => [textOf(variant.name), valueOf(variant)])]),
    default_variant: 'disabled',
    targeting: { if: [all(parents(feature, source, lostOfVariants!)), variantRule(feature, source, lostOfVariants!), 'disabled'] },
  };
  return [enabled, { flag_key: `${flag_key}.variant`, flag: { ...shared, ...choice }, lost: lostOfVariants! }];
}

const parents = (feature: Json, source: Source, lost: Loss[]): JsonValue[] =>
  objectsOf(feature.dependencies).map((dependency, at) => parentCondition(dependency, source, lost, `dependencies[${at}]`));

/** Whether a feature is on for someone: its parents ask for it, and any of its strategies; without strategies it is. */
function activation(feature: Json, source: Source, lost: Loss[]): JsonValue {
  const strategies = objectsOf(feature.strategies);
  const own = strategies.map((strategy, at) => strategyRule(strategy, feature, source, lost, `strategies[${at}]`));
  return all([...parents(feature, source, lost), strategies.length ? any(own) : true]);
}

/** A parent is asked for as it is written in the document; it has no parents of its own. */
function parentCondition(dependency: Json, source: Source, lost: Loss[], field: string): JsonValue {
  const parent = source.features.get(textOf(dependency.feature));
  if (!parent || objectsOf(parent.dependencies).length) {
    note(lost, field, 'the document has no such parent, or it depends on others: the flag is off');
    return false;
  }
  const on = parent.enabled === false ? false : once(`on ${textOf(parent.name)}`, source, lost, (own) => activation(parent, source, own));
  if (dependency.enabled === false) return not(on);
  const names = listOf(dependency.variants).map(String);
  return names.length
    ? all([on, { in: [{ cat: [once(`variant ${textOf(parent.name)}`, source, lost, (own) => variantRule(parent, source, own))] }, names] }])
    : on;
}

/** Makes a rule where it is not made yet; what is lost in it is lost to everybody who asks for it. */
function once(name: string, { made }: Source, lost: Loss[], make: (lost: Loss[]) => JsonValue): JsonValue {
  const own: Loss[] = [];
  const known = made.get(name) ?? { rule: make(own), lost: own };
  made.set(name, known);
  for (const { field, reason } of known.lost) note(lost, field, reason);
  return known.rule;
}

/** A strategy, or `false` where it cannot be carried over: then fewer are on, never more. */
function strategyRule(strategy: Json, feature: Json, source: Source, lost: Loss[], field: string): JsonValue {
  const segments = listOf(strategy.segments).map((id) => source.segments.get(id));
  if (segments.includes(undefined)) return left(lost, `${field}.segments`, 'the document has no such segment');
  const conditions = [...objectsOf(strategy.constraints).map(unleashConstraint), ...segments.flatMap((segment) => segment ?? [])];
  for (const condition of conditions) if ('lost' in condition) return left(lost, field, condition.lost);
  const own = strategyCondition(strategy, feature, lost, field);
  return own === null ? false : all([...conditions.flatMap((condition) => ('rule' in condition ? [condition.rule] : [])), own]);
}

function strategyCondition(strategy: Json, feature: Json, lost: Loss[], field: string): JsonValue | null {
  const name = textOf(strategy.name);
  const parameters = isObject(strategy.parameters) ? strategy.parameters : {};
  const groupId = textOf(parameters.groupId) || textOf(feature.name);
  const listed = (parameter: string): string[] => textOf(parameters[parameter]).split(',').map((entry) => entry.trim()).filter(Boolean); // prettier-ignore
  if (name === 'default') return true;
  if (name === 'userWithId') return { in: [{ cat: [attribute('userId', 'userId')] }, listed('userIds')] };
  if (name === 'remoteAddress') return remoteAddress(listed('IPs'), lost, field);
  if (name === 'gradualRolloutUserId') return rollout('userId', parameters.percentage, groupId, lost, field);
  if (name === 'gradualRolloutSessionId') return rollout('sessionId', parameters.percentage, groupId, lost, field);
  if (name === 'gradualRolloutRandom') return rollout('random', parameters.percentage, groupId, lost, field);
  if (name === 'flexibleRollout') return rollout(textOf(parameters.stickiness) || 'default', parameters.rollout, groupId, lost, field);
  note(lost, field, `the strategy ${name.slice(0, 100)} is not carried over`);
  return null;
}

function remoteAddress(addresses: string[], lost: Loss[], field: string): JsonValue {
  if (addresses.some((address) => address.includes('/'))) note(lost, field, 'flagd has no operation for networks: single addresses only');
  return { in: [{ var: 'remoteAddress' }, addresses.filter((address) => !address.includes('/'))] };
}

/** Who is in the first so many percent. */
function rollout(stickiness: string, percentage: unknown, groupId: string, lost: Loss[], field: string): JsonValue | null {
  const percent = Number(percentage);
  if (!(percent >= 0 && percent <= 100)) return left(lost, field, 'the percentage is no number from 0 to 100');
  if (percent === 0) return false;
  const unit = stickinessUnit(stickiness);
  if (unit === null) return percent === 100 ? true : left(lost, field, 'a rollout by chance gives nobody the same answer twice');
  if (percent === 100) return stickiness === 'default' ? true : isThere(unit);
  if (stickiness === 'default') note(lost, field, 'whoever has neither userId nor sessionId is out, not in by chance');
  note(lost, field, otherBuckets);
  // Thousandths of a percent.
  const share = Math.round(percent * 1_000);
  return all([isThere(unit), { fractional: [{ cat: [groupId, ':', unit] }, [true, share], [false, 100_000 - share]] }]);
}

const isThere = (unit: JsonValue): JsonValue => ({ '!==': [unit, null] });

/** What is hashed; null: chance alone. */
function stickinessUnit(stickiness: string): JsonValue | null {
  if (stickiness === 'random') return null;
  if (stickiness === 'default') return { var: ['userId', { var: ['targetingKey', { var: 'sessionId' }] }] };
  return attribute(stickiness, 'userId');
}

const disabled: [string, JsonValue] = ['disabled', { name: 'disabled' }];

/** The feature's variants and those of its strategies. */
const allVariants = (feature: Json): Json[] => [
  ...objectsOf(feature.variants),
  ...objectsOf(feature.strategies).flatMap(({ variants }) => objectsOf(variants)),
];

const valueOf = ({ name, payload }: Json): JsonValue => ({ name: textOf(name), ...(isObject(payload) && { payload }) });

/** Which variant someone gets: one of the first strategy that takes him, or of the feature where that has none. */
function variantRule(feature: Json, source: Source, lost: Loss[]): JsonValue {
  const ofFeature = (): JsonValue => choice(objectsOf(feature.variants), textOf(feature.name), true, lost);
  const strategies = objectsOf(feature.strategies);
  if (!strategies.length) return ofFeature();
  const branches = strategies.flatMap((strategy, at): JsonValue[] => {
    const own = objectsOf(strategy.variants);
    const groupId = isObject(strategy.parameters) ? textOf(strategy.parameters.groupId) : '';
    const chosen = own.length ? choice(own, groupId || textOf(feature.name), false, lost) : ofFeature();
    return [strategyRule(strategy, feature, source, lost, `strategies[${at}]`), chosen];
  });
  return { if: [...branches, 'disabled'] };
}

/** One of some variants: an override's, else by weight. */
function choice(variants: Json[], groupId: string, overridable: boolean, lost: Loss[]): JsonValue {
  if (!variants.length) return 'disabled';
  const stickiness = textOf(variants[0]?.stickiness) || 'default';
  const unit = stickinessUnit(stickiness) ?? stickinessUnit('default');
  if (variants.length > 1) note(lost, 'variants', stickiness === 'random' ? 'variants by chance are given by key instead' : otherBuckets);
  const buckets = variants.map(({ name, weight }): JsonValue => [textOf(name), typeof weight === 'number' ? Math.round(weight) : 0]);
  const byWeight: JsonValue = { fractional: [{ cat: ['variants:', groupId, ':', unit] }, ...buckets] };
  const overrides = variants.flatMap(({ name, overrides: own }) =>
    objectsOf(overridable ? own : []).flatMap(({ contextName, values }): JsonValue[] => [
      { in: [{ cat: [attribute(textOf(contextName), 'userId')] }, listOf(values).map(String)] },
      textOf(name),
    ]),
  );
  return overrides.length ? { if: [...overrides, byWeight] } : byWeight;
}

function left(lost: Loss[], field: string, reason: string): false {
  note(lost, field, `${reason}: the strategy is left out`);
  return false;
}

import { fc } from '#testing/property.js';
import { type Operation, type Parameter, type Schema } from './description.harness.js';
import { hostileBodies, hostileHeaders, hostileQueries, hostileSegments, hostileValues, strayKeys } from './hostile.harness.js';
import { admin, narrowed, type Principal, principals } from './principals.harness.js';
import { Known, type Place, placesOf, Raw, type Tree, withAt } from './tree.harness.js';
import { type Values } from './values.harness.js';

/** A request before it is sent. */
export interface Step {
  operation: Operation;
  principal: Principal;
  /** A Raw among them is sent as it is, everything else percent-encoded. */
  path: Record<string, Tree>;
  query: [name: string, value: Tree][];
  /** As it is, behind the rest of the query. */
  rawQuery: string;
  headers: [name: string, value: Tree][];
  /** Undefined: no body. */
  body: Tree | undefined;
  type: string | undefined;
  /** How often it is sent at once. */
  times: number;
}

/** A request as it should be, but for one or two things in some of them. */
export function stepsOf(operation: Operation, values: Values): fc.Arbitrary<Step> {
  const good = goodStep(operation, values);
  const one = fc.oneof(...spoilings(operation));
  const spoilt = fc.oneof(
    { arbitrary: fc.constant<Spoiling[]>([]), weight: 9 },
    { arbitrary: one.map((spoiling) => [spoiling]), weight: 10 },
    { arbitrary: fc.tuple(one, one) as fc.Arbitrary<Spoiling[]>, weight: 1 },
  );
  return fc.tuple(good, spoilt).map(([step, all]) => all.reduce((before, spoil) => spoil(before), step));
}

const asker = fc.oneof(
  { arbitrary: fc.constant(admin), weight: 5 },
  { arbitrary: fc.constantFrom(...narrowed), weight: 2 },
  { arbitrary: fc.constantFrom(...principals), weight: 2 },
);

function goodStep(operation: Operation, values: Values): fc.Arbitrary<Step> {
  const of = (place: Parameter['in']): Parameter[] => operation.parameters.filter((parameter) => parameter.in === place);
  const value = ({ name, schema }: Parameter): fc.Arbitrary<Tree> => values.named(operation.id, name, schema);
  const texts = (place: Parameter['in'], freq: number): fc.Arbitrary<[string, Tree][]> =>
    fc
      .tuple(...of(place).map((one) => (one.required ? value(one) : fc.option(value(one), { freq, nil: undefined }))))
      .map((all) => of(place).flatMap(({ name }, index): [string, Tree][] => (all[index] === undefined ? [] : [[name, all[index]]])));
  return fc.record({
    operation: fc.constant(operation),
    principal: asker,
    path: fc.record(Object.fromEntries(of('path').map((one) => [one.name, value(one)]))),
    query: texts('query', 1),
    rawQuery: fc.constant(''),
    headers: texts('header', 1),
    times: fc.oneof({ arbitrary: fc.constant(1), weight: 14 }, { arbitrary: fc.constant(3), weight: 1 }),
    ...bodyOf(operation, values),
  }) as fc.Arbitrary<Step>;
}

function bodyOf({ id, body }: Operation, values: Values): { body: fc.Arbitrary<Tree | undefined>; type: fc.Arbitrary<string | undefined> } {
  if (!body) return { body: fc.constant(undefined), type: fc.constant(undefined) };
  const [[type, schema]] = Object.entries(body.types) as [[string, Schema]];
  if (type === 'application/json') {
    return { body: values.objects(id, schema), type: fc.constant(type) };
  }
  const rows = values.named(id, type, { type: 'string' });
  return { body: rows.map((text) => (typeof text === 'string' ? new Raw(text) : text)), type: fc.constant(type) };
}

type Spoiling = (step: Step) => Step;

const bit = fc.nat({ max: 1_000 });
const hostile = fc.constantFrom(...hostileValues);
const at = <Item>(items: readonly Item[], index: number): Item | undefined => items[index % Math.max(1, items.length)];

/** All that can be wrong with a request to an operation, the first the least. */
function spoilings({ parameters, body, id }: Operation): fc.Arbitrary<Spoiling>[] {
  const inPath = parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => name);
  const inQuery = parameters.filter((parameter) => parameter.in === 'query').map(({ name }) => name);
  const all: fc.Arbitrary<Spoiling>[] = [
    fc.constantFrom(...hostileHeaders).map((header) => (step) => ({ ...step, headers: [...step.headers, [...header]] })),
    fc.constantFrom(...hostileQueries).map((rawQuery) => (step) => ({ ...step, rawQuery })),
  ];
  if (inPath.length) {
    const segment: fc.Arbitrary<Tree> = fc.oneof(
      fc.constantFrom(...hostileSegments).map((text): Tree => new Raw(text)),
      // What is there, but is something else.
      fc.constantFrom('model_id', 'flag_key', 'test_case_id', 'run_id', 'rule_id', 'webhook_id').map((kind): Tree => new Known(kind)),
    );
    all.push(
      fc.tuple(bit, segment).map(([index, text]) => (step) => ({ ...step, path: { ...step.path, [at(inPath, index)!]: text } })),
    );
  }
  if (inQuery.length) {
    const put = fc.tuple(bit, hostile).map(([index, text]): Spoiling => {
      const name = at(inQuery, index)!;
      return (step) => ({ ...step, query: [...step.query.filter(([other]) => other !== name), [name, text]] });
    });
    const twice = bit.map((index): Spoiling => (step) => ({
      ...step,
      query: [...step.query, ...step.query.slice(index % (step.query.length + 1))],
    }));
    const less = bit.map((index): Spoiling => (step) => ({
      ...step,
      query: step.query.filter((_, other) => other !== index % step.query.length),
    }));
    all.push(put, put, put, twice, less);
  }
  if (!body) {
    all.push(fc.constantFrom(...hostileBodies.slice(0, 20)).map((tree) => (step) => ({ ...step, body: tree, type: 'application/json' })));
    return all;
  }
  const whole = fc.constantFrom(...hostileBodies).map((tree): Spoiling => (step) => ({ ...step, body: tree }));
  all.push(whole);
  if (!('application/json' in body.types)) return all;
  const change =
    (pick: (step: Step) => Place | undefined, value: Tree | undefined): Spoiling =>
    (step) => {
      const place = pick(step);
      return place && step.body !== undefined ? { ...step, body: withAt(step.body, place, value) } : step;
    };
  const somewhere = (index: number) => (step: Step) => at(placesOf(step.body ?? null), index);
  const replace = fc.tuple(bit, hostile).map(([index, value]) => change(somewhere(index), value));
  const drop = bit.map((index) => change(somewhere(index), undefined));
  const optional = fc.tuple(bit, hostile).map(([index, value]): Spoiling => {
    const name = at(Object.keys(body.types['application/json']?.properties ?? {}), index);
    return (step) => (name === undefined || name === 'wait' ? step : { ...step, body: withKey(step.body, name, value) });
  });
  const stray = fc.tuple(fc.constantFrom(...strayKeys), hostile).map(([key, value]): Spoiling => (step) => ({
    ...step,
    body: withKey(step.body, key, value),
  }));
  const none: Spoiling = (step) => ({ ...step, body: undefined });
  all.push(replace, replace, replace, optional, optional, drop, stray, fc.constant(id === 'run' ? (step: Step) => step : none));
  return all;
}

/** An own key, also where its name is `__proto__`. */
function withKey(body: Tree | undefined, key: string, value: Tree): Tree {
  const entries = typeof body === 'object' && body !== null && !Array.isArray(body) ? Object.entries(body as Record<string, Tree>) : [];
  return Object.fromEntries([...entries.filter(([other]) => other !== key), [key, value]]) as Tree;
}

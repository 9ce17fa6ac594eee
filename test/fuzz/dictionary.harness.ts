import { fc } from '#testing/property.js';
import { Fresh, Known, Raw, type Tree } from './tree.harness.js';

/** What the ids of these parameters and fields are of, where it is not their own name. */
const kindOf: Record<string, string> = {
  candidate_model_id: 'model_id',
  control_model_id: 'model_id',
  'getEvaluator.name': 'evaluator',
  'putEvaluator.name': 'evaluator',
  'removeEvaluator.name': 'evaluator',
  feature_flag_id: 'flag_key',
  // Nobody makes one that has deliveries.
  'listDeliveries.webhook_id': 'hook_with_deliveries',
  'redeliver.webhook_id': 'hook_with_deliveries',
};

const kinds = new Set([
  ...['model_id', 'run_id', 'test_case_id', 'data_set_id', 'flag_key', 'rollout_id', 'evaluator'],
  ...['alert_id', 'rule_id', 'silence_id', 'webhook_id', 'delivery_id', 'key_id', 'hook_with_deliveries'],
]);

/** Of what kind the id is that an operation takes under this name; null where it takes none. */
export function kindOfId(operation: string, name: string): string | null {
  const kind = kindOf[`${operation}.${name}`] ?? kindOf[name] ?? name;
  return kinds.has(kind) ? kind : null;
}

/** Where models of a test are served: the port is the one of a server that answers everything with the same JSON. */
export interface Places {
  modelServer: string;
}

/** Times that are asked for are compared with now, so they depend on the day. */
export const inDays = (days: number): string => `${new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10)}T12:00:00Z`;

const json = (...values: Tree[]): fc.Arbitrary<Tree> => fc.constantFrom<Tree>(...values);
const known = (kind: string): fc.Arbitrary<Tree> => fc.constantFrom<Tree>(new Known(kind), new Known(kind), new Known(kind, 1));

const rule = json(
  { '==': [{ var: 'country' }, 'CA'] },
  { if: [{ '==': [{ var: 'country' }, 'CA'] }, 'on', null] },
  { if: [{ sem_ver: [{ var: 'v' }, '>=', '1.2.3'] }, 'on', 'off'] },
  { fractional: [{ var: 'targetingKey' }, ['on', 50], ['off', 50]] },
  { if: [{ starts_with: [{ var: 'email' }, 'a'] }, 'on', { if: [{ in: ['x', { var: 'tags' }] }, 'off'] }] },
  { and: [true, { '<': [{ var: 'n' }, 1e308] }] },
  { cat: [{ var: '' }, 'on'] },
  { map: [{ var: 'list' }, { '*': [{ var: '' }, 2] }] },
  { reduce: [{ var: 'list' }, { '+': [{ var: 'current' }, { var: 'accumulator' }] }, 0] },
  { var: '__proto__.polluted' },
  { var: ['constructor.name', 'on'] },
  { no_such_operator: [1] },
  { $ref: 'no_such_rule' },
  'on',
  true,
);

const context = json(
  {},
  { country: 'CA', v: '1.2.3', email: 'a@b', n: 3, tags: ['x'], list: [1, 2, 3] },
  { list: new Raw(`[${'1,'.repeat(3_000)}1]`) },
  { targetingKey: 7, $flagd: { flagKey: 'x' } },
  { country: { toString: 1 }, v: 'x.y.z' },
);

const expectations = json(
  [{ op: 'exists', value: true }],
  [{ op: 'equals', path: '$.outputs[0].data[0]', value: 0.5 }],
  [
    { op: 'range', path: '$.score', min: 0, max: 1 },
    { op: 'one_of', path: '$', value: [1, 'a'] },
  ],
  [{ op: 'matches', path: '$.text', value: '^(a+)+$' }],
  [{ op: 'schema', value: { type: 'object', required: ['outputs'] } }],
  [{ op: 'length', path: '$.outputs', min: 1 }],
  [{ op: 'approx', value: 1, tolerance: 1e300, relative: 0 }],
);

/** What a schema cannot say of a field, by `operation.field` or by the field alone. */
export function dictionary({ modelServer }: Places): Record<string, fc.Arbitrary<Tree>> {
  const serving = json(
    { protocol: 'oip_v2', url: modelServer },
    { protocol: 'http_json', url: modelServer, timeout_ms: 500 },
    { protocol: 'http_json', url: `${modelServer}/slow`, answer_path: '$.score' },
    { protocol: 'nats', subject: 'models.fuzz' },
    { protocol: 'http_json', url: 'http://169.254.169.254/latest/meta-data' },
    { protocol: 'oip_v2', url: 'http://[::ffff:127.0.0.1]:1', headers: { authorization: { secret: 'NONE' } } },
    null,
  );
  const variants = json({ on: true, off: false }, { on: true, off: false }, { on: 'a', off: 'b' }, { on: { x: 1 }, off: {} });
  const variantModels = json({ on: new Known('model_id') }, { on: new Known('model_id'), off: new Known('model_id', 1) }, {});
  const later = fc.constantFrom<Tree>(...[1, 300].map(inDays), '2099-01-01T00:00:00Z', '2000-01-01T00:00:00Z');
  return {
    ...{ 'registerModel.name': json(new Fresh('model')), 'createFlag.flag_key': json(new Fresh('flag')) },
    ...{ 'createTestCase.test_case_id': json(new Fresh('case')), 'putEvaluator.name': json(new Fresh('rule'), new Known('evaluator')) },
    ...{
      serving,
      variants,
      variant_models: variantModels,
      default_variant: json('on', 'off', null),
      targeting: fc.oneof(rule, json(null)),
    },
    split: json({ weights: { on: 1, off: 1 } }, { weights: { on: 30, off: 70 }, algorithm: 'rendezvous', salt: 's' }, null),
    ...{ rule, context, expectations, expires_at: later, until: later, sport: json('NBA', 'NFL', 'MLB') },
    version: json('1.0.0', '2.1.0-rc.1+build.5', '0.0.1'),
    'run.test_case_ids': fc.array(known('test_case_id'), { minLength: 1, maxLength: 2 }),
    // A run that is waited for takes as long as its model server does.
    'run.wait': json(false),
    load: json({ concurrency: 1, requests: 2 }, { concurrency: 2, duration_ms: 100, limits: {} }, null),
    data: json(null, { data_set_id: new Known('data_set_id'), label_path: '$.y', prediction_path: '$', metrics: ['mae'], concurrency: 1 }),
    applies_to: json({ model_id: new Known('model_id') }, { sport: 'NBA' }, { name: 'nobody' }),
    max_duration_ms: json(null, 1_000),
    'pinBaseline.name': json(new Fresh('model'), 'Nobody'),
    letter_ids: json(['1'], ['9223372036854775807'], ['1', '2', '3']),
    url: json(`${modelServer}/hook`, 'http://169.254.169.254/hook', 'https://localhost:1/x'),
    'importFlags.format': json('flagd', 'flagd', 'unleash', 'growthbook'),
    document: json(
      { flags: {} },
      { flags: { other: { state: 'DISABLED', variants: { a: 1, b: 2 }, defaultVariant: null } } },
      { flags: { imported: { state: 'ENABLED', variants: { on: true, off: false }, defaultVariant: 'on' } } },
      { version: 1, features: [{ name: 'imported', enabled: true, strategies: [{ name: 'default' }] }] },
      { features: { imported: { defaultValue: true, rules: [{ condition: { country: 'CA' }, force: false }] } } },
      { flags: { __x: { variants: {} } }, $evaluators: { a: { $ref: 'a' } } },
    ),
    window: json('1h', '5m', '7d', '1m', '90d'),
    cursor: json('bnVsbA', 'x'),
    timing_ms: json(0, 12.5, 1e7, 250),
    'recordInferences.events': fc.array(
      fc.record({ model_id: known('model_id'), timing_ms: json(1, 1e7, -1, 'x'), success: fc.boolean() }) as fc.Arbitrary<Tree>,
      { minLength: 1, maxLength: 5 },
    ) as fc.Arbitrary<Tree>,
    'Idempotency-Key': json('one', 'two', new Fresh('once')),
    'If-Match': json('*', '"1"', '"2"', '"1", "2"', 'W/"1"'),
    'If-None-Match': json('*', '"1"', '"2"', 'W/"1"'),
    'uploadDataSet.text/csv': json('x,y\n1,2\n3,4\n', 'a,b\n"1,2"\n', '\n', 'x,y\n"1', new Fresh('x')),
    'uploadDataSet.application/x-ndjson': json('{"x":1,"y":2}\n', '{"x":1}\n[]\n', '\n\n', '{"x":', '{"__proto__":1}\n'),
  };
}

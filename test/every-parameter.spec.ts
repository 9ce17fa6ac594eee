import pg from 'pg';
import { jetstreamManager } from '@nats-io/jetstream';
import { type DataClass, fieldsOf } from '#contracts/fields.js';
import { inferenceStream } from '#contracts/inference.js';
import { routeHandlers } from '#gateway/declared-routes.check.js';
import { type Served } from '#gateway/served.js';
import { servedBy } from '#gateway/serves.decorator.js';
import { connectTo } from '#testing/nats.js';
import { badJson, badQuery, type BadValue, bodyFields } from './bad-values.harness.js';
import { failureOf, problemsOf, RawHttp, type RawRequest } from './raw-http.harness.js';
import { TestSuite } from './suite.harness.js';

let suite: TestSuite;
let http: RawHttp;
let routes: Route[];
let database: pg.Client;
/** Something that exists for every path parameter, and a good value of every field that is required or holds parts. */
let good: Record<string, unknown>;

interface Route extends Served {
  name: string;
  method: string;
  template: string;
}

beforeAll(async () => {
  suite = await TestSuite.start();
  http = new RawHttp(suite.suite.gateway.port, suite.admin_key);
  database = new pg.Client({ connectionString: suite.database_url });
  await database.connect();
  const { api } = suite;
  const serving = { protocol: 'http_json', url: 'http://127.0.0.1:9/' };
  const { model_id } = await api.register({ serving: { ...serving, protocol: 'http_json' } });
  const { key_id } = await api.data<{ key_id: string }>('/keys', { method: 'POST', body: { name: 'kept', role: 'viewer' } });
  const variants = { on: true, off: false };
  await api.data('/flags', { method: 'POST', body: { flag_key: 'kept', variants, default_variant: 'off' } });
  await api.data('/flag-evaluators/New', { method: 'PUT', body: { rule: { '==': [1, 1] } } });
  const expectations = [{ op: 'equals', value: 1 }];
  await api.data('/validation/cases', {
    method: 'POST',
    body: { test_case_id: 'kept', input: {}, expectations, applies_to: { name: 'nobody' } },
  });
  const rule = { name: 'Kept', metric: 'p95_ms', comparison: { kind: 'fixed', op: 'above', value: 1 }, severity: 'info', enabled: false };
  const { rule_id } = await api.data<{ rule_id: string }>('/alerts/rules', { method: 'POST', body: rule });
  const webhook = { name: 'Kept', url: 'http://127.0.0.1:9/', format: 'json' };
  const { webhook_id } = await api.data<{ webhook_id: string }>('/webhooks', { method: 'POST', body: webhook });
  const absent = '01890a5d-ac96-774b-bcce-b302099a8057';
  const band = { low: 0.1, medium: 0.2, high: 0.3 };
  good = {
    letter_ids: ['1'],
    ...rule,
    ...webhook,
    ...{ rule_id, webhook_id, alert_id: absent, delivery_id: absent, silence_id: absent },
    ...{ matchers: { severity: 'info' }, until: new Date(Date.now() + 86_400_000).toISOString() },
    ...{ model_id, key_id, flag_key: 'kept', test_case_id: 'kept', run_id: `validation_${model_id}_1` },
    ...{ name: 'New', version: '9.9.9', model_type: 'ensemble', serving, to: 'canary', reason: 'a test', role: 'viewer' },
    ...{
      variants,
      default_variant: 'off',
      split: { weights: { on: 1 } },
      targeting_key: 'user',
      input: {},
      expectations,
      applies_to: {},
      timing_ms: 5,
    },
    steps: [{ input: {}, expectations, carry: [{ name: 'kept', path: '$' }] }],
    load: { concurrency: 1, requests: 1, limits: {} },
    data: { data_set_id: 'a'.repeat(64), label_path: '$.y', prediction_path: '$', metrics: ['mae'] },
    data_set_id: 'a'.repeat(64),
    ...{ rollout_id: 'rollout_000000000000', candidate_model_id: model_id, guardrails: [{ metric: 'failure_rate' }] },
    'RolloutsController.createRollout.steps': [{ percentage: 100, min_duration_seconds: 0, min_samples: 0 }],
    state: 'open',
    events: [{ model_id, timing_ms: 5 }],
    objectives: {},
    ...{ alpha: 0.05, power: 0.8, minimum_n: 20, cases: { medium: 0.1, high: 0.25 } },
    bands: { share: band, error: band, latency: band, failures: band },
    document: { flags: { kept: { state: 'ENABLED' } } },
    'FlagDocumentsController.importFlags.format': 'flagd',
    'EvaluatorsController.putEvaluator.rule': { '==': [1, 1] },
  };
  routes = await declaredRoutes();
});
afterAll(async () => {
  http.close();
  await database.end();
  await suite.close();
});

/** Every route with its contract. Where it lies is read from the API's own description. */
async function declaredRoutes(): Promise<Route[]> {
  const description = (await (await fetch(`${suite.root}/openapi.json`)).json()) as {
    paths: Record<string, Record<string, { operationId: string }>>;
  };
  const places = Object.entries(description.paths).flatMap(([template, methods]) =>
    Object.entries(methods).map(([method, { operationId }]) => ({ template, method: method.toUpperCase(), operationId })),
  );
  return routeHandlers(suite.suite.gateway.app).flatMap(({ name, handler }) => {
    const served = servedBy(handler);
    if (!served) return [];
    const found = places.filter(({ operationId }) => operationId === name.split('.')[1]);
    if (found.length !== 1) throw new Error(`${name} is described ${found.length} times`);
    return [{ ...served, ...found[0]!, name }];
  });
}

/** A name may mean something else to one route. */
const goodValue = (route: Route, name: string): unknown => {
  const value = good[`${route.name}.${name}`] ?? good[name];
  if (value === undefined) throw new Error(`The test has no good value for ${name}`);
  return value;
};

const pathOf = (route: Route, values: Record<string, string> = {}): string =>
  route.template.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? String(goodValue(route, name)));

/** What a route needs and nothing else; an optional part is in it when asked for. */
function goodInput(route: Route, wanted?: string): Record<string, unknown> {
  const { input, path } = route;
  const needed = [...fieldsOf(input).values()].filter(({ name, required }) => (required || name === wanted) && !path.includes(name));
  return Object.fromEntries(needed.map(({ name }) => [name, goodValue(route, name)]));
}

const queryText = (input: Record<string, unknown>): string =>
  Object.entries(input)
    .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`)
    .join('&');

function requestOf(route: Route, input: Record<string, unknown>): RawRequest {
  const { method, from } = route;
  if (from === 'body') return { method, path: pathOf(route), body: JSON.stringify(input) };
  return { method, path: `${pathOf(route)}?${queryText(input)}` };
}

const placeholder = '(here)';

/** The body with raw JSON at a path, of whose other fields all that are required are there. */
function bodyWith(route: Route, at: (string | number)[], raw: string): string {
  const body = structuredClone(goodInput(route, at.length > 1 ? String(at[0]) : undefined));
  let holder = body as Record<string | number, unknown>;
  for (const step of at.slice(0, -1)) holder = holder[step] as Record<string | number, unknown>;
  holder[at.at(-1)!] = placeholder;
  return JSON.stringify(body).replace(JSON.stringify(placeholder), () => raw);
}

interface Attempt {
  request: RawRequest;
  what: string;
  /** The field that must be named, with what it accepts. */
  field?: { name: string; accepted: string };
  codes?: string[];
}

/** Sends all of them, and says of each that is not answered as it must be how it was. */
async function wrongAnswers(attempts: Attempt[]): Promise<string[]> {
  const wrong: string[] = [];
  const next = attempts.values();
  const sender = async (): Promise<void> => {
    for (const { request, what, field, codes = ['INVALID_INPUT'] } of next) {
      const report = (why: string): number => wrong.push(`${request.method} ${request.path.slice(0, 200)} with ${what}: ${why}`);
      const failure = failureOf(await http.send(request));
      if (typeof failure === 'string') report(failure);
      else if (!codes.includes(failure.code)) report(`${failure.code} ${failure.message}`);
      else if (field && failure.code === 'INVALID_INPUT') {
        const named = problemsOf(failure).find((problem) => problem.field === field.name);
        if (named?.accepted !== field.accepted) report(`${field.accepted} is not accepted in ${JSON.stringify(failure.details)}`);
      }
    }
  };
  await Promise.all(Array.from({ length: 12 }, sender));
  return wrong;
}

/** Every row of every table, but for what time alone changes, and how many events were taken. */
async function state(): Promise<Record<string, string>> {
  const tables = [
    'registry.models',
    `(SELECT to_jsonb(k) - 'last_used_at' FROM registry.keys k)`,
    'registry.promotion_policy',
    'registry.audit',
    'flags.flags',
    'flags.audit',
  ];
  tables.push('flags.evaluators');
  tables.push('flags.model_states', 'flags.bandit_pools');
  tables.push(
    'validation.test_cases',
    'validation.case_revisions',
    'validation.data_sets',
    'validation.uploads',
    'validation.runs',
    'validation.baselines',
    'validation.policies',
    'validation.nightlies',
    'validation.audit',
    'flags.rollouts',
    // Time alone folds minutes into lifetimes.
    '(SELECT model_id, flag_key, variant, sum(total) FROM metrics.model_window WHERE NOT folded GROUP BY 1, 2, 3)',
  );
  tables.push('metrics.alert_rules', 'metrics.alerts', 'metrics.silences', 'metrics.webhooks', 'metrics.deliveries', 'metrics.audit');
  const seen: Record<string, string> = {};
  for (const table of tables) {
    const { rows } = await database.query<{ all: string }>(
      `SELECT count(*) || md5(string_agg(t::text, '' ORDER BY t::text)) AS all FROM ${table} t`,
    );
    seen[table] = rows[0]?.all ?? '';
  }
  const connection = await connectTo(suite.nats_url);
  const { state: stream } = await (await jetstreamManager(connection)).streams.info(inferenceStream.name);
  await connection.close();
  return { ...seen, events: String(stream.messages) };
}

async function expectAllRefused(attempts: Attempt[], atLeast: number): Promise<void> {
  const before = await state();
  expect(attempts.length).toBeGreaterThan(atLeast);
  expect(await wrongAnswers(attempts)).toEqual([]);
  expect(await state()).toEqual(before);
}

const inputFields = (type: DataClass, path: string[]) =>
  [...fieldsOf(type).values()].filter(({ name }) => !path.includes(name) && name !== 'if_match');

it('accepts the good request that each bad one is made from', async () => {
  expect(routes.length).toBeGreaterThan(30);
  const answers = await Promise.all(
    routes
      .filter(({ method }) => method === 'GET')
      .map(async (route) => [route.name, (await http.send(requestOf(route, goodInput(route)))).status]),
  );
  expect(answers.filter(([, status]) => status !== 200)).toEqual([
    ['ValidationController.getRun', 404],
    ['ValidationController.listRunResults', 404],
    ['DataSetsController.getDataSet', 404],
    ['RolloutsController.getRollout', 404],
    ['RolloutsController.listDecisions', 404],
    ['RolloutsController.analyse', 404],
  ]);
});

it('names every parameter that is missing, and what it accepts', async () => {
  const attempts = routes.flatMap((route) =>
    inputFields(route.input, route.path)
      .filter(({ required }) => required)
      .map((field): Attempt => {
        const { [field.name]: _, ...rest } = goodInput(route);
        return { request: requestOf(route, rest), what: `no ${field.name}`, field };
      }),
  );
  await expectAllRefused(attempts, 12);
});

it('refuses every bad value of every query parameter, also repeated and beside unknown ones', async () => {
  const attempts = routes
    .filter(({ from }) => from === 'query')
    .flatMap((route): Attempt[] => {
      const ask = (query: string): RawRequest => ({ method: route.method, path: `${pathOf(route)}?${query}` });
      const fields = inputFields(route.input, route.path);
      return [
        ...fields.flatMap((field): Attempt[] => {
          const others = Object.fromEntries(Object.entries(goodInput(route)).filter(([name]) => name !== field.name));
          const asked = (text: string): RawRequest => ask(`${queryText(others)}&${field.name}=${text}`);
          const bad = badQuery(field).map(({ what, raw }) => ({ request: asked(encodeURIComponent(raw)), what, field }));
          return [...bad, { request: asked(`1&${field.name}=1`), what: `${field.name} twice`, field }];
        }),
        ...['no_such_parameter=1', '__proto__=1', 'constructor=1', 'toString=x', `${route.path[0] ?? 'x'}=1`, 'if_match=1'].map(
          (stray) => ({
            request: ask(`${queryText(goodInput(route))}&${stray}`),
            what: stray,
          }),
        ),
      ];
    });
  await expectAllRefused(attempts, 300);
});

it('refuses every bad value of every field of every body, however deep', async () => {
  const attempts = routes
    .filter(({ from }) => from === 'body')
    .flatMap((route) =>
      bodyFields(route.input, [...route.path, 'if_match']).flatMap(({ path, field }) =>
        badJson(field).map(({ what, raw }: BadValue): Attempt => ({
          request: { method: route.method, path: pathOf(route), body: bodyWith(route, path, raw) },
          what: `${path.join('.')}: ${what}`,
          field: { name: path.join('.'), accepted: field.accepted },
        })),
      ),
    );
  await expectAllRefused(attempts, 800);
});

import pg from 'pg';
import { type Model } from '#contracts/registry.js';
import { type CircuitBreaker, type Selection } from '#contracts/selection.js';
import { type Api, eventually } from './api.harness.js';
import { Processes } from './processes.harness.js';

let processes: Processes;
let database: pg.Client;
let api: Api;
/** Of a second gateway. */
let other: Api;
let models: Model[];

beforeAll(async () => {
  processes = await Processes.prepare({ SELECTION_TICK_SECONDS: '1', BREAKER_OPEN_SECONDS: '3' });
  await Promise.all((['registry', 'metrics', 'flags', 'flags-b'] as const).map((app) => processes.start(app)));
  await Promise.all((['gateway', 'gateway-b'] as const).map((app) => processes.start(app)));
  [api, other] = [processes.api, processes.apiOf('gateway-b')];
  database = new pg.Client({ connectionString: processes.database.url });
  await database.connect();
  models = await Promise.all([0, 1].map((index) => api.registerAs('stable', { name: `Kept ${index}`, sport: 'FAULT' })));
}, 60_000);
afterAll(async () => {
  await database.end();
  await processes.close();
});

const report = (model_id: string, success: boolean, count: number): Promise<unknown> =>
  api.data('/inference/batch', {
    method: 'POST',
    body: { events: Array.from({ length: count }, () => ({ model_id, timing_ms: 5, success, ...(!success && { error: 'down' }) })) },
  });

async function evidenceOf(model_id: string): Promise<{ good: number; bad: number }> {
  const { rows } = await database.query<{ evidence: { good: number; bad: number } }>(
    'SELECT evidence FROM flags.model_states WHERE model_id = $1',
    [model_id],
  );
  return rows[0]?.evidence ?? { good: 0, bad: 0 };
}

async function ticks(): Promise<number> {
  const { rows } = await database.query<{ tick: number }>('SELECT tick FROM flags.selection_tick');
  return rows[0]!.tick;
}

const placesOf = async (as: Api): Promise<string[]> => {
  const keys = Array.from({ length: 30 }, (_, index) => `user-${index}`);
  const places = await Promise.all(
    keys.map((targeting_key) => as.data<Selection>('/select', { method: 'POST', body: { sport: 'FAULT', targeting_key } })),
  );
  return places.map(({ model_id }) => model_id);
};

it('counts every inference once although a replica is killed, and ticks once a second with both', async () => {
  const { model_id } = models[0]!;
  // What was counted before a model is first read counts as 100 inferences at the most.
  await report(model_id, true, 10);
  await eventually(
    () => evidenceOf(model_id),
    ({ good }) => good > 9,
  );
  const [began, before] = [Date.now(), await ticks()];
  for (let round = 0; round < 8; round++) {
    await report(model_id, true, 50);
    if (round === 3) await processes.end('flags', 'SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  const { good } = await eventually(
    () => evidenceOf(model_id),
    (evidence) => evidence.good > 390,
    10_000,
  );
  // 0.97 a minute of them fade.
  expect(good).toBeLessThanOrEqual(410);
  expect((await ticks()) - before).toBeLessThanOrEqual((Date.now() - began) / 900 + 1);
});

it('has a breaker at all gateways, keeps it over replicas that die, and lets it go by the clock while metrics is away', async () => {
  const { model_id } = models[1]!;
  const before = await placesOf(api);
  expect(await placesOf(other)).toEqual(before);
  await report(model_id, false, 6);
  for (const gateway of [api, other])
    await eventually(
      () => placesOf(gateway),
      (places) => !places.includes(model_id),
    );
  expect(await placesOf(other)).toEqual(await placesOf(api));
  await Promise.all([processes.end('flags-b', 'SIGKILL'), processes.end('metrics', 'SIGKILL')]);
  expect(await placesOf(api)).not.toContain(model_id);
  await processes.start('flags');
  const half = await eventually(
    () => api.data<CircuitBreaker>(`/breakers/${model_id}`),
    ({ state }) => state === 'half_open',
    10_000,
  );
  expect(half.openings).toBe(1);
  await processes.start('metrics');
  await report(model_id, true, 5);
  expect(
    await eventually(
      () => placesOf(api),
      (places) => places.every((place, index) => place === before[index]),
    ),
  ).toEqual(before);
});

it('goes on selecting the same while every service and NATS are away', async () => {
  const before = await placesOf(api);
  await Promise.all((['registry', 'metrics', 'flags'] as const).map((app) => processes.end(app, 'SIGKILL')));
  await processes.nats.kill();
  expect(await placesOf(api)).toEqual(before);
  const aged = await eventually(
    () => api.send('/select', { method: 'POST', body: { sport: 'FAULT', targeting_key: 'user-1' } }),
    ({ headers }) => headers.get('age') !== null,
  );
  expect(aged.status).toBe(200);
});

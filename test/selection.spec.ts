import pg from 'pg';
import { type Model } from '#contracts/registry.js';
import { type BanditPool, type CircuitBreaker, type Selection, type SelectionRequest } from '#contracts/selection.js';
import { type Api, eventually as within } from './api.harness.js';
import { TestSuite } from './suite.harness.js';

const eventually = <Seen>(look: () => Promise<Seen>, isIt: (seen: Seen) => boolean): Promise<Seen> => within(look, isIt, 15_000);

let suite: TestSuite;
let api: Api;

beforeAll(async () => {
  suite = await TestSuite.start();
  api = suite.api;
});
afterAll(() => suite.close());

const select = (body: Partial<SelectionRequest>, as = api): Promise<Selection> =>
  as.data('/select', { method: 'POST', body: { targeting_key: 'somebody', ...body } });
const keys = Array.from({ length: 80 }, (_, index) => `user-${index}`);

/** Where each key goes. */
async function placesOf(body: Partial<SelectionRequest>): Promise<Map<string, string>> {
  const selections = await Promise.all(keys.map((targeting_key) => select({ ...body, targeting_key })));
  return new Map(selections.map(({ model_id }, index) => [keys[index]!, model_id]));
}

let names = 0;
/** Stable models of a name of their own: the workflow leaves one stable version a name, so each is another name of the sport. */
async function stableModels(count: number, sport: string): Promise<Model[]> {
  return Promise.all(
    Array.from({ length: count }, () => api.registerAs('stable', { name: `Selected ${names++}`, sport, rollout_percentage: 50 })),
  );
}

const report = (model_id: string, success: boolean, count: number): Promise<unknown> =>
  api.data('/inference/batch', {
    method: 'POST',
    body: { events: Array.from({ length: count }, () => ({ model_id, timing_ms: 5, success, ...(!success && { error: 'down' }) })) },
  });

const breaker = (model_id: string): Promise<CircuitBreaker> => api.data(`/breakers/${model_id}`);

describe('POST /select', () => {
  it('answers with the model, how it is called, why, and whom to ask instead', async () => {
    const serving = { protocol: 'http_json' as const, url: 'http://127.0.0.1:9/predict' };
    const model = await api.registerAs('stable', { name: 'Alone', version: '1.2.0', sport: 'ONE', serving });
    expect(await select({ sport: 'ONE' })).toEqual({
      model_id: model.model_id,
      name: 'Alone',
      version: '1.2.0',
      serving: model.serving,
      policy: 'weighted',
      reason: 'WEIGHTED',
      fallback_from: null,
      flag_key: null,
      variant: null,
      propensity: 1,
      fallbacks: [],
      excluded: [],
    });
  });

  it('shares keys by rollout_percentage, the same key always the same way, with the others as fallbacks', async () => {
    const models = await stableModels(2, 'TWO');
    const places = await placesOf({ sport: 'TWO' });
    expect(await placesOf({ sport: 'TWO' })).toEqual(places);
    const share = [...places.values()].filter((id) => id === models[0]!.model_id).length / keys.length;
    // Models have other ids each time: so far off in one of ten million times.
    expect(Math.abs(share - 0.5)).toBeLessThan(0.3);
    const { model_id, fallbacks, propensity } = await select({ sport: 'TWO' });
    expect([model_id, ...fallbacks.map((fallback) => fallback.model_id)].sort()).toEqual(models.map((model) => model.model_id).sort());
    expect(propensity).toBe(0.5);
  });

  it('says what is excluded and why when nothing is left', async () => {
    const { model_id } = await api.register({ sport: 'NONE', name: 'Not yet' });
    const failure = await api.failure('/select', { method: 'POST', body: { sport: 'NONE', targeting_key: 'x' } });
    expect(failure).toEqual({
      status: 503,
      code: 'NO_ELIGIBLE_MODEL',
      details: { excluded: [{ model_id, reason: 'STATUS' }], excluded_total: 1 },
    });
    expect(await api.failure('/select', { method: 'POST', body: { sport: 'NOTHING', targeting_key: 'x' } })).toMatchObject({
      code: 'NO_ELIGIBLE_MODEL',
      details: { excluded: [] },
    });
  });

  it.each<[object, string]>([
    [{ targeting_key: 'x' }, 'name'],
    [{ targeting_key: 'x', policy: 'flag' }, 'flag_key'],
    [{ targeting_key: 'x', flag_key: 'any', policy: 'bandit' }, 'policy'],
    [{ targeting_key: 'x', flag_key: 'any', sport: 'MLB' }, 'sport'],
  ])('refuses %j, naming %s', async (body, field) => {
    expect(await api.failure('/select', { method: 'POST', body })).toMatchObject({
      code: 'INVALID_INPUT',
      details: { fields: [{ field }] },
    });
  });

  it('shows a narrowed key nothing but its own models', async () => {
    const [mine] = await stableModels(2, 'MINE');
    const narrow = await suite.withRole('client', { names: [mine!.name] });
    expect(await select({ sport: 'MINE' }, narrow)).toMatchObject({ model_id: mine!.model_id, fallbacks: [], excluded: [], propensity: 1 });
  });

  it('gives a canary the keys within its rollout', async () => {
    const [stable] = await stableModels(1, 'CAN');
    const canary = await api.registerAs('canary', { name: stable!.name, version: '2.0.0', sport: 'CAN', rollout_percentage: 20 });
    const on = [...(await placesOf({ sport: 'CAN' })).values()].filter((id) => id === canary.model_id).length;
    expect(on).toBeGreaterThan(1);
    expect(on).toBeLessThan(40);
  });
});

describe('the policy flag', () => {
  it('does what the flag says and falls back on what it says otherwise', async () => {
    const [a, b] = (await stableModels(2, 'FLAG')) as [Model, Model];
    const flag = {
      flag_key: 'select_by_flag',
      variants: { a: 1, b: 2 },
      default_variant: 'a',
      split: { weights: { a: 50, b: 50 } },
      variant_models: { a: a.model_id, b: b.model_id },
    };
    await api.data('/flags', { method: 'POST', body: flag });
    const data = await select({ flag_key: 'select_by_flag' });
    const [chosen, other] = data.model_id === a.model_id ? [a, b] : [b, a];
    expect(data).toMatchObject({ policy: 'flag', reason: 'SPLIT', variant: data.model_id === a.model_id ? 'a' : 'b', propensity: 0.5 });
    await api.data(`/breakers/${chosen.model_id}`, { method: 'PUT', body: { state: 'open', reason: 'a test' } });
    expect(await select({ flag_key: 'select_by_flag' })).toMatchObject({
      model_id: other.model_id,
      reason: 'FALLBACK',
      fallback_from: chosen.model_id,
      variant: other === a ? 'a' : 'b',
      propensity: 1,
      excluded: [{ model_id: chosen.model_id, reason: 'FORCED_OPEN' }],
    });
  });
});

describe('circuit breakers', () => {
  it('open when a model fails, move its keys alone, and close by themselves when it works again', async () => {
    const models = await stableModels(3, 'BRK');
    const before = await placesOf({ sport: 'BRK' });
    const broken = models[0]!.model_id;
    await report(broken, false, 6);
    await eventually(
      () => breaker(broken),
      ({ state }) => state === 'open',
    );
    const during = await eventually(
      () => placesOf({ sport: 'BRK' }),
      (places) => ![...places.values()].includes(broken),
    );
    for (const key of keys) if (before.get(key) !== broken) expect(during.get(key)).toBe(before.get(key));

    await eventually(
      () => breaker(broken),
      ({ state }) => state === 'half_open',
    );
    const affected = keys.find((key) => before.get(key) === broken)!;
    const probe = await eventually(
      () => select({ sport: 'BRK', targeting_key: affected }),
      ({ reason }) => reason === 'PROBE',
    );
    expect(probe.model_id).toBe(broken);
    await report(broken, true, 5);
    await eventually(
      () => placesOf({ sport: 'BRK' }),
      (places) => keys.every((key) => places.get(key) === before.get(key)),
    );
    expect(await breaker(broken)).toMatchObject({ state: 'closed', openings: 1, until: null });
  });

  it('let a half-open model have five inferences of a gateway', async () => {
    const models = await stableModels(2, 'HALF');
    const broken = models[0]!.model_id;
    await report(broken, false, 6);
    await eventually(
      () => breaker(broken),
      ({ state }) => state === 'half_open',
    );
    const probed = await eventually(
      async () => {
        const selections = await Promise.all(keys.map((targeting_key) => select({ sport: 'HALF', targeting_key })));
        return selections.filter(({ model_id }) => model_id === broken);
      },
      (selections) => selections.length > 0,
    );
    expect(probed.length).toBe(5);
    expect(probed.every(({ reason }) => reason === 'PROBE')).toBe(true);
  });

  it('never eject the last one', async () => {
    const [only] = await stableModels(1, 'LAST');
    await report(only!.model_id, false, 6);
    await eventually(
      () => breaker(only!.model_id),
      ({ state }) => state === 'open',
    );
    await eventually(
      () => select({ sport: 'LAST' }),
      ({ reason }) => reason === 'LAST_ONE' || reason === 'PROBE',
    );
  });

  it('are forced by an admin, who says why', async () => {
    const [one, two] = (await stableModels(2, 'FORCE')) as [Model, Model];
    const path = `/breakers/${one.model_id}`;
    const forced = await api.data<CircuitBreaker>(path, { method: 'PUT', body: { state: 'open', reason: 'maintenance' } });
    expect(forced).toMatchObject({
      model_id: one.model_id,
      state: 'closed',
      forced: 'open',
      forced_by: 'bootstrap',
      reason: 'maintenance',
    });
    expect(new Set((await placesOf({ sport: 'FORCE' })).values())).toEqual(new Set([two.model_id]));
    expect(await api.data<{ reason: string }[]>(`/audit?subject_id=${one.model_id}&action=breaker.changed`)).toMatchObject([
      { reason: 'maintenance' },
    ]);
    await api.data(path, { method: 'PUT', body: { state: 'automatic', reason: 'back' } });
    expect(new Set((await placesOf({ sport: 'FORCE' })).values()).size).toBe(2);
    expect(await api.failure('/breakers/no_such_model', { method: 'PUT', body: { state: 'open', reason: 'x' } })).toMatchObject({
      code: 'MODEL_NOT_FOUND',
    });
  });

  it('go with their model', async () => {
    const { model_id } = await api.registerAs('retired', { sport: 'GONE', retention_days: 1 });
    await api.data(`/breakers/${model_id}`, { method: 'PUT', body: { state: 'open', reason: 'a test' } });
    const isListed = async (): Promise<boolean> =>
      (await api.data<CircuitBreaker[]>('/breakers?limit=1000')).some((one) => one.model_id === model_id);
    expect(await isListed()).toBe(true);
    const database = new pg.Client({ connectionString: suite.database_url });
    await database.connect();
    await database.query(`UPDATE registry.models SET retired_at = now() - interval '2 days' WHERE model_id = $1`, [model_id]);
    await database.end();
    await api.data('/retention', { method: 'POST' });
    await eventually(isListed, (listed) => !listed);
  });
});

describe('the policy bandit', () => {
  it('learns which model succeeds within its latency objective', async () => {
    const [good, slow] = await Promise.all([
      api.registerAs('stable', { name: 'Quick', sport: 'BANDIT', objectives: { p95_ms: 100 } }),
      api.registerAs('stable', { name: 'Slow', sport: 'BANDIT', objectives: { p95_ms: 100 } }),
    ]);
    expect(await select({ sport: 'BANDIT', policy: 'bandit' })).toMatchObject({ reason: 'EVEN', propensity: 0.5 });
    const events = [good, slow].flatMap(({ model_id }, index) =>
      Array.from({ length: 100 }, () => ({ model_id, timing_ms: index === 0 ? 20 : 500 })),
    );
    await api.data('/inference/batch', { method: 'POST', body: { events } });
    const pool = await eventually(
      async () => (await api.data<BanditPool[]>('/bandit-pools')).find(({ sport }) => sport === 'BANDIT'),
      (weighed) => (weighed?.arms[0]?.good ?? 0) > 90 && weighed!.arms[1]!.bad > 90,
    );
    expect(pool!.arms.map(({ model_id }) => model_id)).toEqual([good.model_id, slow.model_id]);
    expect(pool!.arms[0]!.weight).toBeGreaterThan(0.98);
    await eventually(
      () => select({ sport: 'BANDIT', policy: 'bandit' }),
      // Health judges the same inferences: where that is quicker, nobody is left to choose from.
      ({ model_id, reason, propensity, excluded }) =>
        model_id === good.model_id && propensity! > 0.98 && (reason === 'BANDIT' || excluded[0]?.reason === 'UNHEALTHY'),
    );
  });
});

import { type DataSource } from 'typeorm';
import { type Model } from '#contracts/registry.js';
import { type Bus } from '#runtime/bus.js';
import { openDatabase } from '#runtime/database.module.js';
import { Logger } from '#runtime/logger.js';
import { type Outbox } from '#runtime/outbox.js';
import { createDatabase, type TestDatabase } from '#testing/database.js';
import { FlagsConfig } from '../flags.config.js';
import { flagsSchema } from '../flags.module.js';
import { type ModelsStore } from '../models.store.js';
import { type CountedModels } from './counted-models.store.js';
import { SelectionSchedule } from './selection.schedule.js';
import { newState } from './model-state.js';
import { BanditPoolEntity, ModelStateEntity } from './selection.entity.js';
import { SelectionStore } from './selection.store.js';

let test: TestDatabase;
let database: DataSource;

beforeAll(async () => {
  test = await createDatabase();
  database = await openDatabase(flagsSchema, { DATABASE_URL: test.url, DATABASE_POOL_SIZE: 5 });
});
afterAll(async () => {
  await database.destroy();
  await test.drop();
});

it('has written nothing while it asks metrics, so that PostgreSQL may remove meanwhile what counting leaves behind', async () => {
  const model = { model_id: 'model_0a1b2c3d4e5f', status: 'stable', objectives: null, serving: null } as unknown as Model;
  const models = { live: () => [model], find: () => model } as unknown as ModelsStore;
  const counted = { take: () => [model.model_id], putBack: () => undefined } as unknown as CountedModels;
  const outbox = { publish: () => undefined, put: () => Promise.resolve(), flush: () => undefined } as unknown as Outbox;
  const open: { written: boolean }[][] = [];
  const bus = {
    async ask() {
      const sql = `SELECT backend_xid IS NOT NULL AS written FROM pg_stat_activity
        WHERE datname = current_database() AND state = 'idle in transaction'`;
      open.push(await database.query(sql));
      return { arms: [] };
    },
  } as unknown as Bus;
  const config = Object.assign(new FlagsConfig(), { SELECTION_TICK_SECONDS: 0.1 });
  const store = new SelectionStore(database, outbox, models, config);
  const schedule = new SelectionSchedule(database, config, bus, counted, models, store, outbox, Logger.create('test', 'silent'));

  schedule.onApplicationBootstrap();
  await vi.waitUntil(() => open.length === 2, 10_000);
  await schedule.onModuleDestroy();

  expect(open).toEqual([[{ written: false }], [{ written: false }]]);
  expect(await database.query('SELECT tick FROM flags.selection_tick')).toEqual([{ tick: 2 }]);
});

it('writes down what a tick makes of states and pools, and tells of a breaker that opens after the weights of the rest', async () => {
  const models = ['failing', 'working', 'idle'].map(
    (model_id) =>
      ({ model_id, name: 'n', sport: 'NFL', model_type: 'linear', status: 'stable', rollout_percentage: 100 }) as unknown as Model,
  );
  const told: [bucket: string, ...keys: string[]][] = [];
  const outbox = {
    publish: () => undefined,
    put: (_: unknown, { bucket, keyOf }: { bucket: string; keyOf: (record: object) => string }, ...records: object[]) =>
      records.length && told.push([bucket, ...records.map(keyOf)]),
  } as unknown as Outbox;
  const known = { live: () => models, find: (id: string) => models.find(({ model_id }) => model_id === id) } as unknown as ModelsStore;
  const store = new SelectionStore(database, outbox, known, new FlagsConfig());
  const forced = { ...newState('working', Date.now()), forced: 'closed' as const, forced_by: 'ada', forced_reason: 'a try' };
  await database.manager.insert(ModelStateEntity, forced);
  const at = new Date().toISOString();
  for (const pool_id of ['one', 'two'])
    await database.manager.insert(BanditPoolEntity, {
      pool_id,
      name: 'n',
      sport: pool_id === 'one' ? 'NFL' : null,
      model_type: null,
      arms: [],
      settled_at: at,
      used_at: at,
      revision: 1,
    });

  const counters = (failures: number) => ({ total: 40, failures, slow: 0, limit_ms: 5_000 });
  const read = new Map([
    ['failing', counters(40)],
    ['working', counters(1)],
  ]);
  await database.transaction((manager) => store.step(manager, { tick: 1, now_ms: Date.now() }, read));

  const states = await database.manager.find(ModelStateEntity, { order: { model_id: 'ASC' } });
  expect(states).toEqual([
    expect.objectContaining({
      model_id: 'failing',
      counters: counters(40),
      breaker: expect.objectContaining({ state: 'open' }) as unknown,
    }),
    expect.objectContaining({
      ...forced,
      counters: counters(1),
      breaker: expect.objectContaining({ state: 'closed' }) as unknown,
      evidence: expect.anything() as unknown,
      expected_success: expect.any(Number) as unknown,
      revision: 2,
    }),
  ]);
  const pools = await database.manager.find(BanditPoolEntity);
  expect(pools.map(({ arms, revision }) => [revision, arms.map(({ model_id }) => model_id).sort()])).toEqual([
    [2, ['failing', 'idle', 'working']],
    [2, ['failing', 'idle', 'working']],
  ]);
  expect(told).toEqual([
    ['emr_breakers', 'working'],
    ['emr_bandit_pools', 'one', 'two'],
    ['emr_breakers', 'failing'],
  ]);
});

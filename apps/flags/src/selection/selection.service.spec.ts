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
  const models = { live: () => [model], all: () => [model].values(), find: () => model } as unknown as ModelsStore;
  const counted = { take: () => [model.model_id], putBack: () => undefined } as unknown as CountedModels;
  const outbox = { publish: () => undefined, flush: () => undefined } as unknown as Outbox;
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

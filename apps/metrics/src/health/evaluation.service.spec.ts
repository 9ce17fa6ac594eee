import { type DataSource, type EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { type Model } from '#contracts/registry.js';
import { openDatabase } from '#runtime/database.module.js';
import { Logger } from '#runtime/logger.js';
import { createDatabase, type TestDatabase } from '#testing/database.js';
import { AlertEntity, AlertRuleEntity } from '../alerts/alert.entity.js';
import { AlertsStore } from '../alerts/alerts.store.js';
import { DeliveriesStore } from '../alerts/deliveries.store.js';
import { type DeliveryExecutor } from '../alerts/delivery.executor.js';
import { type KnownModels } from '../known-models.store.js';
import { MetricsConfig } from '../metrics.config.js';
import { metricsSchema } from '../metrics.module.js';
import { sumsOf, Tally } from '../windows/tally.js';
import { WindowSums } from '../windows/window-sums.store.js';
import { EvaluationSchedule } from './evaluation.schedule.js';
import { type HealthViewRelay } from './health-view.relay.js';
import { HealthStore } from './health.store.js';
import { ModelHealthEntity } from './model-health.entity.js';
import { RecentWindowsStore } from './recent-windows.store.js';

let test: TestDatabase;
let database: DataSource;

beforeAll(async () => {
  test = await createDatabase();
  database = await openDatabase(metricsSchema, { DATABASE_URL: test.url, DATABASE_POOL_SIZE: 5 });
});
afterAll(async () => {
  await database.destroy();
  await test.drop();
});

/** Whether the transaction has written when windows are read. */
const written: boolean[] = [];
class WatchedWindows extends RecentWindowsStore {
  override async recent(manager: EntityManager, ...read: [string[], number, number, boolean?]): ReturnType<RecentWindowsStore['recent']> {
    const [{ xid }] = await manager.query<[{ xid: string | null }]>('SELECT pg_current_xact_id_if_assigned() AS xid');
    written.push(xid !== null);
    return super.recent(manager, ...read);
  }
}

it('reads everything before it writes, so that PostgreSQL may remove meanwhile what counting leaves behind', async () => {
  const model = { model_id: 'model_0a1b2c3d4e5f', name: 'Seen', version: '1.0.0', status: 'stable', objectives: null };
  const tally = new Tally();
  const now = Date.now();
  for (let index = 0; index < 100; index++)
    tally.add({ model_id: model.model_id, success: false, timing_ms: 5, error_type: 'timeout', occurred_at_ms: now }, now);
  await new WindowSums().addMinutes((sql, parameters) => database.query(sql, parameters), sumsOf(tally));
  const at = new Date(now).toISOString();
  await database.manager.insert(AlertRuleEntity, {
    ...{ rule_id: uuidv7(), name: 'fails', applies_to: {}, metric: 'p95_ms', comparison: { kind: 'fixed', op: 'above', value: 1 } },
    ...{ window_minutes: 5, for_minutes: 0, recovery_minutes: 0, minimum_inferences: 1, severity: 'critical', enabled: true, revision: 1 },
    ...{ created_at: at, updated_at: at, created_by: 'a test' },
  });

  const config = Object.assign(new MetricsConfig(), { HEALTH_TICK_SECONDS: 0.1 });
  const known = { all: () => [model as unknown as Model].values() } as KnownModels;
  const windows = new WatchedWindows();
  const health = new HealthStore(database, windows, known, config);
  const alerts = new AlertsStore(windows, known, new DeliveriesStore(database));
  const [executor, view] = [{ wake: () => undefined } as DeliveryExecutor, { publish: () => Promise.resolve() } as HealthViewRelay];
  const schedule = new EvaluationSchedule(database, config, health, windows, alerts, executor, view, Logger.create('test', 'silent'));
  schedule.onApplicationBootstrap();
  // Twice, so that there is an open alert to be locked.
  await vi.waitUntil(() => written.length >= 4, 10_000);
  await schedule.onModuleDestroy();

  expect(await database.manager.find(AlertEntity)).toMatchObject([{ model_id: model.model_id, state: 'firing' }]);
  expect(await database.manager.find(ModelHealthEntity)).toMatchObject([{ model_id: model.model_id, health_status: 'unhealthy' }]);
  expect(new Set(written)).toEqual(new Set([false]));
});

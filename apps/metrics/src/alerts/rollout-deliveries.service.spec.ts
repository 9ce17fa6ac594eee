import { type DataSource } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { type RolloutEvent, type RolloutEventName, severityOfRolloutEvent } from '#contracts/rollout-event.js';
import { type WebhookFormat } from '#contracts/webhooks.js';
import { openDatabase } from '#runtime/database.module.js';
import { createDatabase, type TestDatabase } from '#testing/database.js';
import { metricsSchema } from '../metrics.module.js';
import { DeliveriesStore } from './deliveries.store.js';
import { DeliveryEntity, WebhookEntity } from './webhook.entity.js';

let test: TestDatabase;
let database: DataSource;
let deliveries: DeliveriesStore;

beforeAll(async () => {
  test = await createDatabase();
  database = await openDatabase(metricsSchema, { DATABASE_URL: test.url, DATABASE_POOL_SIZE: 5 });
  deliveries = new DeliveriesStore(database);
});
afterAll(async () => {
  await database.destroy();
  await test.drop();
});

const now = new Date().toISOString();
async function webhook(format: WebhookFormat, more: Partial<WebhookEntity> = {}): Promise<string> {
  const webhook_id = uuidv7();
  const of = { webhook_id, name: format, url: 'http://127.0.0.1:9/', format, secret: null, severities: null, enabled: true };
  await database.manager.insert(WebhookEntity, { ...of, created_at: now, updated_at: now, created_by: 'a test', revision: 1, ...more });
  return webhook_id;
}

const eventOf = (number: number, event: RolloutEventName, rollout_id = 'rollout_0a1b2c3d4e5f'): RolloutEvent => ({
  ...{ rollout_id, event_id: `${rollout_id}:${number}:${event}`, event, severity: severityOfRolloutEvent[event], at: now, flag_key: 'f' },
  ...{ candidate_model_id: 'a', control_model_id: 'b', step: 0, percentage: 1, rule: null, ended_holds: [], reason: 'a test' },
});
const take = (event: RolloutEvent): Promise<void> => database.transaction((manager) => deliveries.enqueueRollout(manager, event, now));

it('goes once to each webhook that wants it, however often it comes, and in its order', async () => {
  const [all, alertmanager] = [await webhook('json'), await webhook('alertmanager')];
  await webhook('slack', { enabled: false });
  const [started, rolledBack] = [eventOf(1, 'started'), eventOf(2, 'rolled_back')];
  await Promise.all([take(started), take(started), take(started)]);
  await Promise.all([take(rolledBack), take(rolledBack)]);
  await take(started);
  await take(eventOf(1, 'started', 'rollout_000000000001'));
  const stored = await database.manager.find(DeliveryEntity, { order: { position: 'ASC' } });
  expect(stored.map(({ webhook_id, event_id }) => [webhook_id, event_id])).toEqual([
    [all, started.event_id],
    ...(stored[1]!.webhook_id === all ? [all, alertmanager] : [alertmanager, all]).map((id) => [id, rolledBack.event_id]),
    [all, 'rollout_000000000001:1:started'],
  ]);
  expect(new Set(stored.map(({ delivery_id }) => delivery_id)).size).toBe(4);
  // The rollback waits until this webhook has its beginning; neither another webhook nor another rollout waits for it.
  const leased = await deliveries.lease();
  expect(leased.map(({ event_id }) => event_id).sort()).toEqual(
    [started.event_id, rolledBack.event_id, 'rollout_000000000001:1:started'].sort(),
  );
  for (const delivery of leased) await deliveries.finish(delivery, { delivered: true });
  expect((await deliveries.lease()).map(({ webhook_id, event_id }) => [webhook_id, event_id])).toEqual([[all, rolledBack.event_id]]);
});

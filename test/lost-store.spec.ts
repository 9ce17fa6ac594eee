import { jetstreamManager } from '@nats-io/jetstream';
import pg from 'pg';
import { inferenceStream } from '#contracts/inference.js';
import { connectTo } from '#testing/nats.js';
import { type Api, eventually } from './api.harness.js';
import { TestSuite } from './suite.harness.js';

let suite: TestSuite;
let api: Api;
let database: pg.Client;

beforeAll(async () => {
  suite = await TestSuite.start();
  api = suite.api;
  database = new pg.Client({ connectionString: suite.database_url });
  await database.connect();
});
afterAll(async () => {
  await database.end();
  await suite.close();
});

describe('when NATS loses everything it has stored', () => {
  it('its views are filled again from PostgreSQL, and what was removed meanwhile is removed everywhere', async () => {
    const [kept, removed] = [await api.register(), await api.registerAs('retired', { retention_days: 1 })];
    for (const { model_id } of [kept, removed]) await api.data(`/registry/${model_id}/inference?timing_ms=5`, { method: 'POST' });
    await eventually(
      () => api.data<{ total_inferences: number }>(`/registry/${removed.model_id}/metrics`),
      ({ total_inferences }) => total_inferences === 1,
    );
    const narrow = await suite.withRole('viewer');

    await suite.nats.kill();
    await suite.nats.loseStore();
    // No delete marker will ever tell of this one.
    await database.query('DELETE FROM registry.models WHERE model_id = $1', [removed.model_id]);
    await suite.nats.restart();

    const windows = (model_id: string): Promise<number> =>
      database.query('SELECT 1 FROM metrics.model_window WHERE model_id = $1', [model_id]).then(({ rowCount }) => rowCount ?? 0);
    await eventually(
      () => windows(removed.model_id),
      (rows) => rows === 0,
      20_000,
    );
    expect(await windows(kept.model_id)).toBeGreaterThan(0);
    expect((await narrow.send(`/registry/${kept.model_id}`)).status).toBe(200);
    await eventually(
      () => api.send(`/registry/${kept.model_id}/inference?timing_ms=7`, { method: 'POST' }),
      ({ status }) => status === 200,
      15_000,
    );
    await eventually(
      () => api.data<{ total_inferences: number }>(`/registry/${kept.model_id}/metrics`),
      ({ total_inferences }) => total_inferences === 2,
      15_000,
    );
    await eventually(
      () => fetch(`${suite.root}/readyz`),
      ({ status }) => status === 200,
    );
  }, 60_000);
});

describe('when an operator deletes the event stream by mistake', () => {
  it('it is made anew within ten seconds, and what comes then is counted', async () => {
    const { model_id } = await api.register();
    const connection = await connectTo(suite.nats_url);
    try {
      await (await jetstreamManager(connection)).streams.delete(inferenceStream.name);
    } finally {
      await connection.close();
    }
    await eventually(
      () => api.send(`/registry/${model_id}/inference?timing_ms=5`, { method: 'POST' }),
      ({ status }) => status === 200,
      10_000,
    );
    await eventually(
      () => api.data<{ total_inferences: number }>(`/registry/${model_id}/metrics`),
      ({ total_inferences }) => total_inferences === 1,
    );
    expect((await fetch(`${suite.root}/readyz`)).status).toBe(200);
  }, 30_000);
});

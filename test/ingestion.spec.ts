import { jetstream } from '@nats-io/jetstream';
import { headers as createHeaders, type NatsConnection } from '@nats-io/transport-node';
import pg from 'pg';
import { inferenceStream } from '#contracts/inference.js';
import { type Metrics, type ModelHealth } from '#contracts/metrics.js';
import { Nats } from '#runtime/nats.js';
import { connectTo } from '#testing/nats.js';
import { type Api, eventually } from './api.harness.js';
import { TestSuite } from './suite.harness.js';

let suite: TestSuite;
let api: Api;
let connection: NatsConnection;
let database: pg.Client;

beforeAll(async () => {
  suite = await TestSuite.start();
  api = suite.api;
  connection = await connectTo(suite.nats_url, { maxReconnectAttempts: -1 });
  database = new pg.Client({ connectionString: suite.database_url });
  await database.connect();
});
afterAll(async () => {
  await database.end();
  await connection.close();
  await suite.close();
});

/** As a service that numbers its messages; `attempt` makes JetStream take the same message again. */
async function publish(producer: string, sequence: number, body: unknown, attempt = 0): Promise<void> {
  const headers = createHeaders();
  headers.set(inferenceStream.producerHeader, producer);
  headers.set(inferenceStream.sequenceHeader, String(sequence));
  await jetstream(connection).publish(inferenceStream.subject, typeof body === 'string' ? body : JSON.stringify(body), {
    headers,
    msgID: `${producer}:${sequence}:${attempt}`,
  });
}

const counted = (model_id: string, total: number): Promise<Metrics> =>
  eventually(
    () => api.data<Metrics>(`/registry/${model_id}/metrics`),
    ({ total_inferences }) => total_inferences >= total,
    15_000,
  );

it('a notice that cannot be read costs a gateway neither its connection nor what it answers', async () => {
  const { model_id } = await api.register();
  await counted(model_id, 0);
  for (const notice of ['not JSON', '', '{}', '{"model_ids":7}', 'null']) connection.publish('emr.notice.metrics.counted', notice);
  await connection.flush();
  for (let index = 0; index < 3; index++) await api.data(`/registry/${model_id}/inference?timing_ms=${index}`, { method: 'POST' });
  expect(await counted(model_id, 3)).toMatchObject({ total_inferences: 3 });
  expect(suite.suite.gateway.app.get(Nats).connected).toBe(true);
});

describe('recorded inferences', () => {
  it('are counted once each, with exact sums and percentiles within 1 %', async () => {
    const { model_id } = await api.register();
    const timings = Array.from({ length: 600 }, (_, index) => Math.round(Math.exp(4 + ((index * 7919) % 600) / 150) * 100) / 100);
    for (let index = 0; index < timings.length; index += 50) {
      const batch = timings.slice(index, index + 50);
      await Promise.all(batch.map((timing) => api.data(`/registry/${model_id}/inference?timing_ms=${timing}`, { method: 'POST' })));
    }
    const metrics = await counted(model_id, 600);
    const sorted = [...timings].sort((a, b) => a - b);
    const exact = (q: number): number => sorted[Math.ceil(q * sorted.length) - 1]!;
    expect(metrics).toMatchObject({ total_inferences: 600, successful_inferences: 600, failed_inferences: 0, success_rate: 100 });
    expect([metrics.min_timing_ms, metrics.max_timing_ms]).toEqual([sorted[0], sorted.at(-1)]);
    expect(metrics.average_timing_ms).toBeCloseTo(timings.reduce((a, b) => a + b) / 600, 3);
    for (const [name, q] of [
      ['p50', 0.5],
      ['p95', 0.95],
      ['p99', 0.99],
    ] as const) {
      expect(Math.abs(metrics.percentiles[name] - exact(q)) / exact(q)).toBeLessThanOrEqual(0.01);
    }
  });

  it('are judged for health with the reason', async () => {
    const [good, bad, few] = await Promise.all([api.register(), api.register(), api.register()]);
    await publish('health', 0, { events: Array.from({ length: 100 }, () => ({ model_id: good.model_id, timing_ms: 5 })) });
    await publish('health', 1, {
      events: Array.from({ length: 100 }, (_, index) => ({ model_id: bad.model_id, timing_ms: 5, success: index < 50 })),
    });
    await publish('health', 2, { model_id: few.model_id, timing_ms: 5, success: false, error: 'timed out' });
    await Promise.all([counted(good.model_id, 100), counted(bad.model_id, 100), counted(few.model_id, 1)]);
    const health = (id: string) => api.data<ModelHealth>(`/registry/${id}/health`);
    expect(await health(good.model_id)).toMatchObject({
      health_status: 'healthy',
      name: good.name,
      version: '1.0.0',
      status: 'development',
    });
    expect((await health(bad.model_id)).health_status).toBe('unhealthy');
    expect(await health(few.model_id)).toMatchObject({
      health_status: 'unknown',
      error_types: { timeout_error: 1 },
      reasons: [expect.stringContaining('1 inferences')],
    });
  });
});

describe('messages of other services', () => {
  it('count once however often they are stored, and a bad event of a batch alone is left out', async () => {
    const { model_id } = await api.register();
    const body = {
      events: [
        { model_id, timing_ms: 1 },
        { model_id, timing_ms: -1 },
        { model_id, timing_ms: 2, success: false },
      ],
    };
    for (let attempt = 0; attempt < 3; attempt++) await publish('repeater', 0, body, attempt);
    await publish('repeater', 1, { model_id, timing_ms: 3 });
    await counted(model_id, 3);
    expect(await api.data(`/registry/${model_id}/metrics`)).toMatchObject({
      total_inferences: 3,
      failed_inferences: 1,
      error_types: { unknown_error: 1 },
    });
    const letters = await database.query("SELECT event, reason FROM metrics.dead_letter WHERE source = 'repeater'");
    expect(letters.rows).toEqual([{ event: 1, reason: expect.stringContaining('timing_ms') as string }]);
  });

  it('that cannot be counted are kept once with the reason, and hold up nothing', async () => {
    const { model_id } = await api.register();
    const poison = [
      '{',
      '[]',
      '{"events":[]}',
      '\u0000',
      JSON.stringify({ model_id: 'mlb_model_00000000', timing_ms: 1 }),
      '{"model_id":"x","timing_ms":1e999}',
    ];
    for (const [index, body] of poison.entries()) await publish('poison', index, body);
    await publish('poison', poison.length, { model_id, timing_ms: 1 });
    await counted(model_id, 1);
    const letters = await database.query("SELECT sequence::int FROM metrics.dead_letter WHERE source = 'poison' ORDER BY 1");
    expect(letters.rows.map(({ sequence }: { sequence: number }) => sequence)).toEqual(poison.map((_, index) => index));
  });

  it('with 10,000 distinct errors leave at most 50 types and the rest in other', async () => {
    const { model_id } = await api.register();
    for (let batch = 0; batch < 20; batch++) {
      const events = Array.from({ length: 500 }, (_, index) => ({
        model_id,
        timing_ms: 1,
        success: false,
        error_type: `kind_${batch * 500 + index}_error`,
      }));
      await publish('flood', batch, { events });
    }
    const { error_types } = await counted(model_id, 10_000);
    expect(Object.keys(error_types).length).toBeLessThanOrEqual(51);
    expect(error_types.other).toBeGreaterThan(9_000);
    expect(Object.values(error_types).reduce((a, b) => a + b)).toBe(10_000);
  });
});

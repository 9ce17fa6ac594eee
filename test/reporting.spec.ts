import { randomUUID } from 'node:crypto';
import { jetstreamManager } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { type NatsConnection } from '@nats-io/transport-node';
import { InferenceReporter } from '#client/inference-reporter.js';
import { inferenceStream } from '#contracts/inference.js';
import { type Metrics } from '#contracts/metrics.js';
import { connectTo } from '#testing/nats.js';
import { type Api, type Answer, eventually } from './api.harness.js';
import { TestSuite } from './suite.harness.js';

let suite: TestSuite;
let api: Api;
let connection: NatsConnection;

beforeAll(async () => {
  suite = await TestSuite.start();
  api = suite.api;
  connection = await connectTo(suite.nats_url, { maxReconnectAttempts: -1, reconnectTimeWait: 100 });
});
afterAll(async () => {
  await connection.close();
  await suite.close();
});

const metrics = (model_id: string): Promise<Metrics> => api.data(`/registry/${model_id}/metrics`);
const record = (model_id: string, headers: Record<string, string> = {}): Promise<Answer> =>
  api.send(`/registry/${model_id}/inference?timing_ms=5`, { method: 'POST', headers });

/** The count once it has stood still for a second, which is longer than any resend or redelivery in hand takes. */
async function settledTotal(model_id: string, atLeast: number): Promise<number> {
  const last = { total: -1, since: 0 };
  await eventually(
    async () => {
      const answer = await api.send(`/registry/${model_id}/metrics`);
      const total = answer.status === 200 ? (answer.body as { data: Metrics }).data.total_inferences : -1;
      if (total !== last.total) Object.assign(last, { total, since: Date.now() });
      return last;
    },
    ({ total, since }) => total >= atLeast && Date.now() - since > 1_000,
    30_000,
  );
  return last.total;
}

const refusedAtOnce = (answer: Answer, recorded: 'no' | 'unknown'): void => {
  expect(answer.status).toBe(503);
  expect(answer.headers.get('retry-after')).toBe('1');
  expect(answer.body).toMatchObject({ success: false, data: null, error: { code: 'SERVICE_UNAVAILABLE', details: { recorded } } });
};

/** Changes the limits of the stream, as an operator might. */
async function limitStream(change: { max_msgs?: number; no_ack?: boolean }): Promise<void> {
  const { streams } = await jetstreamManager(connection);
  await streams.update(inferenceStream.name, change);
}

describe('while NATS is killed and comes back', () => {
  it('what the reporter reports and what the gateway acknowledges is counted exactly once', async () => {
    const [reported, recorded] = await Promise.all([api.register(), api.register()]);
    const reporter = new InferenceReporter({ url: suite.nats_urls.publisher });
    let running = true;
    let acked = 0;
    let unknown = 0;
    const reports: Promise<void>[] = [];
    const report = async (): Promise<void> => {
      while (running) {
        for (let index = 0; index < 20; index++) reports.push(reporter.report({ model_id: reported.model_id, timing_ms: 5 }));
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    const post = async (): Promise<void> => {
      while (running) {
        const { status, body } = await record(recorded.model_id);
        if (status === 200) acked += 1;
        else if ((body as { error: { details?: { recorded?: string } } }).error.details?.recorded === 'unknown') unknown += 1;
        else await new Promise((resolve) => setTimeout(resolve, 10));
      }
    };
    const working = [report(), ...Array.from({ length: 8 }, post)];
    const more = (): Promise<number> => {
      const enough = acked + 30;
      return eventually(
        () => Promise.resolve(acked),
        (now) => now >= enough,
        20_000,
      );
    };
    for (let round = 0; round < 2; round++) {
      await more();
      await suite.nats.kill();
      await new Promise((resolve) => setTimeout(resolve, 400));
      await suite.nats.restart();
    }
    await more();
    running = false;
    await Promise.all(working);
    await Promise.all(reports);
    expect(reporter.stats()).toMatchObject({ reported: reports.length, acked: reports.length, rejected: 0, dropped: 0, pending: 0 });
    await reporter.close();
    expect(reports.length).toBeGreaterThan(500);
    expect(await settledTotal(reported.model_id, reports.length)).toBe(reports.length);
    const total = await settledTotal(recorded.model_id, acked);
    expect(total).toBeGreaterThanOrEqual(acked);
    expect(total).toBeLessThanOrEqual(acked + unknown);
  }, 90_000);
});

describe('recording an inference', () => {
  it('answers 503 at once while the stream is full, and has then recorded nothing', async () => {
    const { model_id } = await api.register();
    expect((await record(model_id)).status).toBe(200);
    const { streams } = await jetstreamManager(connection);
    await limitStream({ max_msgs: (await streams.info(inferenceStream.name)).state.messages });
    const began = performance.now();
    refusedAtOnce(await record(model_id), 'no');
    refusedAtOnce(await record(model_id, { 'idempotency-key': randomUUID() }), 'no');
    const events = Array.from({ length: 600 }, () => ({ model_id, timing_ms: 1 }));
    refusedAtOnce(await api.send('/inference/batch', { method: 'POST', body: { events } }), 'no');
    expect(performance.now() - began).toBeLessThan(1_500);
    await limitStream({ max_msgs: -1 });
    expect((await record(model_id)).status).toBe(200);
    expect(await settledTotal(model_id, 2)).toBe(2);
  }, 30_000);

  it('says of a batch that was stored in part which events were not', async () => {
    const { model_id } = await api.register();
    const { streams } = await jetstreamManager(connection);
    await limitStream({ max_msgs: (await streams.info(inferenceStream.name)).state.messages + 1 });
    const events = Array.from({ length: 600 }, () => ({ model_id, timing_ms: 1 }));
    const { accepted, rejected, errors } = await api.data<{
      accepted: number;
      rejected: number;
      errors: { index: number; code: string }[];
    }>('/inference/batch', { method: 'POST', body: { events } });
    await limitStream({ max_msgs: -1 });
    expect([accepted, rejected]).toEqual([500, 100]);
    expect(errors.map(({ index, code }) => `${index} ${code}`)).toEqual(
      Array.from({ length: 100 }, (_, index) => `${500 + index} SERVICE_UNAVAILABLE`),
    );
    expect(await settledTotal(model_id, 500)).toBe(500);
  }, 30_000);

  it('says after 2 s that nobody knows when the acknowledgement is lost; with an Idempotency-Key a retry is counted once', async () => {
    const { model_id } = await api.register();
    const headers = { 'idempotency-key': randomUUID() };
    await limitStream({ no_ack: true });
    const began = performance.now();
    const answers = await Promise.all([record(model_id, headers), record(model_id)]);
    expect(performance.now() - began).toBeLessThan(2_500);
    for (const answer of answers) refusedAtOnce(answer, 'unknown');
    await limitStream({ no_ack: false });
    expect((await record(model_id, headers)).status).toBe(200);
    expect(await settledTotal(model_id, 2)).toBe(2);
  }, 30_000);

  it('answers 503 while idempotency keys cannot be looked up, without recording; and makes their bucket again', async () => {
    const { model_id } = await api.register();
    const key = (): Record<string, string> => ({ 'idempotency-key': randomUUID() });
    expect((await record(model_id, key())).status).toBe(200);
    const { streams } = await jetstreamManager(connection);
    await streams.delete('KV_emr_idempotency');
    refusedAtOnce(await record(model_id, key()), 'no');
    expect((await record(model_id, key())).status).toBe(200);
    expect(await settledTotal(model_id, 2)).toBe(2);
    const { num_replicas } = (await streams.info(inferenceStream.name)).config;
    expect((await streams.info('KV_emr_idempotency')).config).toMatchObject({ num_replicas, max_bytes: 256 * 1024 ** 2 });
  }, 30_000);

  it('keeps idempotency keys in the bucket that an operator made beforehand, as it is', async () => {
    const { model_id } = await api.register();
    const headers = { 'idempotency-key': randomUUID() };
    const { streams } = await jetstreamManager(connection);
    await streams.delete('KV_emr_idempotency');
    refusedAtOnce(await record(model_id, headers), 'no');
    await new Kvm(connection).create('emr_idempotency', { ttl: 3_600_000, history: 1, max_bytes: 1024 ** 2, replicas: 1 });
    expect((await record(model_id, headers)).status).toBe(200);
    expect((await record(model_id, headers)).status).toBe(200);
    expect(await settledTotal(model_id, 1)).toBe(1);
    const { config, state } = await streams.info('KV_emr_idempotency');
    expect([config.max_bytes, state.messages]).toEqual([1024 ** 2, 1]);
  }, 30_000);

  it('answers 503 when there is no stream', async () => {
    const { model_id } = await api.register();
    await metrics(model_id);
    const { streams } = await jetstreamManager(connection);
    await streams.delete(inferenceStream.name);
    refusedAtOnce(await record(model_id), 'no');
  });
});

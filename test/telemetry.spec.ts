import { eventually } from './api.harness.js';
import { type ExposedMetric, lint, readExposition } from './exposition.harness.js';
import { TestSuite } from './suite.harness.js';

let suite: TestSuite;

beforeAll(async () => {
  suite = await TestSuite.start();
}, 60_000);
afterAll(() => suite.close());

type App = 'gateway' | 'registry' | 'metrics' | 'validation' | 'flags';

async function scrape(app: App): Promise<Map<string, ExposedMetric>> {
  const { gateway, services } = suite.suite;
  const port = app === 'gateway' ? gateway.port : services[app].probe_port;
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  return readExposition(await response.text());
}

/** Of the sample with these labels; undefined where there is none. */
const valueOf = (metrics: Map<string, ExposedMetric>, name: string, labels: Record<string, string> = {}): number | undefined =>
  [...metrics.values()]
    .flatMap(({ samples }) => samples)
    .find((sample) => sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value))?.value;

it.each<App>(['gateway', 'registry', 'metrics', 'validation', 'flags'])('tells Prometheus of the %s by its rules', async (app) => {
  const metrics = await scrape(app);
  expect([...metrics.values()].flatMap(lint)).toEqual([]);
  expect([...metrics.keys()].filter((name) => !name.startsWith('emr_'))).toEqual([]);
  for (const { samples } of metrics.values()) for (const { labels } of samples) expect(labels.service).toBe(app);
  expect(valueOf(metrics, 'emr_nats_connected')).toBe(1);
  expect(valueOf(metrics, 'emr_build_info', { version: '0.1.0' })).toBe(1);
  // Nothing was left out.
  expect(metrics.get('emr_measurement_failures_total')?.samples).toEqual([]);
});

it('counts requests by route and subject, with what became of them and how long they took', async () => {
  await suite.api.register();
  await suite.api.send('/registry/none_such/status', { method: 'POST', body: { to: 'canary', reason: 'a test' } });
  const [gateway, registry] = await Promise.all([scrape('gateway'), scrape('registry')]);
  const route = '/api/models/enterprise/registry/:model_id/status';
  expect(valueOf(gateway, 'emr_http_request_duration_seconds_count', { method: 'POST', route, status: '404' })).toBe(1);
  const asked = { subject: 'registry.change_status', code: 'MODEL_NOT_FOUND' };
  const subject = [...gateway.get('emr_rpc_asked_duration_seconds')!.samples].find(({ labels }) => labels.code === asked.code)!.labels
    .subject!;
  expect(valueOf(registry, 'emr_rpc_answered_duration_seconds_count', { subject, code: 'MODEL_NOT_FOUND' })).toBe(1);
});

it('counts inferences of each model and version, and tells of what still waits', async () => {
  const { model_id, name, version } = await suite.api.register();
  for (const [timing_ms, success] of [
    [3, true],
    [80, true],
    [700, false],
  ] as const)
    await suite.api.data(`/registry/${model_id}/inference?timing_ms=${timing_ms}&success=${success}`, { method: 'POST' });
  const labels = { model_id, model: name, version };
  const metrics = await eventually(
    () => scrape('metrics'),
    (seen) => valueOf(seen, 'emr_model_inference_duration_seconds_count', labels) === 3,
  );
  expect(valueOf(metrics, 'emr_model_inferences_total', { ...labels, outcome: 'success' })).toBe(2);
  expect(valueOf(metrics, 'emr_model_inferences_total', { ...labels, outcome: 'failure' })).toBe(1);
  expect(valueOf(metrics, 'emr_model_inference_duration_seconds_bucket', { ...labels, le: '0.1' })).toBe(2);
  expect(valueOf(metrics, 'emr_model_inference_duration_seconds_sum', labels)).toBeCloseTo(0.783, 9);
  expect(valueOf(metrics, 'emr_model_inferences_total', { model_id: 'other', outcome: 'success' })).toBe(0);
  expect(valueOf(metrics, 'emr_consumer_lag', { stream: 'EMR_EVENTS', consumer: 'metrics' })).toBe(0);
  expect(valueOf(metrics, 'emr_stream_max_bytes', { stream: 'EMR_EVENTS' })).toBe(1024 ** 3);
});

it('leaves out what it cannot read, and says so, rather than tell an old value', async () => {
  await suite.nats.kill();
  await eventually(
    () => scrape('metrics'),
    (seen) => valueOf(seen, 'emr_nats_connected') === 0,
  );
  const metrics = await scrape('metrics');
  expect(valueOf(metrics, 'emr_consumer_lag')).toBeUndefined();
  expect(valueOf(metrics, 'emr_measurement_failures_total', { metric: 'emr_consumer_lag' })).toBeGreaterThan(0);
  expect(valueOf(metrics, 'emr_dead_letters')).toBe(0);
});

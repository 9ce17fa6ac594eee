import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { freePort } from '#embedded/ports.js';
import { placeOf } from '#runtime/trace-context.js';
import { connectTo, ownNats } from '#testing/nats.js';
import { eventually } from './api.harness.js';
import { OtlpReceiver, type ReceivedSpan } from './otlp.harness.js';
import { TestSuite } from './suite.harness.js';

let receiver: OtlpReceiver;
let suite: TestSuite;
let key: string;
let modelServer: Server;
let closeListener: () => Promise<void>;
/** What the model was asked with. */
const asked: (string | undefined)[] = [];
/** Of each message on NATS that names a trace. */
const messages: { subject: string; trace_id: string }[] = [];

/** What the requests below were given as the trace that they are a part of. */
const traces = {
  registration: newTrace(),
  inference: newTrace(),
  batch: newTrace(),
  refused: newTrace(),
  run: newTrace(),
  unsampled: newTrace(),
};

function newTrace(): { trace_id: string; span_id: string } {
  return { trace_id: randomBytes(16).toString('hex'), span_id: randomBytes(8).toString('hex') };
}

const traced = ({ trace_id, span_id }: { trace_id: string; span_id: string }, flags = '01'): Record<string, string> => ({
  traceparent: `00-${trace_id}-${span_id}-${flags}`,
});

beforeAll(async () => {
  receiver = await OtlpReceiver.listen();
  suite = await TestSuite.start({ otlp_endpoint: receiver.url });
  const { api } = suite;
  key = suite.admin_key;
  const listener = await connectTo(suite.nats.url);
  listener.subscribe('>', {
    callback: (_, { subject, headers }) => {
      const place = placeOf(headers?.get('traceparent'));
      if (place) messages.push({ subject, trace_id: place.trace_id });
    },
  });
  await listener.flush();
  closeListener = () => listener.close();
  modelServer = createServer(({ headers }, response) => {
    asked.push(headers.traceparent as string | undefined);
    response.end('{"y":1}');
  });
  await new Promise<void>((resolve) => modelServer.listen(0, '127.0.0.1', resolve));
  const model = {
    name: 'Traced model',
    version: '1.0.0',
    model_type: 'transformer',
    sport: 'MLB',
    serving: { protocol: 'http_json', url: `http://127.0.0.1:${(modelServer.address() as AddressInfo).port}/` },
  };
  const { model_id } = await api.data<{ model_id: string }>('/registry', {
    method: 'POST',
    body: model,
    headers: traced(traces.registration),
  });
  await api.data(`/registry/${model_id}/inference?timing_ms=5&success=true`, { method: 'POST', headers: traced(traces.inference) });
  await api.data('/inference/batch', {
    method: 'POST',
    body: { events: [{ model_id, timing_ms: 1 }] },
    headers: { ...traced(traces.batch), 'idempotency-key': 'traced' },
  });
  await api.send('/registry/none_such/status', {
    method: 'POST',
    body: { to: 'canary', reason: 'a test' },
    headers: traced(traces.refused),
  });
  await api.data('/registry', { headers: traced(traces.unsampled, '00') });
  await api.data('/registry', { headers: { traceparent: 'no such thing' } });
  const expectations = [{ path: '$.y', op: 'exists', value: true }];
  await api.data('/validation/cases', {
    method: 'POST',
    body: { test_case_id: 'traced', applies_to: { model_id }, input: { x: 1 }, expectations },
  });
  await api.data('/validation/run', { method: 'POST', body: { model_id }, headers: traced(traces.run) });
  // What is sent last of all.
  const last = ['process emr.ev.inference', 'run validation', 'GET /api/models/enterprise/registry'];
  const isThere = (name: string): boolean => receiver.spans.some((span) => span.name === name);
  await eventually(
    () => Promise.resolve(last.filter((name) => !isThere(name))),
    (missing) => missing.length === 0,
    15_000,
  );
}, 60_000);
afterAll(async () => {
  try {
    await closeListener();
    await suite.close();
  } finally {
    modelServer.close();
    await receiver.close();
  }
});

/** The one span of the trace with this name and kind. */
function only({ trace_id }: { trace_id: string }, name: string | RegExp, kind: number): ReceivedSpan {
  const found = receiver
    .trace(trace_id)
    .filter((span) => span.kind === kind && (typeof name === 'string' ? span.name === name : name.test(span.name)));
  if (found.length !== 1) throw new Error(`${found.length} of ${String(name)} in ${JSON.stringify(receiver.trace(trace_id), null, 1)}`);
  return found[0]!;
}

it('shows a request from the caller over the gateway and NATS to the registry and its statements as one trace', () => {
  const request = only(traces.registration, 'POST /api/models/enterprise/registry', 2);
  expect(request).toMatchObject({ service: 'emr-gateway', parent_span_id: traces.registration.span_id, failure: null });
  expect(request.attributes).toMatchObject({ 'http.route': '/api/models/enterprise/registry', 'http.response.status_code': 200 });
  const asked = only(traces.registration, /register/, 3);
  expect(asked).toMatchObject({ service: 'emr-gateway', parent_span_id: request.span_id });
  const answered = only(traces.registration, /register/, 2);
  expect(answered).toMatchObject({ service: 'emr-registry', parent_span_id: asked.span_id, failure: null });
  const statements = receiver.trace(traces.registration.trace_id).filter(({ attributes }) => attributes['db.system.name'] === 'postgresql');
  expect(statements.map(({ name }) => name)).toEqual(expect.arrayContaining(['INSERT', 'COMMIT']));
  for (const statement of statements) expect(statement).toMatchObject({ service: 'emr-registry', parent_span_id: answered.span_id });
});

it('goes on with an inference over JetStream to the service that counts it', () => {
  const request = only(traces.inference, /^POST .*inference$/, 2);
  const sent = only(traces.inference, 'send emr.ev.inference', 4);
  expect(sent).toMatchObject({ service: 'emr-gateway', parent_span_id: request.span_id });
  expect(only(traces.inference, 'process emr.ev.inference', 5)).toMatchObject({
    service: 'emr-metrics',
    parent_span_id: sent.span_id,
    failure: null,
  });
});

it('links what is done with a validation run to the request for it, which does not wait', () => {
  const asked = only(traces.run, /validation.*start/, 2);
  const done = receiver.spans.filter(({ name }) => name === 'run validation');
  expect(done.map(({ service, links }) => ({ service, links }))).toEqual([
    { service: 'emr-validation', links: [{ trace_id: asked.trace_id, span_id: asked.span_id }] },
  ]);
});

it('goes on to the model that a run asks, of whose address the span has the host alone', () => {
  const [{ trace_id }] = receiver.spans.filter(({ name }) => name === 'run validation') as [ReceivedSpan];
  const called = receiver.trace(trace_id).filter(({ name, kind }) => name === 'POST' && kind === 3);
  expect(called.map(({ service, attributes }) => ({ service, attributes }))).toEqual([
    {
      service: 'emr-validation',
      attributes: { 'http.request.method': 'POST', 'server.address': '127.0.0.1', 'http.response.status_code': 200 },
    },
  ]);
  expect(asked).toEqual([`00-${trace_id}-${called[0]!.span_id}-01`]);
});

it('is named by the messages that a change and a run lead to, also where they were stored first', async () => {
  const [{ trace_id: run }] = receiver.spans.filter(({ name }) => name === 'run validation') as [ReceivedSpan];
  const expected = [
    [traces.registration.trace_id, '$KV.emr_models.'],
    [traces.batch.trace_id, '$KV.emr_idempotency.'],
    [traces.run.trace_id, 'emr.jobs.validation.run'],
    [run, 'emr.evt.validation.'],
  ] as const;
  const missing = (): unknown[] =>
    expected.filter(([trace, subject]) => !messages.some((seen) => seen.trace_id === trace && seen.subject.startsWith(subject)));
  expect(
    await eventually(
      () => Promise.resolve(missing()),
      (left) => left.length === 0,
    ),
  ).toEqual([]);
  expect(messages.filter(({ trace_id }) => trace_id === traces.unsampled.trace_id)).toEqual([]);
});

it('tells a refusal from a failure', () => {
  const request = only(traces.refused, /^POST .*status$/, 2);
  expect(request).toMatchObject({ failure: null, attributes: { 'http.response.status_code': 404 } });
  const answered = only(traces.refused, /status/, 3);
  expect(answered).toMatchObject({ failure: null, attributes: { 'error.type': 'MODEL_NOT_FOUND' } });
});

it('records nothing of what its caller does not record, and begins anew where the caller names no trace', () => {
  expect(receiver.trace(traces.unsampled.trace_id)).toEqual([]);
  const lists = receiver.spans.filter(({ name }) => name === 'GET /api/models/enterprise/registry');
  expect(lists.map(({ parent_span_id }) => parent_span_id)).toEqual(['']);
});

it('tells whose key it was and never the key, and nothing of probes', () => {
  const text = JSON.stringify(receiver.spans);
  expect(text).not.toContain(key);
  expect(only(traces.registration, /^POST/, 2).attributes['emr.key_id']).toMatch(/^\w+/);
  expect(receiver.spans.filter(({ name }) => /livez|readyz|metrics$/.test(name))).toEqual([]);
});

it('is in the bundles that run in production', async () => {
  const nats = await ownNats();
  const environment = { NATS_URL: nats.url, KEY_PEPPER: key.padEnd(32, 'x'), HOST: '127.0.0.1', PORT: String(await freePort()) };
  const traced = { ...environment, OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url };
  const child = spawn(process.execPath, [join(process.cwd(), 'dist/apps/gateway/main.js')], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: traced,
  });
  const isTraced = (): boolean => receiver.spans.some(({ attributes }) => attributes['http.route'] === '/openapi.json');
  try {
    // It listens before it is ready; without the services there is nothing more to come.
    await eventually(
      () => fetch(`http://127.0.0.1:${environment.PORT}/openapi.json`).catch(() => null),
      (response) => response?.status === 200,
      15_000,
    );
    await eventually(() => Promise.resolve(isTraced()), Boolean, 10_000);
  } finally {
    child.kill('SIGKILL');
    await nats.stop();
  }
}, 40_000);

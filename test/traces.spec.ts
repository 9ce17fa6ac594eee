import { randomBytes } from 'node:crypto';
import { eventually } from './api.harness.js';
import { OtlpReceiver, type ReceivedSpan } from './otlp.harness.js';
import { TestSuite } from './suite.harness.js';

let receiver: OtlpReceiver;
let suite: TestSuite;
let key: string;

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
  const model = {
    name: 'Traced model',
    version: '1.0.0',
    model_type: 'transformer',
    sport: 'MLB',
    serving: { protocol: 'http_json', url: 'http://127.0.0.1:8009/' },
  };
  const { model_id } = await api.data<{ model_id: string }>('/registry', {
    method: 'POST',
    body: model,
    headers: traced(traces.registration),
  });
  await api.data(`/registry/${model_id}/inference?timing_ms=5&success=true`, { method: 'POST', headers: traced(traces.inference) });
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
  const last = ['process emr.ev.inference', 'process emr.jobs.validation.run', 'GET /api/models/enterprise/registry'];
  const isThere = (name: string): boolean => receiver.spans.some((span) => span.name === name);
  await eventually(
    () => Promise.resolve(last.filter((name) => !isThere(name))),
    (missing) => missing.length === 0,
    15_000,
  );
}, 60_000);
afterAll(async () => {
  await suite.close();
  await receiver.close();
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
  const sent = only(traces.run, 'send emr.jobs.validation.run', 4);
  const done = receiver.spans.filter(({ name }) => name === 'process emr.jobs.validation.run');
  expect(done.map(({ service, links }) => ({ service, links }))).toEqual([
    { service: 'emr-validation', links: [{ trace_id: sent.trace_id, span_id: sent.span_id }] },
  ]);
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

import { randomUUID } from 'node:crypto';
import { fieldsOf } from '#contracts/fields.js';
import { InferenceItem } from '#contracts/inference.js';
import { type Metrics } from '#contracts/metrics.js';
import { badJson } from './bad-values.harness.js';
import { type Answer, type Api, eventually, type ReachableSuite } from './api.harness.js';
import { storySuite } from './story-suite.harness.js';

interface Recorded {
  accepted: number;
  rejected: number;
  errors: { index: number; code: string; field: string | null; accepted: string }[];
}

let suite: ReachableSuite;
let api: Api;

beforeAll(async () => {
  suite = await storySuite();
  api = suite.api;
});

const post = (body: unknown, headers: Record<string, string> = {}, as = api): Promise<Recorded> =>
  as.data('/inference/batch', { method: 'POST', body, headers });

const total = async (model_id: string): Promise<number> => (await api.data<Metrics>(`/registry/${model_id}/metrics`)).total_inferences;

/** Waits until `mark`, which was recorded last, is counted: whatever was recorded before is then counted too. */
async function counted(model_id: string, wanted: number): Promise<Metrics> {
  const { model_id: mark } = await api.register();
  await api.data(`/registry/${mark}/inference?timing_ms=1`, { method: 'POST' });
  await eventually(
    () => total(mark),
    (n) => n === 1,
    15_000,
  );
  await eventually(
    () => total(model_id),
    (n) => n >= wanted,
  );
  return api.data(`/registry/${model_id}/metrics`);
}

describe('POST /inference/batch', () => {
  it('records each event or says by index why not', async () => {
    const { model_id } = await api.register();
    const good = { model_id, timing_ms: 5 };
    const events = [
      good,
      { ...good, timing_ms: -1 },
      7,
      { ...good, success: false, error: 'timed out', occurred_at: new Date().toISOString(), event_id: 'e-1', flag_key: 'f', variant: 'on' },
      { ...good, model_id: 'mlb_model_00000000' },
      { ...good, surprise: 1 },
      { ...good, error: 'of a success' },
      { ...good, success: false, error_type: 'odd_error' },
    ];
    const answer = await post({ events });
    expect(answer.accepted).toBe(3);
    expect(answer.rejected).toBe(5);
    expect(answer.errors.map(({ index, code, field }) => [index, code, field])).toEqual([
      [1, 'INVALID_INPUT', 'timing_ms'],
      [2, 'INVALID_INPUT', null],
      [4, 'MODEL_NOT_FOUND', 'model_id'],
      [5, 'INVALID_INPUT', 'surprise'],
      [6, 'INVALID_INPUT', 'error'],
    ]);
    expect(await counted(model_id, 3)).toMatchObject({
      total_inferences: 3,
      failed_inferences: 2,
      error_types: { timeout_error: 1, odd_error: 1 },
    });
  });

  it('answers 200 also when it refuses every event', async () => {
    expect(await post({ events: [{}] })).toMatchObject({ accepted: 0, rejected: 1, errors: [{ index: 0, field: 'model_id' }] });
  });

  it('takes NDJSON, a line that is not JSON being refused alone', async () => {
    const { model_id } = await api.register();
    const line = JSON.stringify({ model_id, timing_ms: 5 });
    const body = `${line}\r\n\n{"model_id":\n${line}\n`;
    const answer = await post(body, { 'content-type': 'application/x-ndjson' });
    expect(answer).toEqual({
      accepted: 2,
      rejected: 1,
      errors: [{ index: 1, code: 'INVALID_JSON', field: null, accepted: expect.any(String) as string }],
    });
    expect(await counted(model_id, 2)).toMatchObject({ total_inferences: 2 });
  });

  it('takes 10,000 events of several models and counts each once', async () => {
    const models = await Promise.all(Array.from({ length: 5 }, () => api.register()));
    const events = Array.from({ length: 10_000 }, (_, index) => ({ model_id: models[index % 5]!.model_id, timing_ms: 7 }));
    expect(await post({ events })).toEqual({ accepted: 10_000, rejected: 0, errors: [] });
    for (const { model_id } of models) expect(await counted(model_id, 2_000)).toMatchObject({ total_inferences: 2_000 });
  }, 30_000);

  it.each<[string, unknown, Record<string, string>]>([
    ['no events', { events: [] }, {}],
    ['10,001 events', { events: new Array(10_001).fill(1) }, {}],
    ['an object', { events: { 0: {} } }, {}],
    ['no field events', {}, {}],
    ['a list by itself', [], {}],
    ['NDJSON without a line', '\n \n', { 'content-type': 'application/x-ndjson' }],
    ['no body', undefined, {}],
  ])('refuses %s as a whole', async (_, body, headers) => {
    expect(await api.failure('/inference/batch', { method: 'POST', body, headers })).toMatchObject({ status: 400, code: 'INVALID_INPUT' });
  });

  it('takes NDJSON nowhere else', async () => {
    const request = { method: 'POST', body: '{}', headers: { 'content-type': 'application/x-ndjson' } };
    expect(await api.failure('/registry', request)).toMatchObject({ status: 400, code: 'UNSUPPORTED_MEDIA_TYPE' });
  });

  it('refuses every bad value of every field of an event by its name, and records the good one beside it', async () => {
    const { model_id } = await api.register();
    const good = { model_id, timing_ms: 5, success: false };
    let sent = 0;
    const mayBeNames = (name: string, what: string): boolean => /^(event_id|flag_key|variant)$/.test(name) && /^"[^\\]*"$/.test(what);
    for (const field of fieldsOf(InferenceItem).values()) {
      const wrong = badJson(field).filter(({ what }) => !mayBeNames(field.name, what));
      const bad = wrong.map(({ what, raw }) => ({
        what,
        item: JSON.stringify({ ...good, [field.name]: '(here)' }).replace('"(here)"', raw),
      }));
      const items = [...bad.map(({ item }) => item), JSON.stringify(good)];
      const { accepted, errors } = await post(`{"events":[${items.join(',')}]}`);
      sent += accepted;
      expect(errors.map(({ index, field: named }) => [bad[index]?.what, named])).toEqual(bad.map(({ what }) => [what, field.name]));
    }
    expect(sent).toBe(fieldsOf(InferenceItem).size);
    const deep = `{"model_id":"${model_id}","timing_ms":1,"error":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
    expect((await post(`{"events":[${deep}]}`)).errors).toMatchObject([{ index: 0, field: 'error' }]);
    expect(await counted(model_id, sent)).toMatchObject({ total_inferences: sent });
  });

  it('does not show a narrowed key that there are other models', async () => {
    const [mine, foreign] = await Promise.all([api.register({ sport: 'NBA' }), api.register({ sport: 'NFL' })]);
    const narrow = await suite.withRole('client', { sports: ['NBA'] });
    const ids = [mine.model_id, foreign.model_id, 'nfl_model_00000000'];
    const { accepted, errors } = await post({ events: ids.map((model_id) => ({ model_id, timing_ms: 1 })) }, {}, narrow);
    expect(accepted).toBe(1);
    expect({ ...errors[1], index: 1 }).toEqual(errors[0]);
  });
});

describe('an Idempotency-Key', () => {
  const single = (model_id: string, query: string, key: string, as = api): Promise<Answer> =>
    as.send(`/registry/${model_id}/inference?${query}`, { method: 'POST', headers: { 'idempotency-key': key } });

  it('lets a single inference be sent again and be counted once', async () => {
    const { model_id } = await api.register();
    const key = randomUUID();
    const answers = await Promise.all(Array.from({ length: 5 }, () => single(model_id, 'timing_ms=5', key)));
    answers.push(await single(model_id, 'timing_ms=5', key));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200]);
    await single(model_id, 'timing_ms=5', randomUUID());
    expect(await counted(model_id, 2)).toMatchObject({ total_inferences: 2 });
  });

  it('lets a batch be sent again, in another order of fields and as NDJSON too', async () => {
    const { model_id } = await api.register();
    const events = Array.from({ length: 120 }, (_, index) => ({ model_id, timing_ms: index === 70 ? -1 : index }));
    const headers = { 'idempotency-key': randomUUID() };
    const first = await post({ events }, headers);
    expect([first.accepted, first.rejected]).toEqual([119, 1]);
    expect(await post({ events: events.map(({ model_id: id, timing_ms }) => ({ timing_ms, model_id: id })) }, headers)).toEqual(first);
    const lines = events.map((event) => JSON.stringify(event)).join('\n');
    expect(await post(lines, { ...headers, 'content-type': 'application/x-ndjson' })).toEqual(first);
    expect(await counted(model_id, 119)).toMatchObject({ total_inferences: 119 });
  });

  it('answers a retry as before although a model has come into being meanwhile', async () => {
    const [{ model_id }, other] = await Promise.all([api.register({ sport: 'NBA' }), api.register({ sport: 'NHL' })]);
    const body = { events: [other.model_id, model_id].map((id) => ({ model_id: id, timing_ms: 1 })) };
    const headers = { 'idempotency-key': randomUUID() };
    const narrow = await suite.withRole('client', { sports: ['NBA'] });
    const first = await post(body, headers, narrow);
    expect(first).toMatchObject({ accepted: 1, errors: [{ index: 0, code: 'MODEL_NOT_FOUND' }] });
    expect(await post(body, headers, narrow)).toEqual(first);
    expect(await counted(model_id, 1)).toMatchObject({ total_inferences: 1 });
  });

  it('is refused for another request, and belongs to its API key and its route', async () => {
    const { model_id } = await api.register();
    const key = randomUUID();
    expect((await single(model_id, 'timing_ms=5', key)).status).toBe(200);
    expect(await single(model_id, 'timing_ms=6', key)).toMatchObject({ status: 409, body: { error: { code: 'IDEMPOTENCY_KEY_REUSED' } } });
    const { model_id: other } = await api.register();
    expect((await single(other, 'timing_ms=5', key)).status).toBe(409);
    expect((await single(model_id, 'timing_ms=6', key, await suite.withRole('client'))).status).toBe(200);
    expect((await post({ events: [{ model_id, timing_ms: 7 }] }, { 'idempotency-key': key })).accepted).toBe(1);
    expect(await counted(model_id, 3)).toMatchObject({ total_inferences: 3 });
    expect(await total(other)).toBe(0);
  });

  it.each(['', 'a b', 'x'.repeat(256), 'ü'])('such as %j is refused by name', async (key) => {
    const { model_id } = await api.register();
    const headers = { 'idempotency-key': Buffer.from(key).toString('latin1') };
    for (const path of [`/registry/${model_id}/inference?timing_ms=1`, '/inference/batch']) {
      const body = path === '/inference/batch' ? { events: [{ model_id, timing_ms: 1 }] } : undefined;
      const failure = await api.failure(path, { method: 'POST', body, headers });
      expect(failure).toMatchObject({ status: 400, code: 'INVALID_INPUT', details: { fields: [{ field: 'Idempotency-Key' }] } });
    }
  });
});

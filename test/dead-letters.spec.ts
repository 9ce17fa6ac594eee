import pg from 'pg';
import { type AuditEntry } from '#contracts/audit.js';
import { type DeadLetter, type Replayed } from '#contracts/dead-letters.js';
import { type Metrics } from '#contracts/metrics.js';
import { type Publisher, publisher } from './publisher.harness.js';
import { type Api, eventually, type ReachableSuite } from './api.harness.js';
import { storySuite } from './story-suite.harness.js';

let suite: ReachableSuite;
let api: Api;
let events: Publisher;
let database: pg.Client;

beforeAll(async () => {
  suite = await storySuite();
  api = suite.api;
  database = new pg.Client({ connectionString: suite.database_url });
  await database.connect();
  events = await publisher(suite.nats_url);
});
afterAll(async () => {
  await events.close();
  await database.end();
});

const total = async (model_id: string): Promise<number> => (await api.data<Metrics>(`/registry/${model_id}/metrics`)).total_inferences;
const replay = (letter_ids: string[]): Promise<Replayed> => api.data('/dead-letters/replay', { method: 'POST', body: { letter_ids } });

describe('events that cannot be counted', () => {
  it('are listed with their place, their reason and themselves', async () => {
    await events.publish({
      events: [{ model_id: 'x', timing_ms: -1 }, { model_id: 'no_such_model', timing_ms: 2, error: 'näh', success: false }, 7],
    });
    await events.publish('not JSON \u0000');
    const letters = await eventually(
      () => api.data<DeadLetter[]>('/dead-letters'),
      ({ length }) => length === 4,
    );
    const seen = letters.map(({ event, model_id, reason, body }) => ({ event, model_id, reason, body })).reverse();
    expect(seen).toEqual([
      { event: 0, model_id: null, reason: expect.stringContaining('timing_ms') as string, body: '{"model_id":"x","timing_ms":-1}' },
      { event: 2, model_id: null, reason: expect.stringContaining('object') as string, body: '7' },
      {
        event: 1,
        model_id: 'no_such_model',
        reason: 'model_id; there is no model no_such_model',
        body: expect.stringContaining('näh') as string,
      },
      { event: -1, model_id: null, reason: expect.stringContaining('JSON') as string, body: 'not JSON \ufffd' },
    ]);
    expect(await api.data<DeadLetter[]>('/dead-letters?model_id=no_such_model')).toHaveLength(1);
    const first = await api.envelope<DeadLetter[]>('/dead-letters?limit=3');
    const rest = await api.envelope<DeadLetter[]>(`/dead-letters?limit=3&cursor=${first.page?.next_cursor}`);
    expect([...first.data, ...rest.data]).toEqual(letters);
  });

  it('are counted when they are replayed once their model is there, once, at their own time, and with an audit', async () => {
    const { model_id } = await api.register();
    const occurred_at = new Date(Date.now() - 3_600_000).toISOString();
    await events.publish({ events: [{ model_id: 'not_yet', timing_ms: 11, occurred_at }] });
    const [letter] = await eventually(
      () => api.data<DeadLetter[]>('/dead-letters?model_id=not_yet'),
      ({ length }) => length === 1,
    );
    const { letter_id } = letter!;
    expect(await replay([letter_id])).toEqual({ replayed: 0, refused: [{ letter_id, reason: 'model_id; there is no model not_yet' }] });
    // The registry alone makes ids: this one stands for a model that was registered a moment too late.
    await database.query(
      'UPDATE metrics.dead_letter SET body = convert_to(replace(convert_from(body, $2), $3, $4), $2) WHERE letter_id = $1',
      [letter_id, 'UTF8', 'not_yet', model_id],
    );
    const racing = await Promise.all([replay([letter_id]), replay([letter_id, letter_id]), replay([letter_id])]);
    expect(racing.reduce((sum, { replayed }) => sum + replayed, 0)).toBe(1);
    expect(await total(model_id)).toBe(1);
    expect(await api.data(`/registry/${model_id}/metrics?window=30m`)).toMatchObject({ total_inferences: 0 });
    expect(await api.data<DeadLetter[]>('/dead-letters?model_id=not_yet')).toEqual([]);
    const [entry] = await api.data<AuditEntry[]>(`/audit?subject_id=${letter_id}`);
    expect(entry).toMatchObject({ action: 'dead_letter.replayed', actor: 'bootstrap', after: null, before: { letter_id } });
  });
});

describe('events with an id of their own', () => {
  it('are counted once, in one message or in several, whoever publishes them', async () => {
    const [{ model_id }, other] = [await api.register(), await api.register()];
    const event = { model_id, timing_ms: 1, event_id: 'order 66' };
    await events.publish({ events: [event, event, { ...event, event_id: 'order 67' }] });
    await events.publish(event);
    const second = await publisher(suite.nats_url);
    await second.publish({ events: [event, { model_id, timing_ms: 3 }, { ...event, model_id: other.model_id }] });
    await second.close();
    await eventually(
      () => total(other.model_id),
      (counted) => counted === 1,
    );
    expect(await total(model_id)).toBe(3);
  });
});

import { jetstream } from '@nats-io/jetstream';
import { headers as createHeaders } from '@nats-io/transport-node';
import { inferenceStream } from '#contracts/inference.js';
import { type Metrics } from '#contracts/metrics.js';
import { FaultSuite } from './fault-suite.harness.js';
import { lastingMs, Random, seed, sleep, timeoutMs } from './seed.harness.js';
import { Traffic, windowsOf } from './traffic.harness.js';

let suite: FaultSuite;
let traffic: Traffic | undefined;

beforeAll(async () => {
  suite = await FaultSuite.start({ replicas: ['metrics'] });
}, 60_000);
afterAll(() => suite?.close());
afterEach(async () => {
  await traffic?.stop();
  traffic = undefined;
});

const year = 365 * 24 * 60 * 60_000;
const bytes = (text: string): Buffer => Buffer.from(text, 'utf8');

/** Messages of which nothing may be counted, by what is wrong with them. */
function poison(model_id: string): Record<string, Buffer> {
  const event = (fields: string): Buffer => bytes(`{"model_id":"${model_id}",${fields}}`);
  return {
    'no bytes': Buffer.alloc(0),
    'truncated JSON': bytes(`{"model_id":"${model_id}","timing_ms":1`),
    'a list cut off': bytes(`{"events":[{"model_id":"${model_id}","timing_ms":1},`),
    'the most that NATS carries': Buffer.alloc(1024 * 1024 - 300, ' '),
    'an event and much too much room': Buffer.concat([event('"timing_ms":1'), Buffer.alloc(1024 * 1024 - 500, ' ')]),
    'invalid UTF-8': Buffer.concat([bytes(`{"model_id":"${model_id}","timing_ms":1,"error":"`), Buffer.from([0xc3, 0x28]), bytes('"}')]),
    'a model that does not exist': bytes('{"model_id":"mlb_model_00000000","timing_ms":1}'),
    'NaN as text JSON does not know': event('"timing_ms":NaN'),
    'NaN as a string': event('"timing_ms":"NaN"'),
    'a negative timing': event('"timing_ms":-1'),
    'a timing of 1e308': event('"timing_ms":1e308'),
    'a timing beyond all numbers': event('"timing_ms":1e999'),
    'lists in lists': bytes('['.repeat(200_000)),
    'objects in objects': bytes(`${'{"events":['.repeat(20_000)}${']}'.repeat(20_000)}`),
    'a prototype instead of fields': bytes(`{"__proto__":{"model_id":"${model_id}","timing_ms":1}}`),
    'a constructor instead of fields': bytes(`{"constructor":{"prototype":{"model_id":"${model_id}","timing_ms":1}}}`),
    'a time of no calendar': event('"timing_ms":1,"occurred_at":"2025-02-30T00:00:00Z"'),
    'a batch of none': bytes('{"events":[]}'),
    'a batch of too many': bytes(`{"events":[${'{},'.repeat(100_000)}{}]}`),
  };
}

const lasting = 3;

it(
  `poison among good messages, with seed ${seed}: each is a dead letter once, though sent and stored twice, and holds up nothing`,
  async () => {
    const random = new Random(seed, 'poison');
    traffic = await Traffic.start(suite, { random, lasting_ms: lastingMs(lasting) });
    const [model_id] = (await suite.models(1)) as [string];
    const all = Object.entries(poison(model_id));
    const order = all.map((_, index) => ({ index, at: random.next() })).sort((a, b) => a.at - b.at);
    const js = jetstream(suite.connection);
    for (const numbered of [true, false]) {
      for (const { index } of order) {
        await sleep(lastingMs(lasting) / (2 * all.length));
        const headers = createHeaders();
        if (numbered) {
          headers.set(inferenceStream.producerHeader, 'poisoner');
          headers.set(inferenceStream.sequenceHeader, String(index));
        }
        await js.publish(inferenceStream.subject, all[index]![1], { headers });
        // Without a message id JetStream stores it a second time, as after an outage longer than its memory.
        if (numbered) await js.publish(inferenceStream.subject, all[index]![1], { headers });
      }
    }
    await traffic.finish();
    expect(await traffic.findings()).toEqual([]);

    const letters = await suite.rows<{ source: string; sequence: number; body: Buffer }>(
      'SELECT source, sequence::float8 AS sequence, body FROM metrics.dead_letter',
    );
    const numbered = letters.filter(({ source }) => source === 'poisoner').map(({ sequence }) => sequence);
    expect(numbered.sort((a, b) => a - b)).toEqual(all.map((_, index) => index));
    // Known by their bytes, of which at least the first 4,096 are kept.
    const start = (body: Uint8Array): string => Buffer.from(body).subarray(0, 4_096).toString('latin1');
    const unnumbered = letters.filter(({ source }) => source !== 'poisoner').map(({ body }) => start(body));
    expect(unnumbered.sort()).toEqual(all.map(([, body]) => start(body)).sort());
    expect(await windowsOf(suite, [model_id])).toEqual([]);
    const pollution = {} as { model_id?: unknown };
    expect(pollution.model_id).toBeUndefined();
  },
  timeoutMs(lasting),
);

it('a clock that runs ten years ahead or behind counts as now, and what is only strange is counted as it stands', async () => {
  const [model_id] = (await suite.models(1)) as [string];
  const began = Date.now();
  const strange = [
    { occurred_at: new Date(began + 10 * year).toISOString() },
    { occurred_at: new Date(began - 10 * year).toISOString() },
    { occurred_at: '9999-12-31T23:59:59Z' },
    { occurred_at: '0001-01-01T00:00:00Z' },
    { success: false, error: '\u0000\u0007' },
    { success: false, error: '☃'.repeat(10_000) },
    { success: false, error_type: '__proto__' },
  ].map((fields) => JSON.stringify({ model_id, timing_ms: 1, ...fields }));
  const nested = `{"model_id":"${model_id}","timing_ms":1,"unknown":${'['.repeat(1_000)}${']'.repeat(1_000)},"__proto__":{"timing_ms":-1}}`;
  const js = jetstream(suite.connection);
  for (const body of [...strange, nested]) await js.publish(inferenceStream.subject, body);
  await suite.lagIsZero();
  const metrics = await suite.api.data<Metrics>(`/registry/${model_id}/metrics`);
  expect(metrics).toMatchObject({ total_inferences: 8, failed_inferences: 3 });
  expect(Object.values(metrics.error_types).reduce((a, b) => a + b)).toBe(3);
  const last = Date.parse(metrics.last_updated);
  expect(last).toBeGreaterThanOrEqual(began - 1_000);
  expect(last).toBeLessThanOrEqual(Date.now());
  const minutes = await suite.rows<{ window_start: Date }>(
    "SELECT window_start FROM metrics.model_window WHERE model_id = $1 AND period = 'minute' AND flag_key = '' AND variant = ''",
    [model_id],
  );
  for (const { window_start } of minutes) {
    expect(window_start.getTime()).toBeGreaterThan(began - 120_000);
    expect(window_start.getTime()).toBeLessThanOrEqual(Date.now());
  }
  expect(await suite.rows('SELECT FROM metrics.dead_letter WHERE position($1 in encode(body, $2)) > 0', [model_id, 'escape'])).toEqual([]);
}, 60_000);

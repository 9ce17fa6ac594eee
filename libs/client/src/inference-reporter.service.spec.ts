import { DiscardPolicy, jetstreamManager } from '@nats-io/jetstream';
import { type NatsConnection } from '@nats-io/transport-node';
import { connectTo, ownNats, type OwnNats } from '#testing/nats.js';
import { NotStoredError } from './ack-window.js';
import { InvalidEventError } from './inference-event.js';
import { InferenceReporter, type InferenceReporterOptions } from './inference-reporter.js';

const stream = 'EMR_EVENTS';
let nats: OwnNats;
let connection: NatsConnection;
let reporters: InferenceReporter[] = [];

beforeEach(async () => {
  nats = await ownNats();
  connection = await connectTo(nats.url, { maxReconnectAttempts: -1, reconnectTimeWait: 100 });
});
afterEach(async () => {
  await Promise.all(reporters.map((reporter) => reporter.close(0)));
  reporters = [];
  await connection.close();
  await nats.stop();
});

const makeStream = async (max_msgs = -1): Promise<void> => {
  const { streams } = await jetstreamManager(connection);
  await streams.add({ name: stream, subjects: ['emr.ev.>'], discard: DiscardPolicy.New, max_msgs });
};

const reporterOf = (options: Partial<InferenceReporterOptions> = {}): InferenceReporter => {
  const reporter = new InferenceReporter({ url: nats.url, ...options });
  reporters.push(reporter);
  return reporter;
};

interface Sent {
  model_id: string;
  timing_ms: number;
  success?: boolean;
  error?: string;
  occurred_at: string;
}

/** The events of each message on the stream. */
async function messages(): Promise<Sent[][]> {
  const { streams } = await jetstreamManager(connection);
  const { state } = await streams.info(stream);
  const found: Sent[][] = [];
  for (let seq = 1; seq <= state.last_seq; seq++) {
    const body = (await streams.getMessage(stream, { seq }))!.json<Sent | { events: Sent[] }>();
    found.push('events' in body ? body.events : [body]);
  }
  return found;
}

const balanced = (reporter: InferenceReporter): void => {
  const { reported, acked, rejected, dropped, pending } = reporter.stats();
  expect(acked + rejected + dropped + pending).toBe(reported);
};

const event = { model_id: 'mlb_model_a1b2c3d4', timing_ms: 5 };

describe('InferenceReporter', () => {
  it('puts events that come together into few messages, each with its time', async () => {
    await makeStream();
    const reporter = reporterOf();
    const before = Date.now();
    await Promise.all(Array.from({ length: 1_200 }, (_, index) => reporter.report({ ...event, timing_ms: index })));
    const sent = await messages();
    expect(sent.map(({ length }) => length).every((length) => length <= 500)).toBe(true);
    expect(sent.length).toBeLessThan(10);
    expect(sent.flat().map(({ timing_ms }) => timing_ms)).toEqual(Array.from({ length: 1_200 }, (_, index) => index));
    for (const { occurred_at } of sent.flat()) expect(Date.parse(occurred_at)).toBeGreaterThanOrEqual(before);
    expect(reporter.stats()).toMatchObject({ reported: 1_200, acked: 1_200, pending: 0, connected: true, last_error: null });
  });

  it('keeps messages below 64 KiB', async () => {
    await makeStream();
    const reporter = reporterOf();
    const long = { ...event, success: false, error: 'é'.repeat(600) };
    await Promise.all(Array.from({ length: 300 }, () => reporter.report(long)));
    const sizes = (await messages()).map((events) => Buffer.byteLength(JSON.stringify({ events })));
    expect(Math.max(...sizes)).toBeLessThanOrEqual(64 * 1024);
    expect(sizes.length).toBeLessThan(10);
  });

  it('measures a call: its time, its success, or its error by class and message; and is transparent to it', async () => {
    await makeStream();
    const reporter = reporterOf();
    class ModelOverloaded extends Error {}
    const slow = (): Promise<string> => new Promise((resolve) => setTimeout(() => resolve('answer'), 30));
    expect(await reporter.measure('a', slow)).toBe('answer');
    expect(await reporter.measure('b', () => 7, { flag_key: 'f', variant: 'on' })).toBe(7);
    const failure = new ModelOverloaded('queue is full');
    await expect(
      reporter.measure('c', () => {
        throw failure;
      }),
    ).rejects.toBe(failure);
    await expect(reporter.measure('d', () => Promise.reject(new TypeError('fetch failed')))).rejects.toThrow('fetch failed');
    // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- whatever is thrown
    await expect(reporter.measure('e', () => Promise.reject(Object.create(null)))).rejects.toBeDefined();
    expect(await reporter.measure('NOT A MODEL', () => 'still answered')).toBe('still answered');
    await reporter.flush();
    const sent = (await messages()).flat();
    expect(sent).toMatchObject([
      { model_id: 'a', success: true },
      { model_id: 'b', success: true, flag_key: 'f', variant: 'on' },
      { model_id: 'c', success: false, error: 'ModelOverloaded: queue is full' },
      { model_id: 'd', success: false, error: 'TypeError: fetch failed' },
      { model_id: 'e', success: false, error: 'an error without a text' },
    ]);
    expect(sent[0]!.timing_ms).toBeGreaterThan(28);
    expect(sent[0]!.timing_ms).toBeLessThan(500);
    expect(reporter.stats()).toMatchObject({ reported: 6, acked: 5, rejected: 1 });
  });

  it('refuses an invalid event by its field, and counts it', async () => {
    await makeStream();
    const reporter = reporterOf();
    await expect(reporter.report({ ...event, timing_ms: NaN })).rejects.toMatchObject({ name: 'InvalidEventError', field: 'timing_ms' });
    await expect(reporter.report({ ...event, model_id: 'X' })).rejects.toBeInstanceOf(InvalidEventError);
    expect(reporter.offer({ ...event, timing_ms: -1 })).toBe(false);
    expect(reporter.stats()).toMatchObject({
      reported: 3,
      rejected: 3,
      pending: 0,
      last_error: expect.stringContaining('timing_ms') as string,
    });
  });

  it('holds no more than max_pending: report waits, offer drops and counts', async () => {
    const reporter = reporterOf({ max_pending: 100 });
    // There is no stream yet: nothing is acknowledged.
    const reports = Array.from({ length: 250 }, () => reporter.report(event));
    expect(reporter.stats()).toMatchObject({ reported: 100, pending: 100, waiting: 150 });
    expect(Array.from({ length: 30 }, () => reporter.offer(event))).toEqual(new Array(30).fill(false));
    expect(reporter.stats()).toMatchObject({ reported: 130, dropped: 30, pending: 100 });
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, reporter.stats().pending)), 1);
    await makeStream();
    await Promise.all(reports);
    clearInterval(watch);
    expect(most).toBeLessThanOrEqual(100);
    expect(reporter.stats()).toMatchObject({ reported: 280, acked: 250, dropped: 30, pending: 0, waiting: 0 });
    expect((await messages()).flat()).toHaveLength(250);
  });

  it('counts what a full stream refuses as rejected, and goes on when there is room', async () => {
    await makeStream(1);
    const reporter = reporterOf({ linger_ms: 0 });
    await reporter.report(event);
    await expect(reporter.report(event)).rejects.toMatchObject({ name: 'NotStoredError', reason: 'refused', stored: 'no' });
    // Nobody waits for this one: it ends no process.
    void reporter.report(event);
    await reporter.flush();
    expect(reporter.stats()).toMatchObject({ reported: 3, acked: 1, rejected: 2, pending: 0 });
    const { streams } = await jetstreamManager(connection);
    await streams.purge(stream);
    await reporter.report(event);
    balanced(reporter);
  });

  it('can be used before NATS is there', async () => {
    await makeStream();
    await nats.kill();
    const reporter = reporterOf();
    const reports = Array.from({ length: 20 }, () => reporter.report(event));
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(reporter.stats()).toMatchObject({ pending: 20, connected: false, last_error: expect.any(String) as string });
    await nats.restart();
    await Promise.all(reports);
    expect((await messages()).flat()).toHaveLength(20);
  }, 30_000);

  it('sends what is in memory when it closes, and takes nothing afterwards', async () => {
    await makeStream();
    const reporter = reporterOf({ linger_ms: 60_000 });
    for (let index = 0; index < 700; index++) reporter.offer(event);
    const stats = await reporter.close();
    expect(stats).toMatchObject({ reported: 700, acked: 700, pending: 0 });
    expect((await messages()).flat()).toHaveLength(700);
    expect(reporter.offer(event)).toBe(false);
    await expect(reporter.report(event)).rejects.toBeInstanceOf(NotStoredError);
    expect(reporter.stats()).toMatchObject({ reported: 702, dropped: 2 });
    expect(await reporter.close()).toBe(stats);
  });

  it('closes by its deadline also while NATS is away, and counts what it could not send', async () => {
    await makeStream();
    const [connected, never] = [reporterOf(), reporterOf({ url: 'nats://127.0.0.1:1', max_pending: 10 })];
    await connected.report(event);
    await nats.kill();
    for (let index = 0; index < 5; index++) connected.offer(event);
    const waiting = Promise.allSettled(Array.from({ length: 15 }, () => never.report(event)));
    const began = performance.now();
    expect(await connected.close(300)).toMatchObject({ reported: 6, acked: 1, rejected: 5, pending: 0 });
    expect(await never.close(300)).toMatchObject({ reported: 15, rejected: 10, dropped: 5, pending: 0, waiting: 0 });
    expect(performance.now() - began).toBeLessThan(2_000);
    expect((await waiting).every(({ status }) => status === 'rejected')).toBe(true);
  }, 30_000);
});

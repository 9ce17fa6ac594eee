import { type Arms, getTick, type Metrics, type Series, type Tick } from '#contracts/metrics.js';
import { type Model } from '#contracts/registry.js';
import { Bus } from '#runtime/bus.js';
import { system } from '#runtime/caller.js';
import { Logger } from '#runtime/logger.js';
import { Nats } from '#runtime/nats.js';
import { Telemetry } from '#runtime/telemetry.js';
import { Sketch } from '#statistics/sketch.js';
import { publisher } from './publisher.harness.js';
import { type Api, eventually } from './api.harness.js';
import { TestSuite } from './suite.harness.js';

let suite: TestSuite;
let api: Api;
let events: Awaited<ReturnType<typeof publisher>>;

beforeAll(async () => {
  suite = await TestSuite.start();
  api = suite.api;
  events = await publisher(suite.nats_url);
});
afterAll(async () => {
  await events.close();
  await suite.close();
});

const minutesAgo = (minutes: number): string => new Date(Date.now() - minutes * 60_000).toISOString();
const hoursAgo = (hours: number): string => minutesAgo(60 * hours);

const counted = (model: Model, total: number): Promise<Metrics> =>
  eventually(
    () => api.data<Metrics>(`/registry/${model.model_id}/metrics`),
    ({ total_inferences }) => total_inferences >= total,
    15_000,
  );

const metrics = (model: Model, query: string): Promise<Metrics> => api.data<Metrics>(`/registry/${model.model_id}/metrics?${query}`);

describe('metrics of a window', () => {
  it('hold what occurred in it, with percentiles of the merged sketches and not of other percentiles', async () => {
    const model = await api.register();
    const { model_id } = model;
    const old = Array.from({ length: 90 }, (_, index) => ({ model_id, timing_ms: 1_000 + index, occurred_at: minutesAgo(120) }));
    const fresh = Array.from({ length: 10 }, (_, index) => ({
      model_id,
      timing_ms: 1 + index,
      success: index > 0,
      occurred_at: minutesAgo(3),
    }));
    await events.publish({ events: [...old, ...fresh] });
    const lifetime = await counted(model, 100);
    expect(lifetime.range).toBeNull();

    const recent = await metrics(model, 'window=15m');
    expect(recent).toMatchObject({
      total_inferences: 10,
      failed_inferences: 1,
      min_timing_ms: 1,
      max_timing_ms: 10,
      error_types: { unknown_error: 1 },
    });
    expect(recent.range?.resolution).toBe('minute');
    expect(recent.percentiles.p50).toBeCloseTo(5, 0);
    const day = await metrics(model, 'window=24h');
    expect(day).toMatchObject({ total_inferences: 100, min_timing_ms: 1, max_timing_ms: 1_089 });
    // Exact nearest ranks of all 100: the 50th and the 95th.
    expect(Math.abs(day.percentiles.p50 / 1_039 - 1)).toBeLessThanOrEqual(0.01);
    expect(Math.abs(day.percentiles.p95 / 1_084 - 1)).toBeLessThanOrEqual(0.01);
    expect(await metrics(model, `from=${minutesAgo(180)}&to=${minutesAgo(60)}`)).toMatchObject({ total_inferences: 90 });
    expect(await metrics(model, 'window=30d')).toMatchObject({ total_inferences: 100, range: { resolution: 'hour' } });
    expect(await metrics(model, `from=${minutesAgo(59)}&to=${minutesAgo(30)}`)).toMatchObject({ total_inferences: 0, success_rate: 0 });
  });

  it('count a late event where it occurred, and one that is too late or ahead of time as of now', async () => {
    const model = await api.register();
    const { model_id } = model;
    await events.publish({
      events: [hoursAgo(47), hoursAgo(49), minutesAgo(-600), '1970-01-01T00:00:00Z', '9999-12-31T23:59:59Z'].map((occurred_at) => ({
        model_id,
        timing_ms: 5,
        occurred_at,
      })),
    });
    await counted(model, 5);
    expect(await metrics(model, 'window=5m')).toMatchObject({ total_inferences: 4 });
    expect(await metrics(model, `from=${hoursAgo(47.5)}&to=${hoursAgo(46.5)}`)).toMatchObject({ total_inferences: 1 });
  });
});

describe('a series', () => {
  it('has one point a step, which add up to the window', async () => {
    const model = await api.register();
    const { model_id } = model;
    const occurrences = [1, 1, 2, 7, 20, 21, 22, 59];
    await events.publish({ events: occurrences.map((minutes) => ({ model_id, timing_ms: minutes, occurred_at: minutesAgo(minutes) })) });
    await counted(model, occurrences.length);
    const series = await api.data<Series>(`/registry/${model_id}/metrics/series?window=2h&step=5m`);
    expect(series.step).toBe('5m');
    expect(series.points.reduce((sum, { total_inferences }) => sum + total_inferences, 0)).toBe(occurrences.length);
    expect([...series.points].sort((a, b) => (a.from < b.from ? -1 : 1))).toEqual(series.points);
    expect(series.points.every(({ from }) => Date.parse(from) % 300_000 === 0)).toBe(true);
    expect((await api.data<Series>(`/registry/${model_id}/metrics/series`)).range.resolution).toBe('minute');
    expect(await api.failure(`/registry/${model_id}/metrics/series?window=30d&step=1m`)).toMatchObject({
      status: 400,
      code: 'INVALID_INPUT',
    });
  });
});

describe('arms', () => {
  it('are counted beside their model, can be told apart, and stay within their bound', async () => {
    const model = await api.register();
    const { model_id } = model;
    const of = (variant: string, count: number, success: boolean) =>
      Array.from({ length: count }, () => ({ model_id, timing_ms: success ? 10 : 500, success, flag_key: 'props', variant }));
    await events.publish({ events: [...of('canary', 30, false), ...of('stable', 70, true), { model_id, timing_ms: 1 }] });
    await counted(model, 101);
    expect(await metrics(model, 'flag_key=props&variant=canary')).toMatchObject({ total_inferences: 30, success_rate: 0 });
    const { arms } = await api.data<Arms>(`/registry/${model_id}/metrics/arms?flag_key=props`);
    expect(arms.map(({ variant, total_inferences }) => [variant, total_inferences])).toEqual([
      ['canary', 30],
      ['stable', 70],
    ]);
    expect(await api.failure(`/registry/${model_id}/metrics?variant=canary`)).toMatchObject({ code: 'INVALID_INPUT' });

    for (let batch = 0; batch < 3; batch++)
      await events.publish({ events: Array.from({ length: 50 }, (_, index) => of(`v${batch * 50 + index}`, 1, true)[0]!) });
    await counted(model, 251);
    const all = await api.data<Arms>(`/registry/${model_id}/metrics/arms`);
    expect(all.arms).toHaveLength(51);
    expect(all.arms.find(({ variant }) => variant === 'other')?.total_inferences).toBe(102);
  });

  it('are told as counters and sketches whose differences are what came in between', async () => {
    const [one, two] = [await api.register(), await api.register()];
    const asFlags = { NATS_URL: suite.nats_urls.flags, NATS_REPLICAS: 1 };
    const nats = await Nats.connect('flags', asFlags, Logger.create('test', 'silent'));
    const bus = new Bus(nats, new Telemetry('test'));
    const tick = (): Promise<Tick> => bus.ask(getTick, { flag_key: 'ticking', model_ids: [one.model_id, two.model_id] }, system('test'));
    const send = (model: Model, variant: string, timings: number[]): Promise<void> =>
      events.publish({ events: timings.map((timing_ms) => ({ model_id: model.model_id, timing_ms, flag_key: 'ticking', variant })) });
    await send(one, 'stable', [10, 20]);
    await send(two, 'canary', [30]);
    await Promise.all([counted(one, 2), counted(two, 1)]);
    const first = await tick();
    await send(one, 'stable', [10, 40, 40]);
    await counted(one, 5);
    const second = await tick();
    await nats.close();
    const armOf = ({ arms }: Tick, model: Model, flag_key: string) =>
      arms.find((arm) => arm.model_id === model.model_id && arm.flag_key === flag_key)!;
    expect(second.arms).toHaveLength(4);
    for (const flag_key of ['ticking', '']) {
      const [before, after] = [armOf(first, one, flag_key), armOf(second, one, flag_key)];
      expect(after.total_inferences - before.total_inferences).toBe(3);
      const delta = Sketch.parse(Buffer.from(after.sketch, 'base64')).minus(Sketch.parse(Buffer.from(before.sketch, 'base64')));
      const expected = new Sketch();
      for (const timing of [10, 40, 40]) expected.add(timing);
      expect(delta.bins()).toEqual(expected.bins());
    }
    expect(armOf(second, two, 'ticking')).toEqual(armOf(first, two, 'ticking'));
  });
});

import { type DataSource } from 'typeorm';
import { openDatabase } from '#runtime/database.module.js';
import { Sketch } from '#statistics/sketch.js';
import { createDatabase, type TestDatabase } from '#testing/database.js';
import { metricsSchema } from '../metrics.module.js';
import { hourMs, minuteMs, sumsOf, Tally } from '../windows/tally.js';
import { FoldStore } from '../windows/fold.store.js';
import { WindowSums } from '../windows/window-sums.store.js';
import { RecentWindowsStore } from './recent-windows.store.js';
import { quantileOf } from './stretch.js';

interface Inference {
  at_ms: number;
  timing_ms: number;
  success: boolean;
}

const midnight = Date.parse('2026-03-20T00:00:00Z');
let test: TestDatabase;
let database: DataSource;

beforeAll(async () => {
  test = await createDatabase();
  database = await openDatabase(metricsSchema, { DATABASE_URL: test.url, DATABASE_POOL_SIZE: 2 });
});
afterAll(async () => {
  await database.destroy();
  await test.drop();
});

const query = <Row>(sql: string, parameters: unknown[]): Promise<Row[]> => database.query<Row[]>(sql, parameters);

async function count(model_id: string, inferences: Inference[]): Promise<void> {
  const tally = new Tally();
  for (const { at_ms, ...inference } of inferences) tally.add({ model_id, ...inference, occurred_at_ms: at_ms }, at_ms);
  await new WindowSums().addMinutes(query, sumsOf(tally));
}

/** One every seven minutes, each slower than the one before; every fifth failed. */
const every7Minutes = (from_ms: number, to_ms: number): Inference[] =>
  Array.from({ length: Math.ceil((to_ms - from_ms) / (7 * minuteMs)) }, (_, index) => ({
    at_ms: from_ms + index * 7 * minuteMs,
    timing_ms: 10 + index,
    success: index % 5 > 0,
  }));

describe('the baseline', () => {
  const began = midnight - 30 * hourMs;
  const inferences = every7Minutes(began, midnight + 18 * hourMs);

  beforeAll(async () => {
    await count('old', inferences);
    // What is later is still in minutes alone, in the middle of an hour of the baseline.
    await new FoldStore(database).fold(midnight + 7.5 * hourMs);
    // Its first hour is a whole one of the baseline, and it began in the middle of it.
    await count('young', every7Minutes(midnight + 8 * hourMs + 23 * minuteMs, midnight + 18 * hourMs));
  });

  it.each([
    ['in the middle of an hour', midnight + 15 * hourMs + 37 * minuteMs + 12_345, 15],
    ['at a whole hour', midnight + 15 * hourMs, 60],
    ['a minute after a whole hour', midnight + 15 * hourMs + minuteMs, 15],
    ['a minute before a whole hour', midnight + 15 * hourMs - 1, 1],
  ])('is of exactly the 24 hours before the window, read %s', async (_, now, minutes) => {
    const to = (Math.floor(now / minuteMs) - minutes) * minuteMs;
    const from = to - 24 * hourMs;
    const wanted = inferences.filter(({ at_ms }) => at_ms >= from && at_ms < to);
    const timings = wanted.map(({ timing_ms }) => timing_ms);
    const sketch = new Sketch();
    for (const timing of timings) sketch.add(timing);
    const first = Math.floor(wanted[0]!.at_ms / minuteMs) * minuteMs;

    const day = (await new RecentWindowsStore().baseline(database.manager, ['old', 'young', 'none'], minutes, now)).get('old')!;
    expect(day).toMatchObject({
      minutes: (to - first) / minuteMs,
      total: wanted.length,
      successful: wanted.filter(({ success }) => success).length,
      sum_ms: timings.reduce((sum, timing) => sum + timing, 0),
      min_ms: Math.min(...timings),
      max_ms: Math.max(...timings),
    });
    expect(wanted.length).toBeGreaterThan(200);
    for (const q of [0.5, 0.95, 0.99]) expect(quantileOf(day, q)).toBe(sketch.quantile(q, Math.min(...timings), Math.max(...timings)));
  });

  it('of a younger model begins with the minute of its first inference, and of none is empty', async () => {
    const days = await new RecentWindowsStore().baseline(database.manager, ['young', 'none'], 15, midnight + 15 * hourMs + 37 * minuteMs);
    expect(days.get('young')).toMatchObject({ minutes: 7 * 60 - 1, total: 60, min_ms: 10, max_ms: 69 });
    expect(days.get('none')).toMatchObject({ minutes: 24 * 60, total: 0, min_ms: null });
  });

  it('reads 23 hours and 60 minutes of a model, also where it has inferences in every minute', async () => {
    const asked: number[] = [];
    const manager = {
      query: async (sql: string, parameters: unknown[]) => {
        const rows = await query(sql, parameters);
        asked.push(rows.length);
        return rows;
      },
    } as unknown as typeof database.manager;
    const now = midnight + 15 * hourMs + 37 * minuteMs;
    await count(
      'busy',
      Array.from({ length: 26 * 60 }, (_, index) => ({ at_ms: now - index * minuteMs, timing_ms: 5, success: true })),
    );
    await new FoldStore(database).fold(now);
    const days = await new RecentWindowsStore().baseline(manager, ['busy'], 15, now);
    expect(days.get('busy')).toMatchObject({ minutes: 24 * 60, total: 24 * 60 });
    expect(asked).toEqual([23 + 60, 1]);
  });
});

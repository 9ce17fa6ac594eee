import { type DataSource } from 'typeorm';
import { openDatabase } from '#runtime/database.module.js';
import { createDatabase, type TestDatabase } from '#testing/database.js';
import { metricsSchema } from '../metrics.module.js';
import { DaysStore } from './days.store.js';
import { FoldStore } from './fold.store.js';
import { ModelWindowEntity } from './model-window.entity.js';
import { Summary } from './summary.js';
import { type Arm, hourMs, sumsOf, Tally } from './tally.js';
import { dayMs } from './time-range.js';
import { WindowSums } from './window-sums.store.js';

const now = Date.parse('2026-03-20T15:30:00Z');
const today = Date.parse('2026-03-20T00:00:00Z');
let test: TestDatabase;
let database: DataSource;

beforeAll(async () => {
  test = await createDatabase();
  database = await openDatabase(metricsSchema, { DATABASE_URL: test.url, DATABASE_POOL_SIZE: 4 });
});
afterAll(async () => {
  await database.destroy();
  await test.drop();
});

/** Three inferences in each hour of the last `days` days, one of them by an arm. */
async function fill(model_id: string, days: number): Promise<void> {
  for (let at = today - days * dayMs; at < now; at += hourMs) {
    const tally = new Tally();
    const hour = (at - today) / hourMs;
    for (const [index, arm] of [{}, {}, { flag_key: 'f', variant: 'v' }].entries()) {
      tally.add({ model_id, timing_ms: 100 + Math.abs(hour) + index, success: index > 0, occurred_at_ms: at, ...arm }, at);
    }
    const query = <Row>(sql: string, parameters: unknown[]): Promise<Row[]> => database.query<Row[]>(sql, parameters);
    await new WindowSums().addMinutes(query, sumsOf(tally));
  }
}

const rows = (arm: Arm, period: 'hour' | 'day'): Promise<ModelWindowEntity[]> =>
  database.getRepository(ModelWindowEntity).find({ where: { ...arm, period }, order: { window_start: 'ASC' } });

const whole = async (arm: Arm): Promise<object> => {
  const summary = Summary.of([...(await rows(arm, 'hour')), ...(await rows(arm, 'day'))]);
  return { ...summary.figures(), bins: summary.sketch.bins(), last: summary.last_occurred_at };
};

it('makes days of hours beyond the retention, arm by arm, once, and loses nothing', async () => {
  const arms: Arm[] = [
    { model_id: 'short', flag_key: '', variant: '' },
    { model_id: 'short', flag_key: 'f', variant: 'v' },
    { model_id: 'long', flag_key: '', variant: '' },
  ];
  await Promise.all([fill('short', 12), fill('long', 12)]);
  await new FoldStore(database).fold(now + hourMs);
  const before = await Promise.all(arms.map(whole));
  const store = new DaysStore(database);
  const models = [
    { model_id: 'short', retention_days: 1 },
    { model_id: 'long', retention_days: 10 },
  ];
  const folded = await Promise.all([store.fold(models, now), store.fold(models, now), store.fold(models, now)]);
  // 12 days less the 3 that are always kept, of two arms; 12 less 10, of two arms.
  expect(folded.reduce((sum, days) => sum + days)).toBe(2 * 9 + 2 * 2);
  expect(await store.fold(models, now)).toBe(0);

  expect(await Promise.all(arms.map(whole))).toEqual(before);
  const [days, hours] = [await rows(arms[0]!, 'day'), await rows(arms[0]!, 'hour')];
  expect(days.map(({ window_start, total }) => [Date.parse(window_start), total])).toEqual(
    Array.from({ length: 9 }, (_, index) => [today - (12 - index) * dayMs, 24 * 3]),
  );
  expect(Date.parse(hours[0]!.window_start)).toBe(today - 3 * dayMs);
  expect(await rows(arms[2]!, 'day')).toHaveLength(2);
});

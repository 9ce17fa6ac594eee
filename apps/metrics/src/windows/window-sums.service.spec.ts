import { type DataSource } from 'typeorm';
import { openDatabase } from '#runtime/database.module.js';
import { createDatabase, type TestDatabase } from '#testing/database.js';
import { metricsSchema } from '../metrics.module.js';
import { ModelWindowEntity } from './model-window.entity.js';
import { Summary } from './summary.js';
import { sumsOf, Tally } from './tally.js';
import { WindowSums } from './window-sums.store.js';

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

it('of replicas that add to the same windows at once keeps what each has added', async () => {
  const now = Date.parse('2026-03-20T15:30:00Z');
  const models = Array.from({ length: 5 }, (_, index) => `model_${index}`);
  const replica = async (number: number): Promise<void> => {
    const windows = new WindowSums();
    for (let batch = 0; batch < 40; batch++) {
      const tally = new Tally();
      for (const model_id of models)
        tally.add({ model_id, timing_ms: 100 + batch, success: false, error: `replica ${number}`, occurred_at_ms: now }, now);
      await database.transaction(async (manager) => {
        const query = <Row>(sql: string, parameters: unknown[]): Promise<Row[]> => manager.query<Row[]>(sql, parameters);
        windows.remember(await windows.addMinutes(query, sumsOf(tally)));
      });
    }
  };
  await Promise.all([replica(1), replica(2), replica(3)]);
  const rows = await database.getRepository(ModelWindowEntity).find();
  expect(rows).toHaveLength(models.length);
  for (const row of rows) {
    const summary = Summary.of([row]);
    expect([row.total, summary.sketch.count, Object.values(row.error_types)]).toEqual([120, 120, [120]]);
    expect(
      summary.sketch
        .bins()
        .map(([, count]) => count)
        .every((count) => count % 3 === 0),
    ).toBe(true);
  }
});

it('gives its connection one statement after the other, also of more rows than one takes', async () => {
  const now = Date.parse('2026-03-20T16:30:00Z');
  const windows = new WindowSums();
  let [running, most, left] = [0, 0, 0];
  const count = () => {
    const tally = new Tally();
    for (let model = 0; model < 2_500; model++)
      tally.add({ model_id: `many_${model}`, timing_ms: 100, success: true, occurred_at_ms: now }, now);
    return database.transaction(async (manager) => {
      const query = async <Row>(sql: string, parameters: unknown[]): Promise<Row[]> => {
        most = Math.max(most, ++running);
        return manager.query<Row[]>(sql, parameters).finally(() => running--);
      };
      windows.remember(await windows.addMinutes(query, sumsOf(tally)).finally(() => (left = running)));
    });
  };
  await count();
  await count();
  expect(most).toBe(1);
  const totals = "SELECT total::int, count(*)::int FROM metrics.model_window WHERE model_id LIKE 'many%' GROUP BY 1";
  expect(await database.query(totals)).toEqual([{ total: 2, count: 2_500 }]);

  // Nothing is under way any more either where what is stored cannot be read.
  await database.query(`UPDATE metrics.model_window SET sketch = '\\x00' WHERE model_id = 'many_0'`);
  await expect(count()).rejects.toThrow('Not a serialised sketch');
  expect([most, left]).toEqual([1, 0]);
});

import { type DataSource } from 'typeorm';
import { openDatabase } from '#runtime/database.module.js';
import { createDatabase, type TestDatabase } from '#testing/database.js';
import { metricsSchema } from '../metrics.module.js';
import { RowGone } from '../row-gone.js';
import { type Query, WindowSums } from '../windows/window-sums.store.js';
import { countBatch, type BatchOutcome, type IngestMessage } from './count-batch.js';
import { ErrorTypes } from './error-types.js';
import { PostgresTransaction } from './ingest.store.js';

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

const messageOf = (sequence: number): IngestMessage => ({
  source: 'producer',
  sequence,
  place: { sequence: sequence + 1, stored_ms: Date.now() },
  body: Buffer.from('{}'),
  batch: false,
  events: [{ model_id: 'model', timing_ms: 5, success: true, occurred_at_ms: Date.now() }],
  rejected: [],
});

/** Counts one message, `before` each statement. */
const count = (sequence: number, before?: (sql: string) => Promise<void>): Promise<BatchOutcome> =>
  database.transaction((manager) => {
    const query: Query = async <Row>(sql: string, parameters: unknown[]) => {
      await before?.(sql);
      return manager.query<Row[]>(sql, parameters);
    };
    const known = new Map([['model', 'known' as const]]);
    return countBatch(new PostgresTransaction(query, new WindowSums()), [messageOf(sequence)], known, new ErrorTypes([]), Date.now());
  });

it('takes no message for a repeated one whose producer is pruned while it is counted', async () => {
  expect(await count(0)).toMatchObject({ counted: 1, repeated_messages: 0 });
  expect(await count(0)).toMatchObject({ counted: 0, repeated_messages: 1 });
  const prune = async (sql: string): Promise<void> => {
    if (sql.includes('FOR UPDATE')) await database.query('DELETE FROM metrics.ingest_ledger');
  };
  await expect(count(1, prune)).rejects.toThrow(RowGone);
  expect(await count(1)).toMatchObject({ counted: 1, repeated_messages: 0 });
  expect(await database.query('SELECT sum(total)::int AS total FROM metrics.model_window')).toEqual([{ total: 2 }]);
});

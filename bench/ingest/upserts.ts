import { type Client } from 'pg';

const rowsOfStatement = 1_000;
const keys = 20_000;

/** Rows a second of `INSERT … ON CONFLICT DO UPDATE` of 1,000 rows each from arrays, committed one by one to the disk. */
export async function upserts(database: Client, seconds: number): Promise<number> {
  await database.query('CREATE TABLE upserted (key text PRIMARY KEY, total bigint NOT NULL, sum_ms double precision NOT NULL)');
  const began = performance.now();
  let rows = 0;
  while (performance.now() - began < seconds * 1_000) {
    const names = Array.from({ length: rowsOfStatement }, (_, index) => `model_${(rows + index) % keys}`);
    await database.query(
      `INSERT INTO upserted AS old SELECT * FROM unnest($1::text[], $2::bigint[], $3::float8[])
       ON CONFLICT (key) DO UPDATE SET total = old.total + EXCLUDED.total, sum_ms = old.sum_ms + EXCLUDED.sum_ms`,
      [names, names.map(() => 1), names.map((_, index) => 1_000 + index)],
    );
    rows += rowsOfStatement;
  }
  const rate = (rows * 1_000) / (performance.now() - began);
  const { rows: sums } = await database.query<{ total: string }>('SELECT sum(total) AS total FROM upserted');
  await database.query('DROP TABLE upserted');
  if (Number(sums[0]?.total) !== rows) throw new Error(`${rows} rows were upserted, the table has ${sums[0]?.total}`);
  return rate;
}

import pg from 'pg';
import { bigints, byteas, floats, instants, texts } from './array-parameter.js';

const client = new pg.Client({ connectionString: process.env.TEST_DATABASE_URL });
beforeAll(() => client.connect());
afterAll(() => client.end());

async function stored(type: string, parameter: Buffer): Promise<unknown> {
  const { rows } = await client.query<{ value: unknown }>(`SELECT to_json($1::${type}[]) AS value`, [parameter]);
  return rows[0]?.value;
}

it('is what PostgreSQL reads', async () => {
  const words = ['', 'NULL', null, 'a,"b"{c}\\', 'Größe 日本 🏈'];
  expect(await stored('text', texts(words))).toEqual(words);
  const whole = [0, -1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER];
  expect(await stored('bigint', bigints(whole))).toEqual(whole);
  const fractions = [0, 0.1, -1e308, 5e-324, 123.456];
  expect(await stored('float8', floats(fractions))).toEqual(fractions);
  const times = ['1970-01-01T00:00:00+00:00', '2026-11-25T10:45:07.123+00:00', '1999-12-31T23:59:59.999+00:00'];
  await client.query(`SET TIME ZONE 'UTC'`);
  expect(await stored('timestamptz', instants(times.map((time) => Date.parse(time))))).toEqual(times);
  expect(await stored('bytea', byteas([Uint8Array.of(), Uint8Array.of(0, 127, 128, 255)]))).toEqual(['\\x', '\\x007f80ff']);
});

it('may be empty', async () => {
  const { rows } = await client.query<{ count: number }>('SELECT count(*)::int FROM unnest($1::text[])', [texts([])]);
  expect(rows).toEqual([{ count: 0 }]);
});

it('keeps infinities', async () => {
  const { rows } = await client.query<{ value: number }>('SELECT unnest($1::float8[]) AS value', [floats([Infinity, -Infinity])]);
  expect(rows).toEqual([{ value: Infinity }, { value: -Infinity }]);
});

import { createDatabase, type TestDatabase } from '#testing/database.js';
import { query } from './embedded.harness.js';
import { databaseRoles, makeRoles } from './postgres-roles.js';

const denied = '42501';

let database: TestDatabase;

beforeAll(async () => {
  database = await createDatabase();
  // As an installation from before there were roles.
  await query(database.url, 'CREATE SCHEMA flags; CREATE TABLE flags.kept AS SELECT 1 AS word');
  await query(database.url, 'CREATE FUNCTION flags.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$');
  await makeRoles(database.url);
});
afterAll(() => database.drop());

const outcome = (role: (typeof databaseRoles)[number], sql: string): Promise<string> =>
  query(database.urls[role], sql).then(
    () => 'done',
    (error: { code?: string }) => error.code ?? 'no code',
  );

describe.each(databaseRoles)('the role of %s', (role) => {
  it('does what it likes in its own schema', async () => {
    const sql = `CREATE TABLE ${role}.own (word text); INSERT INTO ${role}.own VALUES ('a'); SELECT * FROM ${role}.own`;
    expect(await outcome(role, sql)).toBe('done');
  });

  it.each([
    ...databaseRoles
      .filter((other) => other !== role)
      .flatMap((other) => [`CREATE TABLE ${other}.mine ()`, `DROP SCHEMA ${other} CASCADE`, `SET ROLE ${other}`]),
    ...(role === 'flags' ? [] : ['SELECT * FROM flags.kept', 'DELETE FROM flags.kept']),
    'CREATE TABLE public.mine ()',
    'CREATE TEMP TABLE mine ()',
    'CREATE SCHEMA mine',
    'CREATE DATABASE mine',
    'CREATE ROLE mine',
    'ALTER ROLE emr PASSWORD $$mine$$',
    `COPY (SELECT 1) TO PROGRAM 'cat'`,
    'SELECT pg_read_file($$postgresql.conf$$)',
    'SELECT * FROM pg_authid',
    'ALTER SYSTEM SET log_statement = $$all$$',
  ])('may not: %s', async (sql) => {
    expect(await outcome(role, sql)).toBe(denied);
  });
});

it('owns what its service had made before there were roles, and is made again without harm', async () => {
  await makeRoles(database.url);
  expect(await outcome('flags', 'ALTER TABLE flags.kept ADD COLUMN more text; DROP FUNCTION flags.refuse()')).toBe('done');
  expect(await query(database.url, 'SELECT word FROM flags.kept')).toEqual([{ word: 1 }]);
});

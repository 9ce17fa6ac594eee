import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import pg from 'pg';
import { type AuditEntry } from '#contracts/audit.js';
import { type Model } from '#contracts/registry.js';
import { makeRoles } from '#embedded/postgres-roles.js';
import { createDatabase, type TestDatabase } from '#testing/database.js';
import { eventually } from './api.harness.js';
import { Processes, services } from './processes.harness.js';

const ownerPassword = 'of-the-owner';
let processes: Processes;
let database: TestDatabase;

/** The database as a role sees it. */
function urlOf(role: (typeof services)[number] | 'emr_owner'): string {
  if (role !== 'emr_owner') return database.urls[role];
  const url = new URL(database.url);
  [url.username, url.password] = [role, ownerPassword];
  return url.href;
}

async function as(url: string, ...statements: string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

async function migrated(app: (typeof services)[number], DATABASE_URL: string): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [`dist/apps/${app}/main.js`, 'migrate'], { env: { DATABASE_URL } });
  return stdout;
}

beforeAll(async () => {
  processes = await Processes.prepare({ MIGRATIONS: 'wait' });
  database = await createDatabase();
  const owner = { role: 'emr_owner', password: ownerPassword };
  await makeRoles(database.url, owner);
  await makeRoles(database.url, owner);
}, 60_000);
afterAll(async () => {
  await processes.close();
  await database.drop();
});

it('a service that may not migrate waits for who does, and says so', async () => {
  const starting = processes.start('registry', { DATABASE_URL: urlOf('registry') });
  const said = await eventually(
    () =>
      fetch(`${processes.rootOf('registry')}/readyz`).then(
        (response) => response.text(),
        () => '',
      ),
    (text) => text.includes('migrations that this release needs'),
    30_000,
  );
  expect(JSON.parse(said)).toMatchObject({
    ready: false,
    checks: { postgres: 'not connected yet: migrations that this release needs have not run yet' },
  });
  expect(await migrated('registry', urlOf('emr_owner'))).toMatch(/^Migrated: Registry\d+, /);
  await starting;
  expect(await migrated('registry', urlOf('emr_owner'))).toBe('Nothing to migrate\n');
}, 60_000);

it('the suite does its work as roles that own nothing', async () => {
  await Promise.all(services.slice(1).map((app) => migrated(app, urlOf('emr_owner'))));
  await Promise.all(services.slice(1).map((app) => processes.start(app, { DATABASE_URL: urlOf(app) })));
  await processes.start('gateway');
  const { api } = processes;
  const body = { name: 'Guarded', version: '1.0.0', model_type: 'ensemble', sport: 'MLB' };
  const { model_id } = await api.data<Model>('/registry', { method: 'POST', body });
  await api.data(`/registry/${model_id}/inference?timing_ms=12.5`, { method: 'POST' });
  await api.data('/flags', { method: 'POST', body: { flag_key: 'guarded', variants: { on: true, off: false }, default_variant: 'off' } });
  // Which locks a table.
  await api.data('/policies/validation', { method: 'PATCH', body: { reason: 'stricter', alpha: 0.01 } });
  await eventually(
    () => api.data<{ total_inferences: number }>(`/registry/${model_id}/metrics`),
    ({ total_inferences }) => total_inferences === 1,
  );
  expect(await api.data<AuditEntry[]>(`/registry/${model_id}/history`)).toHaveLength(1);
}, 60_000);

describe.each(services)('the role of %s', (service) => {
  const other = service === 'registry' ? 'metrics' : 'registry';
  it.each([
    ['read what another service owns', `SELECT FROM "${other}".audit`],
    ['make a table', `CREATE TABLE "${service}".mine ()`],
    ['make a temporary table', 'CREATE TEMP TABLE mine ()'],
    ['make a table where everybody may look', 'CREATE TABLE public.mine ()'],
    ['make a schema', 'CREATE SCHEMA mine'],
    ['change a table', `ALTER TABLE "${service}".audit ADD mine int`],
    ['take off the trigger of its audit', `ALTER TABLE "${service}".audit DISABLE TRIGGER ALL`],
    ['empty a table', `TRUNCATE "${service}".migrations`],
    ['remove a table', `DROP TABLE "${service}".audit`],
    ['become the owner', 'SET ROLE emr_owner'],
  ])('may not %s', async (_, statement) => {
    await expect(as(urlOf(service), statement)).rejects.toMatchObject({ code: '42501' });
  });

  it('changes no entry of its audit', async () => {
    await expect(
      as(urlOf(service), `INSERT INTO "${service}".audit SELECT * FROM "${service}".audit WHERE false`),
    ).resolves.toBeUndefined();
    await expect(as(urlOf(service), `UPDATE "${service}".audit SET reason = 'mine'`, `DELETE FROM "${service}".audit`)).rejects.toThrow(
      /append/,
    );
  });
});

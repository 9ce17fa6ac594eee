import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { type DatabaseRole, roleUrls } from '#embedded/postgres-roles.js';

/** A database in which each service has its schema, owned by its role: the template of whatever the services themselves use. */
export const servicesTemplate = 'emr_services';

export interface TestDatabase {
  /** The owner's, who may do everything. */
  url: string;
  urls: Record<DatabaseRole, string>;
  /** Ends what is still connected to it. */
  readonly drop: () => Promise<void>;
}

/** A new database with a random name on the server that the spec files share: empty, or a copy of `template`, to which nobody may be connected. */
export async function createDatabase(template = 'template0'): Promise<TestDatabase> {
  const server = process.env.TEST_DATABASE_URL;
  if (!server) throw new Error('TEST_DATABASE_URL is not set: name the file *.service.spec.ts or *.handlers.spec.ts, or put it into test/');
  const name = `test_${randomBytes(8).toString('hex')}`;
  await execute(server, `CREATE DATABASE ${name} TEMPLATE ${pg.escapeIdentifier(template)}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return { url: url.href, urls: roleUrls(url.href), drop: () => execute(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`) };
}

export async function execute(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

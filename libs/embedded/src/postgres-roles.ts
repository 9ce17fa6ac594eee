import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import pg from 'pg';

/** Services with a PostgreSQL role and a schema of their own, which have the same name. */
export const databaseRoles = ['registry', 'metrics', 'validation', 'flags'] as const;
export type DatabaseRole = (typeof databaseRoles)[number];

/** From the owner's address of a database: each role's, whose password nobody can tell from another's. */
export function roleUrls(url: string): Record<DatabaseRole, string> {
  const of = (role: DatabaseRole): [DatabaseRole, string] => {
    const own = new URL(url);
    own.username = role;
    own.password = createHmac('sha256', new URL(url).password).update(role).digest('hex');
    return [role, own.href];
  };
  return Object.fromEntries(databaseRoles.map(of)) as Record<DatabaseRole, string>;
}

/**
 * Makes the services' roles and their schemas in the database of the superuser's address, as in production; both stay when they are there. Each role
 * owns its schema, or `owner`, which is made too, owns them all.
 */
export async function makeRoles(url: string, owner?: { role: string; password: string }): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  try {
    await client.connect();
    if (owner) await client.query(filledIn('role.sql', owner));
    for (const [role, own] of Object.entries(roleUrls(url))) {
      const { password } = new URL(own);
      for (const file of ['role.sql', 'schema.sql']) await client.query(filledIn(file, { role, password, owner: owner?.role ?? role }));
    }
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** The same text as psql makes of it. The path is the same from the sources and from dist. */
function filledIn(file: string, values: Record<string, string>): string {
  const text = readFileSync(fileURLToPath(new URL(`../../../deploy/postgres/${file}`, import.meta.url)), 'utf8');
  return text.replaceAll(/:'(\w+)'/g, (_, name: string) => pg.escapeLiteral(values[name] ?? ''));
}

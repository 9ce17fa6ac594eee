import { type EntityManager } from 'typeorm';
import { AppError } from '#contracts/errors.js';

/** How many there may be: each is looked at, at every evaluation or for every change. `lock`: any constant of the metrics service's own. */
const limits = {
  alert_rules: { max: 1_000, lock: 3_727_144_907, sql: 'SELECT count(*)::int AS count FROM metrics.alert_rules' },
  webhooks: { max: 100, lock: 3_727_144_908, sql: 'SELECT count(*)::int AS count FROM metrics.webhooks' },
  active_silences: { max: 1_000, lock: 3_727_144_909, sql: 'SELECT count(*)::int AS count FROM metrics.silences WHERE until > now()' },
} as const;

/**
 * Throws LIMIT_REACHED unless there is room for one more, which is inserted in the same transaction. Whoever else asks waits for that
 * transaction: two that come at once do not both take the last place.
 */
export async function assertRoom(manager: EntityManager, limit: keyof typeof limits): Promise<void> {
  const { max, lock, sql } = limits[limit];
  await manager.query('SELECT pg_advisory_xact_lock($1)', [lock]);
  const [row] = await manager.query<{ count: number }[]>(sql);
  if ((row?.count ?? 0) < max) return;
  throw new AppError('LIMIT_REACHED', `There are ${max} ${limit.replace('_', ' ')} already, as many as there may be`, { limit, max });
}

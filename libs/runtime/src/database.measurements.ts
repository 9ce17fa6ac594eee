import { type DataSource } from 'typeorm';
import { type Telemetry } from './telemetry.js';

/** The part of a pg.Pool that says how it is used. */
interface Pool {
  totalCount: number;
  idleCount: number;
  waitingCount: number;
}

/** How a pool of connections is used; `max` is how many it may have. */
export function measurePool(telemetry: Telemetry, pool: string, max: number, of: Pool): void {
  telemetry.gauge('emr_database_pool_connections', 'Connections to PostgreSQL, by whether they are used now.', () => [
    { labels: { pool, state: 'used' }, value: of.totalCount - of.idleCount },
    { labels: { pool, state: 'idle' }, value: of.idleCount },
  ]);
  telemetry.gauge('emr_database_pool_max_connections', 'Connections to PostgreSQL that there may be.', () => [
    { labels: { pool }, value: max },
  ]);
  telemetry.gauge('emr_database_pool_waiting_requests', 'Statements that wait for a connection.', () => [
    { labels: { pool }, value: of.waitingCount },
  ]);
}

/**
 * How many rows a table has of each value of one column, those of which there is none included. Every replica of the service says the same: take
 * the largest, not the sum. `from`: what follows FROM; `column`: an expression.
 */
export function measureRows(
  telemetry: Telemetry,
  database: DataSource,
  {
    name,
    help,
    from,
    column,
    label,
    values,
  }: { name: string; help: string; from: string; column: string; label: string; values: readonly string[] },
): void {
  telemetry.gauge(name, help, async () => {
    const rows = await database.query<{ value: string; count: number }[]>(
      `SELECT ${column} AS value, count(*)::int AS count FROM ${from} GROUP BY 1`,
    );
    const counts = new Map(rows.map(({ value, count }) => [value, count]));
    return values.map((value) => ({ labels: { [label]: value }, value: counts.get(value) ?? 0 }));
  });
}

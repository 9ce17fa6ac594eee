import { type EntityManager } from 'typeorm';

// Any constant of the flags service's own: all its replicas share a database.
const selectionLock = 3_727_144_907;

export interface Turn {
  tick: number;
  /** The database's clock, in epoch milliseconds: replicas' own may differ. */
  now_ms: number;
}

/**
 * Takes the lock for the rest of the transaction; null where another replica has it, or had its turn less than nine tenths of a tick ago. Writes
 * nothing: metrics is asked in between, and while a transaction that has written is open, PostgreSQL keeps every row version that counting leaves
 * behind.
 */
export async function takeTurn(manager: EntityManager, tick_seconds: number): Promise<Turn | null> {
  const [lock] = await manager.query<{ taken: boolean }[]>('SELECT pg_try_advisory_xact_lock($1) AS taken', [selectionLock]);
  if (!lock?.taken) return null;
  const [turn] = await manager.query<{ tick: number; now: Date }[]>(
    `SELECT tick + 1 AS tick, clock_timestamp() AS now FROM flags.selection_tick
     WHERE ticked_at <= clock_timestamp() - make_interval(secs => $1)`,
    [tick_seconds * 0.9],
  );
  return turn ? { tick: turn.tick, now_ms: turn.now.getTime() } : null;
}

/** Writes down the turn that was taken. */
export async function endTurn(manager: EntityManager, { tick, now_ms }: Turn): Promise<void> {
  await manager.query('UPDATE flags.selection_tick SET tick = $1, ticked_at = $2', [tick, new Date(now_ms)]);
}

import { type EntityManager } from 'typeorm';

// Any constant of the flags service's own: all its replicas share a database.
const selectionLock = 3_727_144_907;

export interface Turn {
  tick: number;
  /** The database's clock, in epoch milliseconds: replicas' own may differ. */
  now_ms: number;
}

/** Takes the lock for the rest of the transaction; null where another replica has it, or had its turn less than nine tenths of a tick ago. */
export async function takeTurn(manager: EntityManager, tick_seconds: number): Promise<Turn | null> {
  const [lock] = await manager.query<{ taken: boolean }[]>('SELECT pg_try_advisory_xact_lock($1) AS taken', [selectionLock]);
  if (!lock?.taken) return null;
  const [turn] = await manager.query<{ tick: number; ticked_at: Date }[]>(
    `WITH turn AS (
       UPDATE flags.selection_tick SET tick = tick + 1, ticked_at = clock_timestamp()
       WHERE ticked_at <= clock_timestamp() - make_interval(secs => $1) RETURNING tick, ticked_at
     ) SELECT tick, ticked_at FROM turn`,
    [tick_seconds * 0.9],
  );
  return turn ? { tick: turn.tick, now_ms: turn.ticked_at.getTime() } : null;
}

import { type EntityManager } from 'typeorm';

// Any constant of the metrics service's own: all its replicas share a database.
const evaluationLock = 3_727_144_906;

/**
 * Takes the evaluation's lock for the rest of the transaction and answers with the database's time, in epoch milliseconds; null where another
 * replica has the lock or evaluated less than nine tenths of a tick ago. One clock for all replicas: theirs may differ. Writes nothing: while a
 * transaction that has written is open, PostgreSQL keeps every row version that counting leaves behind.
 */
export async function takeEvaluationTurn(manager: EntityManager, tick_seconds: number): Promise<number | null> {
  const [lock] = await manager.query<{ taken: boolean }[]>('SELECT pg_try_advisory_xact_lock($1) AS taken', [evaluationLock]);
  if (!lock?.taken) return null;
  const [turn] = await manager.query<{ now: Date }[]>(
    `SELECT clock_timestamp() AS now FROM metrics.evaluation WHERE evaluated_at <= clock_timestamp() - make_interval(secs => $1)`,
    [tick_seconds * 0.9],
  );
  return turn?.now.getTime() ?? null;
}

/** Writes down the turn that was taken at `now_ms`. */
export async function endEvaluationTurn(manager: EntityManager, now_ms: number): Promise<void> {
  await manager.query('UPDATE metrics.evaluation SET evaluated_at = $1', [new Date(now_ms)]);
}

/** Waits for an evaluation that is under way to commit, so that what it writes is there to be deleted. */
export async function awaitEvaluation(manager: EntityManager): Promise<void> {
  await manager.query('SELECT pg_advisory_xact_lock($1)', [evaluationLock]);
}

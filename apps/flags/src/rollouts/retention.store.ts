import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';

const decisionsAtOnce = 5_000;

/** $1 days, $2 rows at the most. A rollout of a month has a quarter of a million decisions: they go in parts, the rollout last. */
const decisionsStatement = `
  WITH gone AS (
    DELETE FROM flags.rollout_decisions WHERE (rollout_id, tick) IN (
      SELECT decision.rollout_id, decision.tick FROM flags.rollouts AS rollout JOIN flags.rollout_decisions AS decision USING (rollout_id)
      WHERE rollout.ended_at < now() - make_interval(days => $1) AND rollout.pending IS NULL LIMIT $2
    ) RETURNING 1
  ) SELECT count(*)::int AS removed FROM gone`;

const rolloutsStatement = `
  DELETE FROM flags.rollouts WHERE ended_at < now() - make_interval(days => $1) AND pending IS NULL
    AND NOT EXISTS (SELECT 1 FROM flags.rollout_decisions AS decision WHERE decision.rollout_id = rollouts.rollout_id)`;

/** Removes rollouts that ended long ago, with their decisions; the audit stays. Killed in between, or beside another replica, it goes on where it was. */
@Injectable()
export class RolloutRetentionStore {
  constructor(private readonly database: DataSource) {}

  async run(days: number): Promise<void> {
    let removed = decisionsAtOnce;
    while (removed === decisionsAtOnce) {
      const [row] = await this.database.query<{ removed: number }[]>(decisionsStatement, [days, decisionsAtOnce]);
      removed = row?.removed ?? 0;
    }
    await this.database.query(rolloutsStatement, [days]);
  }
}

import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { type RunEventName, subjectOfRun } from '#contracts/validation.js';
import { currentTrace } from '#runtime/tracing.js';
import { FactRelay } from './fact.relay.js';
import { FactEntity, RunEntity, type RunWork } from './run.entity.js';
import { eventOf } from './run-event.js';
import { RunNotices } from './run.notices.js';
import { ValidationConfig } from './validation.config.js';

// Any constant of the validation service's own: all its replicas share a database.
const claimLock = 3_727_144_921;
/** A run whose replica died so often is likely what they die of. */
const maxLost = 3;

const isClaimable = `status = 'running' AND (lease_until IS NULL OR lease_until < statement_timestamp())`;
const live = `FROM validation.runs WHERE status = 'running' AND lease_until >= statement_timestamp()`;

/** $1 lease in seconds, $2 runs at once in all replicas. What somebody may be waiting for comes before the nights' rounds. */
const claimStatement = `
  WITH next AS (
    SELECT run_id FROM validation.runs
    WHERE ${isClaimable} AND work IS NOT NULL
      AND lost + (lease_until IS NOT NULL)::int < ${maxLost}
      AND (SELECT count(*) ${live}) < $2
      AND model_id NOT IN (SELECT model_id ${live})
    ORDER BY trigger = 'nightly', started_at, run_id LIMIT 1
  ), claimed AS (
    UPDATE validation.runs SET attempt = attempt + 1, lost = lost + (lease_until IS NOT NULL)::int, done_tests = 0,
      lease_until = statement_timestamp() + make_interval(secs => $1)
    FROM next WHERE runs.run_id = next.run_id AND ${isClaimable} RETURNING runs.run_id
  ) SELECT run_id FROM claimed`;

const lostStatement = `
  SELECT run_id FROM validation.runs WHERE status = 'running' AND lease_until < statement_timestamp() AND (work IS NULL OR lost + 1 >= ${maxLost})`;

/** $1 run, $2 attempt, $3 lease in seconds, $4 cases judged so far. */
const renewStatement = `
  WITH renewed AS (
    UPDATE validation.runs SET lease_until = statement_timestamp() + make_interval(secs => $3), done_tests = $4
    WHERE run_id = $1 AND attempt = $2 AND status = 'running' AND lease_until IS NOT NULL RETURNING run_id
  ) SELECT run_id FROM renewed`;

export interface ClaimedRun extends RunEntity {
  work: RunWork;
}

/** A run of which nothing is known but that it did not come to its end. */
export const calledOff = (run: RunEntity, reason: string): RunEntity => ({
  ...run,
  status: 'error',
  completed_at: new Date().toISOString(),
  passed_tests: 0,
  failed_tests: 0,
  error_tests: run.total_tests,
  reason: reason.slice(0, 1000),
});

/**
 * Whose turn it is to run what. A claim counts the run's attempt up and lends it for the lease; from then on nothing is written under an earlier
 * attempt. So whatever becomes of the replicas, a run ends once: by the attempt that was the last, by being given up, or by being cancelled.
 */
@Injectable()
export class RunClaims {
  constructor(
    private readonly database: DataSource,
    private readonly config: ValidationConfig,
    private readonly relay: FactRelay,
    private readonly notices: RunNotices,
  ) {}

  /**
   * The run whose turn it is: the oldest that waits or whose lease ran out. Null where there is none, where as many run as may, or where only
   * runs of models wait that are being run: two at once would measure each other. Replicas take turns, so that none counts what the other is
   * about to take.
   */
  async next(): Promise<ClaimedRun | null> {
    const claimed = await this.database.transaction(async (manager) => {
      await manager.query('SELECT pg_advisory_xact_lock($1)', [claimLock]);
      const [row] = await manager.query<{ run_id: string }[]>(claimStatement, [
        this.config.leaseMs / 1000,
        this.config.VALIDATION_MAX_RUNNING,
      ]);
      if (!row) return null;
      const run = (await manager.findOneByOrFail(RunEntity, row)) as ClaimedRun;
      await this.tell(manager, run, 'started');
      return run;
    });
    if (claimed) this.relay.flush();
    return claimed;
  }

  /** False: the run is over, or another attempt has begun. */
  async renew({ run_id, attempt }: RunEntity, done_tests: number): Promise<boolean> {
    const rows = await this.database.query<unknown[]>(renewStatement, [run_id, attempt, this.config.leaseMs / 1000, done_tests]);
    return rows.length > 0;
  }

  /** Gives a run back that was not brought to its end: it waits again, and is not counted as lost. */
  async release({ run_id, attempt }: RunEntity): Promise<void> {
    await this.database.manager.update(RunEntity, { run_id, attempt, status: 'running' }, { lease_until: null });
  }

  /** False: another attempt has begun or ended meanwhile, or the run was cancelled; nothing was written. */
  async complete(run: RunEntity): Promise<boolean> {
    const ended = await this.end(run.run_id, (current) => (current.attempt === run.attempt ? run : null));
    return ended !== null;
  }

  /** Marks runs whose replica died once too often as `error`; so that none stays `running`. */
  async giveUpLost(): Promise<void> {
    const lost = await this.database.query<{ run_id: string }[]>(lostStatement);
    for (const { run_id } of lost) {
      const seen = await this.database.manager.findOneBy(RunEntity, { run_id });
      await this.end(run_id, (current) => {
        if (current.lease_until !== seen?.lease_until) return null;
        return calledOff(current, `the service stopped while this ran${current.work ? `, ${maxLost} times` : ''}; run it again`);
      });
    }
  }

  /**
   * Ends a run: `outcome` is given the row, locked, and says how it ends, or null to leave it. Null is answered then, and for a run that is
   * over. `also` is part of the transaction.
   */
  async end(
    run_id: string,
    outcome: (current: RunEntity) => RunEntity | null,
    also: (manager: EntityManager, before: RunEntity, after: RunEntity) => Promise<void> = async () => undefined,
  ): Promise<RunEntity | null> {
    const ended = await this.database.transaction(async (manager) => {
      const current = await manager.findOne(RunEntity, { where: { run_id, status: 'running' }, lock: { mode: 'pessimistic_write' } });
      const decided = current && outcome(current);
      if (!decided) return null;
      const after: RunEntity = { ...decided, work: null };
      await manager.update(RunEntity, { run_id }, after as never);
      await this.tell(manager, after, 'finished');
      await also(manager, current, after);
      return after;
    });
    if (ended) {
      this.relay.flush();
      this.notices.tellOver(run_id);
    }
    return ended;
  }

  private async tell(manager: EntityManager, run: RunEntity, event: RunEventName): Promise<void> {
    await manager.insert(FactEntity, {
      subject: subjectOfRun(event),
      event: eventOf(run, event, new Date().toISOString()),
      // What is being run is told as a part of what asked for it; who claims it was only woken.
      traceparent: run.work?.traceparent ?? currentTrace(),
    });
  }
}

import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { In, IsNull, Repository } from 'typeorm';
import { AppError } from '#contracts/errors.js';
import { type Model } from '#contracts/registry.js';
import { type FinishedRun, type HistoryEntry, type RequestName, type RunTrigger } from '#contracts/validation.js';
import { currentCaller } from '#runtime/caller.js';
import { currentTrace } from '#runtime/tracing.js';
import { RunEntity } from './run.entity.js';
import { type TestCaseEntity } from './test-case.entity.js';

const dayMs = 86_400_000;
/** What a history shows and a report reads at the most. */
const maxRuns = 1_000;
/** Runs that somebody asked for and that wait; a night may bring more. */
const maxWaiting = 100;

/** Their outcomes are large: so few that it takes no noticeable time. */
const forgetAtOnce = 200;
/** $1 days, $2 runs at the most. */
const forgetStatement = `
  WITH forgotten AS (
    DELETE FROM validation.runs WHERE run_id IN (
      SELECT run_id FROM validation.runs old
      WHERE status <> 'running' AND started_at < now() - make_interval(days => $1)
        AND (status <> 'passed' OR EXISTS (
          SELECT FROM validation.runs newer WHERE newer.model_id = old.model_id AND newer.status = 'passed' AND newer.started_at > old.started_at))
        AND NOT EXISTS (SELECT FROM validation.baselines WHERE baselines.run_id = old.run_id)
      ORDER BY started_at LIMIT $2
    ) RETURNING run_id
  ) SELECT count(*)::int AS count FROM forgotten`;

const instantOf = (column: string): string => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS ${column}`;

/**
 * $1 model, $2 days, $3 runs at the most. The outcome of every case is large, and neither history nor report shows it. Plain rows with times as
 * text: to make entities and dates of hundreds of them takes longer than to find them.
 */
const historyStatement = `
  SELECT run_id, status, ${instantOf('started_at')}, ${instantOf('completed_at')}, total_tests, passed_tests, failed_tests,
    regression_detected, regression_severity
  FROM validation.runs WHERE model_id = $1 AND runs.started_at > now() - make_interval(days => $2)
  ORDER BY runs.started_at DESC, run_id DESC LIMIT $3`;

export interface AskedRun {
  model: Model;
  cases: TestCaseEntity[];
  trigger: RunTrigger;
  nightly_id?: string;
  request?: RequestName;
}

export const runNotFound = (run_id: string): AppError => new AppError('RUN_NOT_FOUND', `Run ${run_id} not found`);

@Injectable()
export class RunsStore {
  constructor(@InjectRepository(RunEntity, 'validation') private readonly runs: Repository<RunEntity>) {}

  find(run_id: string): Promise<RunEntity | null> {
    return this.runs.findOneBy({ run_id });
  }

  /** What became of a run, without its results; null where there is none. */
  state(run_id: string): Promise<Pick<RunEntity, 'status' | 'lease_until'> | null> {
    return this.runs.findOne({ where: { run_id }, select: { run_id: true, status: true, lease_until: true } });
  }

  /**
   * Writes down what is asked for, on behalf of the present caller, as a run that waits for its turn. `validation_<model_id>_<unix seconds>`;
   * where that second is taken, the next one that is free. A request of the same name, or the same model in the same round, has its run already:
   * that one is answered. Throws TOO_MANY_REQUESTS, IDEMPOTENCY_KEY_REUSED.
   */
  async enqueue(asked: AskedRun): Promise<RunEntity> {
    if (asked.trigger === 'manual') await this.assertRoom();
    const run = waitingRun(asked);
    for (let second = Math.floor(Date.parse(run.started_at) / 1000); ; second++) {
      const named = { ...run, run_id: `validation_${run.model_id}_${second}` };
      const inserted = await this.runs
        .createQueryBuilder()
        .insert()
        .values(named as never)
        .orIgnore()
        .returning('run_id')
        .execute();
      if ((inserted.raw as unknown[]).length > 0) return named;
      const same = await this.sameAs(asked);
      if (same) return same;
    }
  }

  /** The run of a request that came before, within 24 hours. Throws IDEMPOTENCY_KEY_REUSED where that asked for something else. */
  async ofRequest({ name, payload_sha256 }: RequestName): Promise<RunEntity | null> {
    const run = await this.runs.findOneBy({ request_name: name });
    if (!run) return null;
    if (Date.parse(run.started_at) < Date.now() - dayMs) {
      await this.runs.update({ run_id: run.run_id, request_name: name }, { request_name: null });
      return null;
    }
    if (run.request_sha256 === payload_sha256) return run;
    throw new AppError('IDEMPOTENCY_KEY_REUSED', 'This Idempotency-Key was used for another request within the last 24 hours', {
      field: 'Idempotency-Key',
      accepted: 'a new key for each request, the same key for the same request again',
    });
  }

  /** Newest first, at most 1,000. */
  since(model_id: string, days: number): Promise<HistoryEntry[]> {
    return this.runs.query<HistoryEntry[]>(historyStatement, [model_id, days, maxRuns]);
  }

  async comparisonsOf(run_id: string): Promise<RunEntity['comparisons']> {
    return (await this.runs.findOne({ where: { run_id }, select: { run_id: true, comparisons: true } }))?.comparisons ?? [];
  }

  /** Also one that was called off: then nothing newer is known of the model. */
  newestFinished(model_id: string): Promise<FinishedRun | null> {
    return this.runs.findOne({
      where: { model_id, status: In(['passed', 'failed', 'error']) },
      order: { started_at: 'DESC', run_id: 'DESC' },
      select: { run_id: true, status: true, started_at: true, regression_severity: true },
    });
  }

  /** Also those that are not over. */
  ofNightly(nightly_id: string): Promise<Pick<RunEntity, 'status' | 'regression_detected'>[]> {
    return this.runs.find({ where: { nightly_id }, select: { run_id: true, status: true, regression_detected: true } });
  }

  /** Forgets some of the runs and rounds that are older; says how many runs. Baselines stay, and the latest passed run of each model. */
  async forget(days: number): Promise<number> {
    await this.runs.query('DELETE FROM validation.nightlies WHERE NOT unfinished AND started_at < now() - make_interval(days => $1)', [
      days,
    ]);
    const [{ count }] = await this.runs.query<[{ count: number }]>(forgetStatement, [days, forgetAtOnce]);
    return count;
  }

  private async sameAs({ model: { model_id }, request, nightly_id }: AskedRun): Promise<RunEntity | null> {
    if (request) return this.ofRequest(request);
    return nightly_id === undefined ? null : this.runs.findOneBy({ nightly_id, model_id });
  }

  private async assertRoom(): Promise<void> {
    const waiting = await this.runs.countBy({ status: 'running', lease_until: IsNull(), trigger: 'manual' });
    if (waiting >= maxWaiting) throw new AppError('TOO_MANY_REQUESTS', 'Too many validation runs are waiting; try again later');
  }
}

const waitingRun = ({ model, cases, trigger, nightly_id, request }: AskedRun): RunEntity => ({
  run_id: '',
  model_id: model.model_id,
  trigger,
  nightly_id: nightly_id ?? null,
  status: 'running',
  started_at: new Date().toISOString(),
  completed_at: null,
  lease_until: null,
  attempt: 0,
  lost: 0,
  work: {
    caller: currentCaller(),
    model,
    cases: cases.map(({ test_case_id, revision }) => ({ test_case_id, revision })),
    traceparent: currentTrace(),
  },
  total_tests: cases.length,
  done_tests: 0,
  passed_tests: 0,
  failed_tests: 0,
  error_tests: 0,
  regression_detected: false,
  regression_severity: 'none',
  baseline_run_id: null,
  regressed_test_case_ids: [],
  results: [],
  reason: '',
  signature_check: null,
  comparisons: [],
  policy_revision: null,
  cancelled_by: null,
  request_name: request?.name ?? null,
  request_sha256: request?.payload_sha256 ?? null,
});

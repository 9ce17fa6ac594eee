import { Controller } from '@nestjs/common';
import { type CaseResult } from '#contracts/case-result.js';
import { type CaseComparison } from '#contracts/comparison.js';
import { AppError, raise } from '#contracts/errors.js';
import { type Page } from '#contracts/page.js';
import { type ModelRef } from '#contracts/registry.js';
import {
  awaitRun,
  cancelRun,
  type GateEvidence,
  getGateEvidence,
  getHistory,
  getRegressionReport,
  getRun,
  type HistoryRequest,
  listRunResults,
  type RegressionReport,
  type ReportRequest,
  type Run,
  type RunAwait,
  type RunCancellation,
  type RunRef,
  type RunResult,
  type RunResultsRequest,
  type RunStart,
  startRun,
  type ValidationHistory,
} from '#contracts/validation.js';
import { Answers } from '#runtime/answers.js';
import { AuditStore } from '#runtime/audit.store.js';
import { currentCaller } from '#runtime/caller.js';
import { KnownModels } from './known-models.store.js';
import { regressionReport } from './regression.js';
import { resultsPage } from './run-results.js';
import { calledOff, RunClaims } from './run-claims.store.js';
import { type RunEntity } from './run.entity.js';
import { RunNotices } from './run.notices.js';
import { RunQueue } from './run-queue.consumer.js';
import { runNotFound, RunsStore } from './runs.store.js';
import { TestCasesStore } from './test-cases.store.js';

/** How long an answer may wait for word of a run's end before it looks by itself. */
const pollMs = 500;
const historyDays = 30;
const reportDays = 7;
const maxRegressedShown = 1_000;
const maxComparisonsShown = 300;

const regressedFirst = (a: CaseComparison, b: CaseComparison): number =>
  Number(b.verdict === 'regressed') - Number(a.verdict === 'regressed');
const shownComparisons = (all: readonly CaseComparison[]): CaseComparison[] => [...all].sort(regressedFirst).slice(0, maxComparisonsShown);

@Controller()
export class RunsHandlers {
  constructor(
    private readonly known: KnownModels,
    private readonly cases: TestCasesStore,
    private readonly runs: RunsStore,
    private readonly claims: RunClaims,
    private readonly audit: AuditStore,
    private readonly queue: RunQueue,
    private readonly notices: RunNotices,
  ) {}

  /**
   * A request that came before is answered with its run, whatever has become of the model since. A replica that is stopping takes it too, for
   * another one to run.
   */
  @Answers(startRun)
  async startRun({ model_id, test_case_ids, request }: RunStart): Promise<Run> {
    const model = await this.known.current(model_id);
    const before = request && (await this.runs.ofRequest(request));
    if (before) return shown(before);
    if (!model.serving) {
      throw new AppError('MODEL_NOT_SERVED', `Model ${model_id} says nothing of how it is served`, {
        accepted: 'PATCH /registry/{model_id} with `serving` first',
      });
    }
    const cases = await this.cases.ofRun(model, test_case_ids);
    if (cases.length === 0) {
      throw new AppError('NO_TEST_CASES', `No test case applies to model ${model_id}`, { accepted: 'POST /validation/cases first' });
    }
    const run = await this.runs.enqueue({ model, cases, trigger: 'manual', request });
    this.queue.put(run.run_id);
    return shown(run);
  }

  /** Whichever replica runs it. */
  @Answers(awaitRun)
  async awaitRun({ run_id, wait_ms }: RunAwait): Promise<RunResult> {
    const deadline = Date.now() + wait_ms;
    for (;;) {
      const left = deadline - Date.now();
      // Listened for before it is looked at, so that an end in between is heard of.
      const over = left > 0 ? this.notices.over(run_id, Math.min(left, pollMs)) : undefined;
      const run = await this.visible(run_id);
      if (run.status !== 'running' || !over) return resultOf(run);
      await over;
    }
  }

  @Answers(getRun)
  async getRun({ run_id }: RunRef): Promise<Run> {
    return shown(await this.visible(run_id));
  }

  @Answers(listRunResults)
  async listRunResults({ run_id, ...page }: RunResultsRequest): Promise<Page<CaseResult>> {
    return resultsPage((await this.visible(run_id)).results, page);
  }

  /** What the registry judges a promotion by. */
  @Answers(getGateEvidence)
  async getGateEvidence({ model_id }: ModelRef): Promise<GateEvidence> {
    await this.known.require(model_id, currentCaller());
    return { newest_run: await this.runs.newestFinished(model_id) };
  }

  /** Ends it at once; the replica that runs it hears of that and calls nobody any more. What is cancelled already stays as it is. */
  @Answers(cancelRun)
  async cancelRun({ run_id, reason }: RunCancellation): Promise<Run> {
    await this.visible(run_id);
    const { name } = currentCaller().actor;
    const cancelled = await this.claims.end(
      run_id,
      (run) => ({ ...calledOff(run, `cancelled by ${name}: ${reason}`), cancelled_by: name }),
      async (manager, before, after) => {
        const change = { action: 'run.cancelled', subject_type: 'run', subject_id: run_id, reason };
        return this.audit.write(manager, { ...change, before: await shown(before), after: await shown(after) });
      },
    );
    if (cancelled) return shown(cancelled);
    const over = await this.visible(run_id);
    if (over.cancelled_by !== null) return shown(over);
    throw new AppError('RUN_NOT_RUNNING', `Run ${run_id} is over: ${over.status}`, {
      status: over.status,
      accepted: 'a run that is running',
    });
  }

  @Answers(getHistory)
  async getHistory({ model_id, days = historyDays }: HistoryRequest): Promise<ValidationHistory> {
    await this.known.require(model_id, currentCaller());
    return { model_id, period_days: days, validation_runs: await this.runs.since(model_id, days) };
  }

  @Answers(getRegressionReport)
  async getRegressionReport({ model_id, days = reportDays }: ReportRequest): Promise<RegressionReport> {
    await this.known.require(model_id, currentCaller());
    const finished = (await this.runs.since(model_id, days)).filter(({ status }) => status !== 'running');
    const last_run_id = finished[0]?.run_id ?? null;
    return {
      model_id,
      period_days: days,
      ...regressionReport(finished, { now: Date.now(), days }),
      last_run_id,
      last_comparisons: last_run_id === null ? [] : shownComparisons(await this.runs.comparisonsOf(last_run_id)),
    };
  }

  private async visible(run_id: string): Promise<RunEntity> {
    const run = (await this.runs.find(run_id)) ?? raise(runNotFound(run_id));
    // A run of a model outside a narrowed key's scope is as good as absent.
    await this.known.require(run.model_id, currentCaller()).catch((error: unknown) => {
      throw error instanceof AppError && error.code === 'MODEL_NOT_FOUND' ? runNotFound(run_id) : error;
    });
    return run;
  }
}

const resultOf = (run: RunEntity): RunResult => ({
  run_id: run.run_id,
  status: run.status,
  total_tests: run.total_tests,
  passed_tests: run.passed_tests,
  failed_tests: run.failed_tests,
  error_tests: run.error_tests,
  regression_detected: run.regression_detected,
  regression_severity: run.regression_severity,
});

/** As many results as one message holds: thousands of cases have more to say. */
async function shown(run: RunEntity): Promise<Run> {
  const { items, next_cursor } = await resultsPage(run.results, { limit: run.results.length });
  return {
    ...resultOf(run),
    started_at: run.started_at,
    completed_at: run.completed_at,
    model_id: run.model_id,
    trigger: run.trigger,
    attempt: run.attempt,
    progress: { done: run.done_tests, total: run.total_tests },
    baseline_run_id: run.baseline_run_id,
    regressed_test_case_ids: run.regressed_test_case_ids.slice(0, maxRegressedShown),
    results: items,
    results_next_cursor: next_cursor,
    signature_check: run.signature_check,
    comparisons: shownComparisons(run.comparisons),
    policy_revision: run.policy_revision,
    reason: run.reason,
    cancelled_by: run.cancelled_by,
  };
}

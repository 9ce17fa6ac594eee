import { Controller } from '@nestjs/common';
import { AppError, raise } from '#contracts/errors.js';
import {
  awaitRun,
  getHistory,
  getRegressionReport,
  getRun,
  type HistoryEntry,
  type HistoryRequest,
  type RegressionReport,
  type ReportRequest,
  type Run,
  type RunAwait,
  type RunRef,
  type RunRequest,
  startRun,
  type ValidationHistory,
} from '#contracts/validation.js';
import { Answers } from '#runtime/answers.js';
import { KnownModels } from './known-models.store.js';
import { regressionReport } from './regression.js';
import { RunExecutor } from './run.executor.js';
import { type RunEntity } from './run.entity.js';
import { runNotFound, RunsStore } from './runs.store.js';
import { TestCasesStore } from './test-cases.store.js';

const pollMs = 100;
const historyDays = 30;
const reportDays = 7;

@Controller()
export class RunsHandlers {
  constructor(
    private readonly known: KnownModels,
    private readonly cases: TestCasesStore,
    private readonly runs: RunsStore,
    private readonly executor: RunExecutor,
  ) {}

  @Answers(startRun)
  async startRun({ model_id, test_case_ids }: RunRequest): Promise<Run> {
    const model = await this.known.current(model_id);
    if (!model.serving) {
      throw new AppError('MODEL_NOT_SERVED', `Model ${model_id} says nothing of how it is served`, {
        accepted: 'PATCH /registry/{model_id} with `serving` first',
      });
    }
    const cases = await this.cases.ofRun(model, test_case_ids);
    if (cases.length === 0) {
      throw new AppError('NO_TEST_CASES', `No test case applies to model ${model_id}`, { accepted: 'POST /validation/cases first' });
    }
    return shown(await this.executor.start(model, cases, 'manual', null));
  }

  /** In this process the end is known at once; a run of another replica is looked for in the database. */
  @Answers(awaitRun)
  async awaitRun({ run_id, wait_ms }: RunAwait): Promise<Run> {
    const deadline = Date.now() + wait_ms;
    const timeout = new Promise<void>((resolve) => setTimeout(resolve, wait_ms));
    await Promise.race([this.executor.finished(run_id)?.catch(() => undefined), timeout]);
    for (;;) {
      const run = await this.getRun({ run_id });
      if (run.status !== 'running' || Date.now() > deadline) return run;
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }

  @Answers(getRun)
  async getRun({ run_id }: RunRef): Promise<Run> {
    const run = (await this.runs.find(run_id)) ?? raise(runNotFound(run_id));
    // A run of a model outside a narrowed key's scope is as good as absent.
    await this.known.require(run.model_id).catch((error: unknown) => {
      throw error instanceof AppError && error.code === 'MODEL_NOT_FOUND' ? runNotFound(run_id) : error;
    });
    return shown(run);
  }

  @Answers(getHistory)
  async getHistory({ model_id, days = historyDays }: HistoryRequest): Promise<ValidationHistory> {
    await this.known.require(model_id);
    const runs = await this.runs.since(model_id, days);
    return { model_id, period_days: days, validation_runs: runs.map(entryOf) };
  }

  @Answers(getRegressionReport)
  async getRegressionReport({ model_id, days = reportDays }: ReportRequest): Promise<RegressionReport> {
    await this.known.require(model_id);
    const finished = (await this.runs.since(model_id, days)).filter(({ status }) => status !== 'running');
    return { model_id, period_days: days, ...regressionReport(finished, { now: Date.now(), days }) };
  }
}

const shown = ({ lease_until: _, nightly_id: __, ...run }: RunEntity): Run => run;

const entryOf = (run: RunEntity): HistoryEntry => ({
  run_id: run.run_id,
  status: run.status,
  started_at: run.started_at,
  completed_at: run.completed_at,
  total_tests: run.total_tests,
  passed_tests: run.passed_tests,
  failed_tests: run.failed_tests,
  regression_detected: run.regression_detected,
  regression_severity: run.regression_severity,
});

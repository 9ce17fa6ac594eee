import { Controller, Delete, Get, Patch, Post } from '@nestjs/common';
import { type CaseResult } from '#contracts/case-result.js';
import { AppError, serviceUnavailable } from '#contracts/errors.js';
import { type Page } from '#contracts/page.js';
import { NoInput, type Removed } from '#contracts/request.js';
import {
  changeTestCase,
  createTestCase,
  getTestCase,
  listTestCases,
  NewTestCase,
  removeTestCase,
  type TestCase,
  TestCaseChange,
  TestCaseFilter,
  TestCaseRef,
  TestCaseRemoval,
} from '#contracts/test-case.js';
import {
  awaitNightly,
  awaitRun,
  cancelRun,
  getHistory,
  getRegressionReport,
  getRun,
  HistoryRequest,
  listRunResults,
  NightlyResult,
  type RegressionReport,
  ReportRequest,
  type RequestName,
  type Run,
  RunCancellation,
  RunRef,
  RunRequest,
  RunResult,
  RunResultsRequest,
  startNightly,
  startRun,
  type ValidationHistory,
} from '#contracts/validation.js';
import { Bus } from '#runtime/bus.js';
import { type Caller } from '#runtime/caller.js';
import { By } from './by.decorator.js';
import { IdempotencyKey, TakesIdempotencyKey } from './idempotency-key.decorator.js';
import { IdempotencyStore, sha256 } from './idempotency.store.js';
import { Input, Serves } from './serves.decorator.js';

const wait_ms = 1_000;
/** How long a request waits for a run; the run itself goes on, and is found under its run_id. */
const deadlineMs = 120_000;

@Controller('validation')
export class ValidationController {
  constructor(
    private readonly bus: Bus,
    private readonly idempotency: IdempotencyStore,
  ) {}

  /**
   * Asks again and again instead of once for long, so that a service that dies in between is noticed at once. The run outlives it: one that
   * nobody can be asked about is answered as running.
   */
  @Post('run')
  @Serves({ input: RunRequest, output: RunResult, role: 'editor', from: 'body', summary: 'Run validation tests for a specific model' })
  @TakesIdempotencyKey()
  async run(@Input() input: RunRequest, @IdempotencyKey() key: string | undefined, @By() caller: Caller): Promise<RunResult> {
    const deadline = Date.now() + deadlineMs;
    const request = key === undefined ? undefined : this.requestName(key, input, caller);
    let run: RunResult = await this.bus.ask(startRun, { ...input, request }, caller);
    while (run.status === 'running' && input.wait !== false && Date.now() < deadline) {
      const { run_id } = run;
      const seen = await this.askTwice(() => this.bus.ask(awaitRun, { run_id, wait_ms }, caller)).catch(unlessUnavailable);
      if (!seen) break;
      run = seen;
    }
    const { run_id, status, total_tests, passed_tests, failed_tests, error_tests, regression_detected, regression_severity } = run;
    return { run_id, status, total_tests, passed_tests, failed_tests, error_tests, regression_detected, regression_severity };
  }

  /** The replica that was asked may have died, and another one knows as much. */
  private askTwice<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    return ask().catch((error: unknown) => {
      unlessUnavailable(error);
      return ask();
    });
  }

  private requestName(key: string, { model_id, test_case_ids }: RunRequest, caller: Caller): RequestName {
    const payload = JSON.stringify([model_id, test_case_ids ?? null]);
    return { name: this.idempotency.nameOf(key, 'validation/run', caller), payload_sha256: sha256(payload) };
  }

  @Post('nightly')
  @Serves({
    input: NoInput,
    output: NightlyResult,
    role: 'editor',
    from: 'body',
    summary: 'Trigger nightly validation for all active models',
  })
  async nightly(@Input() input: NoInput, @By() caller: Caller): Promise<NightlyResult> {
    const deadline = Date.now() + deadlineMs;
    let state = await this.bus.ask(startNightly, input, caller);
    while (!state.completed) {
      if (Date.now() > deadline) throw serviceUnavailable('validation');
      const { nightly_id } = state;
      state = await this.askTwice(() => this.bus.ask(awaitNightly, { nightly_id, wait_ms }, caller));
    }
    return state.result;
  }

  @Get('history/:model_id')
  @Serves({ ...getHistory, role: 'viewer', path: ['model_id'], from: 'query', summary: 'Get validation history for a model' })
  getHistory(@Input() input: HistoryRequest, @By() caller: Caller): Promise<ValidationHistory> {
    return this.bus.ask(getHistory, input, caller);
  }

  @Get('regression-report/:model_id')
  @Serves({
    ...getRegressionReport,
    role: 'viewer',
    path: ['model_id'],
    from: 'query',
    summary: 'Get regression analysis report for a model',
  })
  getRegressionReport(@Input() input: ReportRequest, @By() caller: Caller): Promise<RegressionReport> {
    return this.bus.ask(getRegressionReport, input, caller);
  }

  @Get('runs/:run_id')
  @Serves({ ...getRun, role: 'viewer', path: ['run_id'], from: 'query', summary: 'One run with the outcome of every case' })
  getRun(@Input() input: RunRef, @By() caller: Caller): Promise<Run> {
    return this.bus.ask(getRun, input, caller);
  }

  @Get('runs/:run_id/results')
  @Serves({
    ...listRunResults,
    role: 'viewer',
    path: ['run_id'],
    from: 'query',
    summary: 'The outcome of every case of a run, page by page',
  })
  listRunResults(@Input() input: RunResultsRequest, @By() caller: Caller): Promise<Page<CaseResult>> {
    return this.bus.ask(listRunResults, input, caller);
  }

  @Post('runs/:run_id/cancel')
  @Serves({ ...cancelRun, role: 'editor', path: ['run_id'], from: 'body', summary: 'Cancel a run that waits or runs' })
  cancelRun(@Input() input: RunCancellation, @By() caller: Caller): Promise<Run> {
    return this.bus.ask(cancelRun, input, caller);
  }

  @Get('cases')
  @Serves({ ...listTestCases, role: 'viewer', from: 'query', summary: 'List test cases' })
  listTestCases(@Input() input: TestCaseFilter, @By() caller: Caller): Promise<Page<TestCase>> {
    return this.bus.ask(listTestCases, input, caller);
  }

  @Post('cases')
  @Serves({ ...createTestCase, role: 'editor', from: 'body', summary: 'Add a test case' })
  createTestCase(@Input() input: NewTestCase, @By() caller: Caller): Promise<TestCase> {
    return this.bus.ask(createTestCase, input, caller);
  }

  @Get('cases/:test_case_id')
  @Serves({ ...getTestCase, role: 'viewer', path: ['test_case_id'], from: 'query', summary: 'One test case' })
  getTestCase(@Input() input: TestCaseRef, @By() caller: Caller): Promise<TestCase> {
    return this.bus.ask(getTestCase, input, caller);
  }

  @Patch('cases/:test_case_id')
  @Serves({ ...changeTestCase, role: 'editor', path: ['test_case_id'], from: 'body', summary: 'Change a test case' })
  changeTestCase(@Input() input: TestCaseChange, @By() caller: Caller): Promise<TestCase> {
    return this.bus.ask(changeTestCase, input, caller);
  }

  @Delete('cases/:test_case_id')
  @Serves({
    ...removeTestCase,
    role: 'editor',
    path: ['test_case_id'],
    from: 'query',
    summary: 'Remove a test case; runs that had it keep their results',
  })
  removeTestCase(@Input() input: TestCaseRemoval, @By() caller: Caller): Promise<Removed> {
    return this.bus.ask(removeTestCase, input, caller);
  }
}

function unlessUnavailable(error: unknown): undefined {
  if (!(error instanceof AppError) || error.code !== 'SERVICE_UNAVAILABLE') throw error;
}

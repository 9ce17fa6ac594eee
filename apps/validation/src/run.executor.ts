import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { AppError, serviceUnavailable } from '#contracts/errors.js';
import { type Model } from '#contracts/registry.js';
import { type CaseResult } from '#contracts/case-result.js';
import { type RunTrigger } from '#contracts/validation.js';
import { Logger } from '#runtime/logger.js';
import { CasesExecutor } from './cases.executor.js';
import { BaselinesStore } from './comparing/baselines.store.js';
import { ComparisonExecutor } from './comparing/comparison.executor.js';
import { runStatus } from './regression.js';
import { type RunEntity } from './run.entity.js';
import { calledOff, leaseMs, RunsStore } from './runs.store.js';
import { type TestCaseEntity } from './test-case.entity.js';

const maxRunning = 4;
const maxWaiting = 100;
/** How long a stop waits for the runs in hand; the whole process has 25 s. */
const finishWithinMs = 18_000;

/**
 * Runs test cases against model servers. A run is a row from its first moment; whoever runs it renews its lease, and one whose process dies
 * is marked `error` by another replica or the next start. A run that is called off says nothing of the model: it is an `error` without
 * outcomes, and compared with no baseline.
 */
@Injectable()
export class RunExecutor implements OnModuleDestroy {
  private readonly working = new Map<string, Promise<RunEntity>>();
  private readonly waiting: (() => void)[] = [];
  private running = 0;
  private readonly callOff = new AbortController();
  private stopping: Promise<void> | undefined;

  constructor(
    private readonly runs: RunsStore,
    private readonly logger: Logger,
    private readonly cases: CasesExecutor,
    private readonly comparison: ComparisonExecutor,
    private readonly baselines: BaselinesStore,
  ) {}

  onModuleDestroy(): Promise<void> {
    return this.stop();
  }

  /** Begins nothing more, calls off what only waits, and lets what runs come to its end for 18 s. A second call waits for the first. */
  stop(): Promise<void> {
    this.stopping ??= this.finish();
    return this.stopping;
  }

  get isStopping(): boolean {
    return this.stopping !== undefined;
  }

  private async finish(): Promise<void> {
    for (const wake of this.waiting.splice(0)) wake();
    const deadline = setTimeout(() => this.callOff.abort(), finishWithinMs);
    await Promise.allSettled(this.working.values());
    clearTimeout(deadline);
  }

  /** Begins a run and answers at once; `finished` tells when it is over. */
  async start(model: Model, cases: TestCaseEntity[], trigger: RunTrigger, nightly_id: string | null): Promise<RunEntity> {
    if (this.isStopping) throw serviceUnavailable('validation');
    if (this.waiting.length >= maxWaiting) throw new AppError('TOO_MANY_REQUESTS', 'Too many validation runs are waiting; try again later');
    const run = await this.runs.start(model.model_id, cases.length, trigger, nightly_id);
    const work = this.work(run, model, cases).finally(() => this.working.delete(run.run_id));
    this.working.set(run.run_id, work);
    work.catch((error: unknown) => this.logger.failure('A validation run could not be completed', error, { run_id: run.run_id }));
    return run;
  }

  /** The run of this process that has this id, or undefined. */
  finished(run_id: string): Promise<RunEntity> | undefined {
    return this.working.get(run_id);
  }

  private async work(run: RunEntity, model: Model, cases: TestCaseEntity[]): Promise<RunEntity> {
    const alive = setInterval(() => void this.runs.keepAlive(run.run_id).catch(() => undefined), leaseMs / 3);
    await this.turn();
    try {
      const completed = this.isStopping
        ? calledOff(run, 'the service stopped before this run began; run it again')
        : await this.judged(run, model, cases);
      await this.store(completed);
      // Whatever fails here is made up for before the next comparison.
      await this.baselines.follow(model.name).catch((error: unknown) => {
        this.logger.failure('Baselines could not be stored', error, { run_id: run.run_id });
      });
      return completed;
    } finally {
      clearInterval(alive);
      this.running -= 1;
      this.waiting.shift()?.();
    }
  }

  private async turn(): Promise<void> {
    if (this.running >= maxRunning) await new Promise<void>((resolve) => this.waiting.push(resolve));
    this.running += 1;
  }

  private async judged(run: RunEntity, model: Model, cases: TestCaseEntity[]): Promise<RunEntity> {
    const { results, signature_check } = await this.cases.judgeAll(run.run_id, model, cases, this.callOff.signal);
    if (this.callOff.signal.aborted) return calledOff(run, 'the service had to stop before this run was over; run it again');
    const count = (wanted: CaseResult['outcome']): number => results.filter(({ outcome }) => outcome === wanted).length;
    const counts = { passed_tests: count('passed'), failed_tests: count('failed'), error_tests: count('error') };
    const compared = await this.comparison.compare(run.run_id, model, results);
    return {
      ...run,
      ...counts,
      status: runStatus(counts),
      completed_at: new Date().toISOString(),
      ...compared,
      results,
      reason: reasonOf(model, cases),
      signature_check,
    };
  }

  /** The calls were made and will not be made again for want of a database: it is waited for as long as the lease lasts. */
  private async store(run: RunEntity): Promise<void> {
    const deadline = Date.now() + leaseMs;
    for (;;) {
      try {
        return await this.runs.complete(run);
      } catch (error) {
        if (Date.now() > deadline || this.callOff.signal.aborted) throw error;
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    }
  }
}

function reasonOf(model: Model, cases: TestCaseEntity[]): string {
  if (!model.serving) return 'the model says nothing of how it is served; set `serving`';
  return cases.length ? '' : 'no test case applies to the model';
}

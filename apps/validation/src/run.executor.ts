import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { type Counter } from 'prom-client';
import { type CaseResult } from '#contracts/case-result.js';
import { type Model } from '#contracts/registry.js';
import { runAs } from '#runtime/caller.js';
import { Logger } from '#runtime/logger.js';
import { Readiness } from '#runtime/probes.js';
import { Telemetry } from '#runtime/telemetry.js';
import { placeOf } from '#runtime/trace-context.js';
import { type Span } from '#runtime/tracing.js';
import { CasesExecutor } from './cases.executor.js';
import { BaselinesStore } from './comparing/baselines.store.js';
import { ComparisonExecutor } from './comparing/comparison.executor.js';
import { FactRelay } from './fact.relay.js';
import { runStatus } from './regression.js';
import { type RunEntity } from './run.entity.js';
import { type ClaimedRun, RunClaims } from './run-claims.store.js';
import { eventOf } from './run-event.js';
import { RunNotices } from './run.notices.js';
import { TestCasesStore } from './test-cases.store.js';
import { ValidationConfig } from './validation.config.js';

const retryMs = 500;

/** A run that this process has taken. */
interface Work {
  /** Aborted when this process is no longer to bring it to its end: cancelled, taken over, or given back. */
  callOff: AbortController;
  ended: Promise<void>;
}

/**
 * Runs test cases against model servers: takes the runs whose turn it is, renews their leases while it runs them, and writes down how they
 * ended. A process that is killed leaves its runs to whoever finds their leases run out; one that was frozen meanwhile writes nothing more.
 */
@Injectable()
export class RunExecutor implements OnModuleDestroy {
  private readonly working = new Map<string, Work>();
  private filling: Promise<void> | undefined;
  private asked = false;
  private stopping: Promise<void> | undefined;
  private readonly finished: Counter<'status'>;

  constructor(
    private readonly claims: RunClaims,
    private readonly testCases: TestCasesStore,
    private readonly cases: CasesExecutor,
    private readonly comparison: ComparisonExecutor,
    private readonly baselines: BaselinesStore,
    private readonly relay: FactRelay,
    private readonly config: ValidationConfig,
    private readonly logger: Logger,
    private readonly readiness: Readiness,
    notices: RunNotices,
    private readonly telemetry: Telemetry,
  ) {
    telemetry.gauge('emr_validation_runs_in_hand', 'Validation runs that this replica runs now.', () => [
      { labels: {}, value: this.working.size },
    ]);
    this.finished = telemetry.counter('emr_validation_runs_finished_total', 'Validation runs that were run to their end, by result.', [
      'status',
    ]);
    for (const status of ['passed', 'failed', 'error']) this.finished.inc({ status }, 0);
    notices.onOver((run_id) => this.working.get(run_id)?.callOff.abort());
  }

  onModuleDestroy(): Promise<void> {
    return this.stop();
  }

  /** Whether this process takes nothing more. */
  private get isStopping(): boolean {
    return this.readiness.isStopping || this.stopping !== undefined;
  }

  /** Takes nothing more, lets what runs come to its end for a while and gives back what then still runs. A second call waits for the first. */
  stop(): Promise<void> {
    this.stopping ??= this.finish();
    return this.stopping;
  }

  /** Takes what may be run now, the oldest first, until this process has enough or nothing is left. */
  fill(): Promise<void> {
    this.asked = true;
    this.filling ??= this.take().then(() => {
      this.filling = undefined;
      // It may have been asked for in this very moment.
      return this.asked ? this.fill() : undefined;
    });
    return this.filling;
  }

  /** Resolves when this process has done with the run; undefined where it does not have it. */
  ended(run_id: string): Promise<void> | undefined {
    return this.working.get(run_id)?.ended;
  }

  private async finish(): Promise<void> {
    const deadline = setTimeout(() => {
      for (const { callOff } of this.working.values()) callOff.abort();
    }, this.config.VALIDATION_FINISH_SECONDS * 1000);
    await this.filling;
    await Promise.all([...this.working.values()].map(({ ended }) => ended));
    clearTimeout(deadline);
  }

  private async take(): Promise<void> {
    try {
      while (this.asked) {
        this.asked = false;
        while (!this.isStopping && this.working.size < this.config.VALIDATION_MAX_RUNNING_PER_REPLICA) {
          const run = await this.claims.next();
          if (!run) break;
          const callOff = new AbortController();
          this.working.set(run.run_id, { callOff, ended: this.work(run, callOff) });
        }
      }
    } catch (error) {
      this.logger.failure('Could not look for validation runs; trying again', error);
    }
  }

  private async work(run: ClaimedRun, callOff: AbortController): Promise<void> {
    const span = this.spanOf(run);
    const attempt = (): Promise<void> => this.attempt(run, callOff);
    await (span ? span.run(attempt) : attempt());
    span?.end();
    this.working.delete(run.run_id);
    void this.fill();
  }

  /** Linked, since whoever asked for the run has long been answered. */
  private spanOf({ run_id, work }: ClaimedRun): Span | undefined {
    const place = placeOf(work.traceparent ?? undefined);
    const attributes = { 'emr.run_id': run_id };
    return place ? this.telemetry.tracing?.begin({ name: 'run validation', role: 'internal', attributes, links: [place] }) : undefined;
  }

  /** Never throws: an attempt that fails is as good as one whose process died, and its lease runs out. */
  private async attempt(run: ClaimedRun, callOff: AbortController): Promise<void> {
    const { signal } = callOff;
    let done = 0;
    let told = 0;
    const beat = async (): Promise<void> => {
      if (!(await this.claims.renew(run, done))) return callOff.abort();
      if (done > told) this.relay.passOn(eventOf({ ...run, done_tests: done }, 'progress', new Date().toISOString()));
      told = done;
    };
    // Missed beats are no harm: as long as nobody has taken the run over, it is this attempt's.
    const beating = setInterval(() => void beat().catch(() => undefined), this.config.beatMs);
    try {
      const completed = await runAs(run.work.caller, () => this.judged(run, { signal, judged: () => (done += 1) }));
      await this.store(completed, signal);
      // Whatever fails here is made up for before the next comparison.
      await this.baselines.follow(run.work.model.name).catch((error: unknown) => {
        this.logger.failure('Baselines could not be stored', error, { run_id: run.run_id });
      });
    } catch (error) {
      if (!signal.aborted) this.logger.failure('A validation run could not be completed', error, { run_id: run.run_id });
    } finally {
      clearInterval(beating);
    }
    if (signal.aborted) await this.giveBack(run);
  }

  private async judged(run: ClaimedRun, { signal, judged }: { signal: AbortSignal; judged: () => void }): Promise<RunEntity> {
    const { model } = run.work;
    const cases = await this.testCases.atRevisions(run.work.cases);
    const { results, signature_check } = await this.cases.judgeAll(run, model, cases, { signal, judged });
    const count = (wanted: CaseResult['outcome']): number => results.filter(({ outcome }) => outcome === wanted).length;
    const counts = { passed_tests: count('passed'), failed_tests: count('failed'), error_tests: count('error') };
    const compared = await this.comparison.compare(run.run_id, model, results);
    return {
      ...run,
      ...counts,
      status: runStatus(counts),
      completed_at: new Date().toISOString(),
      done_tests: run.total_tests,
      ...compared,
      results,
      reason: reasonOf(model, cases.length),
      signature_check,
    };
  }

  /** The calls were made and will not be made again for want of a database: it is waited for until another attempt begins. */
  private async store(run: RunEntity, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.claims.complete(run);
        this.finished.inc({ status: run.status });
        return;
      } catch (error) {
        this.logger.failure('Could not store a validation run; trying again', error, { run_id: run.run_id });
        await new Promise((resolve) => setTimeout(resolve, retryMs));
      }
    }
  }

  private async giveBack(run: RunEntity): Promise<void> {
    await this.claims.release(run).catch((error: unknown) => {
      this.logger.failure('Could not give a validation run back; its lease will run out', error, { run_id: run.run_id });
    });
  }
}

function reasonOf({ serving }: Model, cases: number): string {
  if (!serving) return 'the model says nothing of how it is served; set `serving`';
  return cases > 0 ? '' : 'no test case applies to the model';
}

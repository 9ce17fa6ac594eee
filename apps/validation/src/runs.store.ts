import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { In, LessThan, MoreThan, Repository } from 'typeorm';
import { AppError } from '#contracts/errors.js';
import { type RunTrigger } from '#contracts/validation.js';
import { RunEntity } from './run.entity.js';

/** How long a run may go without a sign of whoever runs it. */
export const leaseMs = 15_000;

const dayMs = 86_400_000;
/** What a history shows and a report reads at the most. */
const maxRuns = 1_000;

export const leaseFrom = (now: number): string => new Date(now + leaseMs).toISOString();

export const runNotFound = (run_id: string): AppError => new AppError('RUN_NOT_FOUND', `Run ${run_id} not found`);

/** A run of which nothing is known but that it did not come to its end. */
export const calledOff = (run: RunEntity, reason: string): RunEntity => ({
  ...run,
  status: 'error',
  completed_at: new Date().toISOString(),
  error_tests: run.total_tests,
  reason,
});

@Injectable()
export class RunsStore {
  constructor(@InjectRepository(RunEntity, 'validation') private readonly runs: Repository<RunEntity>) {}

  find(run_id: string): Promise<RunEntity | null> {
    return this.runs.findOneBy({ run_id });
  }

  /** `validation_<model_id>_<unix seconds>`; where that second is taken, the next one that is free. */
  async start(model_id: string, total_tests: number, trigger: RunTrigger, nightly_id: string | null): Promise<RunEntity> {
    const now = Date.now();
    const run: RunEntity = {
      run_id: '',
      model_id,
      trigger,
      nightly_id,
      status: 'running',
      started_at: new Date(now).toISOString(),
      completed_at: null,
      lease_until: leaseFrom(now),
      total_tests,
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
    };
    for (let second = Math.floor(now / 1000); ; second++) {
      const named = { ...run, run_id: `validation_${model_id}_${second}` };
      const inserted = await this.runs
        .createQueryBuilder()
        .insert()
        .values(named as never)
        .orIgnore()
        .returning('run_id')
        .execute();
      if ((inserted.raw as unknown[]).length > 0) return named;
    }
  }

  async keepAlive(run_id: string): Promise<void> {
    await this.runs.update({ run_id, status: 'running' }, { lease_until: leaseFrom(Date.now()) });
  }

  /** Only a run that is still running: one given up meanwhile stays as it was marked. */
  async complete(run: RunEntity): Promise<void> {
    await this.runs.update({ run_id: run.run_id, status: 'running' }, run as never);
  }

  /** Marks runs whose process died as `error`; so that none stays `running`. */
  async giveUpLost(): Promise<void> {
    const lost = await this.runs.findBy({ status: 'running', lease_until: LessThan(new Date().toISOString()) });
    for (const run of lost) {
      await this.complete(calledOff(run, 'the service stopped while this ran'));
    }
  }

  /** Newest first. */
  since(model_id: string, days: number): Promise<RunEntity[]> {
    return this.runs.find({
      where: { model_id, started_at: MoreThan(new Date(Date.now() - days * dayMs).toISOString()) },
      order: { started_at: 'DESC', run_id: 'DESC' },
      take: maxRuns,
      // The outcome of every case is large, and neither history nor report shows it.
      select: {
        run_id: true,
        status: true,
        started_at: true,
        completed_at: true,
        total_tests: true,
        passed_tests: true,
        failed_tests: true,
        regression_detected: true,
        regression_severity: true,
      },
    });
  }

  ofNightly(nightly_id: string): Promise<RunEntity[]> {
    return this.runs.find({
      where: { nightly_id, status: In(['passed', 'failed', 'error']) },
      select: { run_id: true, status: true, regression_detected: true },
    });
  }
}

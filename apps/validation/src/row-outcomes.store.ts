import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { type RowOutcome } from './judging/rows.js';
import { RowOutcomesEntity } from './row-outcomes.entity.js';
import { packed, unpacked } from './row-outcomes.js';
import { RunEntity } from './run.entity.js';

@Injectable()
export class RowOutcomesStore {
  constructor(private readonly database: DataSource) {}

  /**
   * A run that is taken over judges its cases again: what the latest attempt found counts. The run's row is locked, so that no other attempt
   * begins in between; what an earlier one brings is left aside.
   */
  async keep(
    { run_id, attempt }: Pick<RunEntity, 'run_id' | 'attempt'>,
    of: { test_case_id: string; data_set_id: string },
    outcomes: RowOutcome[],
  ): Promise<void> {
    const bytes = await packed(outcomes);
    await this.database.transaction(async (manager) => {
      const where = { run_id, attempt, status: 'running' } as const;
      const run = await manager.findOne(RunEntity, { where, select: { run_id: true }, lock: { mode: 'pessimistic_read' } });
      if (run) await manager.upsert(RowOutcomesEntity, { run_id, ...of, outcomes: bytes }, ['run_id', 'test_case_id']);
    });
  }

  /** What a regression case's rows came to, in their order; null where the run has no such case. */
  async of(run_id: string, test_case_id: string): Promise<{ data_set_id: string; outcomes: RowOutcome[] } | null> {
    const stored = await this.database.manager.findOneBy(RowOutcomesEntity, { run_id, test_case_id });
    return stored && { data_set_id: stored.data_set_id, outcomes: await unpacked(stored.outcomes) };
  }
}

import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { type RowOutcome } from './judging/rows.js';
import { RowOutcomesEntity } from './row-outcomes.entity.js';
import { packed, unpacked } from './row-outcomes.js';

@Injectable()
export class RowOutcomesStore {
  constructor(private readonly database: DataSource) {}

  /** A run that is taken over judges its cases again: what came last counts. */
  async keep(of: { run_id: string; test_case_id: string; data_set_id: string }, outcomes: RowOutcome[]): Promise<void> {
    await this.database.manager.upsert(RowOutcomesEntity, { ...of, outcomes: await packed(outcomes) }, ['run_id', 'test_case_id']);
  }

  /** What a regression case's rows came to, in their order; null where the run has no such case. */
  async of(run_id: string, test_case_id: string): Promise<{ data_set_id: string; outcomes: RowOutcome[] } | null> {
    const stored = await this.database.manager.findOneBy(RowOutcomesEntity, { run_id, test_case_id });
    return stored && { data_set_id: stored.data_set_id, outcomes: await unpacked(stored.outcomes) };
  }
}

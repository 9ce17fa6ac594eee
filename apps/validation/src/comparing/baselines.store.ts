import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager, In } from 'typeorm';
import { KnownModels } from '../known-models.store.js';
import { BaselineEntity } from './baseline.entity.js';
import { followStable } from './follow-stable.js';

@Injectable()
export class BaselinesStore {
  constructor(
    private readonly database: DataSource,
    private readonly known: KnownModels,
  ) {}

  /**
   * Stores what the stable version of this name has passed since: after each of its runs, when a version becomes stable, and before runs are
   * compared, so that what a process that was killed did not come to is made up for.
   */
  async follow(name: string, manager: EntityManager = this.database.manager): Promise<void> {
    const stable = this.known.stableVersionOf(name);
    if (stable) await followStable(manager, stable);
  }

  /** Those there are, by test case. */
  async of(name: string, test_case_ids: string[]): Promise<Map<string, BaselineEntity>> {
    const found = await this.database.manager.findBy(BaselineEntity, { name, test_case_id: In(test_case_ids) });
    return new Map(found.map((baseline) => [baseline.test_case_id, baseline]));
  }
}

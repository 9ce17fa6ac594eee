import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { type DueModel, modelsView, type RetentionResult } from '#contracts/registry.js';
import { AuditStore } from '#runtime/audit.store.js';
import { Outbox } from '#runtime/outbox.js';
import { ModelEntity } from './model.entity.js';

const due = `status = 'retired' AND retired_at + make_interval(days => retention_days) <= now()`;

/**
 * Removes retired models whose `retention_days` are over. The followers of the models' view remove metrics, runs and flags; the audit stays.
 * Replicas that run at the same time share the work: a row that one has locked is passed over by the others.
 */
@Injectable()
export class RetentionStore {
  constructor(
    private readonly database: DataSource,
    private readonly audit: AuditStore,
    private readonly outbox: Outbox,
  ) {}

  async run(dry_run: boolean): Promise<RetentionResult> {
    const models = dry_run ? await this.list() : await this.remove();
    this.outbox.flush();
    return { dry_run, models };
  }

  private async list(): Promise<DueModel[]> {
    const rows = await this.database
      .getRepository(ModelEntity)
      .createQueryBuilder('model')
      .where(due)
      .orderBy('retired_at')
      .take(1000)
      .getMany();
    return rows.map(dueModelOf);
  }

  private async remove(): Promise<DueModel[]> {
    return this.database.transaction(async (manager) => {
      const rows = await manager
        .createQueryBuilder(ModelEntity, 'model')
        .where(due)
        .orderBy('retired_at')
        .take(1000)
        .setLock('pessimistic_write')
        .setOnLocked('skip_locked')
        .getMany();
      for (const model of rows) {
        await manager.delete(ModelEntity, { model_id: model.model_id });
        await this.audit.write(manager, {
          action: 'model.removed',
          subject_type: 'model',
          subject_id: model.model_id,
          reason: `retired at ${model.retired_at}, kept for ${model.retention_days} days`,
          before: model,
          after: null,
        });
        await this.outbox.remove(manager, modelsView, model.model_id);
      }
      return rows.map(dueModelOf);
    });
  }
}

const dueModelOf = ({ model_id, name, version, retired_at, retention_days }: ModelEntity): DueModel => ({
  model_id,
  name,
  version,
  retired_at: retired_at ?? '',
  retention_days,
});

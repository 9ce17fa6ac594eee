import { Injectable } from '@nestjs/common';
import { type EntityManager } from 'typeorm';
import { type GateRequirement } from '#contracts/promotion.js';
import { modelsView, type ModelStatus } from '#contracts/registry.js';
import { AuditStore } from '#runtime/audit.store.js';
import { Outbox } from '#runtime/outbox.js';
import { ModelEntity } from './model.entity.js';

/** Changes of models, with all that belongs to one: its revision, its audit, and the view that others follow. */
@Injectable()
export class ModelChanges {
  constructor(
    private readonly audit: AuditStore,
    private readonly outbox: Outbox,
  ) {}

  async save(
    manager: EntityManager,
    before: ModelEntity,
    change: Partial<ModelEntity>,
    action: string,
    reason: string | null,
  ): Promise<ModelEntity> {
    const after: ModelEntity = { ...before, ...change, updated_at: new Date().toISOString(), revision: before.revision + 1 };
    await manager.save(ModelEntity, after);
    await this.audit.write(manager, { action, subject_type: 'model', subject_id: before.model_id, reason, before, after });
    await this.outbox.put(manager, modelsView, after);
    return after;
  }

  /** A promotion that is made although not all of its requirements are met. */
  async tellOfOverride(
    manager: EntityManager,
    { model_id }: ModelEntity,
    to: ModelStatus,
    requirements: GateRequirement[],
    reason: string,
  ): Promise<void> {
    await this.audit.write(manager, {
      action: 'model.gate_overridden',
      subject_type: 'model',
      subject_id: model_id,
      reason,
      before: null,
      after: { to, requirements },
    });
  }
}

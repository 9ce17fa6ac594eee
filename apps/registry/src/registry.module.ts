import { type DynamicModule, Module } from '@nestjs/common';
import { ScheduleModule } from '@nestjs/schedule';
import { AuditEntity } from '#runtime/audit.entity.js';
import { AuditStore } from '#runtime/audit.store.js';
import { DatabaseModule, type Schema } from '#runtime/database.module.js';
import { OutboxEntity } from '#runtime/outbox.entity.js';
import { Outbox } from '#runtime/outbox.js';
import { type RunningService, startService } from '#runtime/service.js';
import { AppliedRolloutEntity } from './applied-rollout.entity.js';
import { KeyEntity } from './key.entity.js';
import { RegistryKeyUse1700000000030 } from './key-use.migration.js';
import { KeysHandlers } from './keys.handlers.js';
import { ModelChanges } from './model-changes.store.js';
import { ModelEntity } from './model.entity.js';
import { ModelsStore } from './models.store.js';
import { Registry1700000000002 } from './objectives.migration.js';
import { PromotionGate } from './promotion-gate.store.js';
import { PromotionPolicyEntity } from './promotion-policy.entity.js';
import { PromotionPolicyHandlers } from './promotion-policy.handlers.js';
import { PromotionPolicy1700000000015 } from './promotion-policy.migration.js';
import { RegistryConfig } from './registry.config.js';
import { RegistryHandlers } from './registry.handlers.js';
import { RegistryMeasurements } from './registry.measurements.js';
import { Registry1700000000001 } from './registry.migration.js';
import { RetentionHandlers } from './retention.handlers.js';
import { RetentionSchedule } from './retention.schedule.js';
import { RetentionStore } from './retention.store.js';
import { RolloutsHandlers } from './rollouts.handlers.js';
import { RegistryRollouts1700000000022 } from './rollouts.migration.js';
import { RegistryTraces1700000000035 } from './traces.migration.js';

export const registrySchema: Schema = {
  name: 'registry',
  entities: [ModelEntity, PromotionPolicyEntity, KeyEntity, AppliedRolloutEntity, AuditEntity, OutboxEntity],
  migrations: [
    Registry1700000000001,
    Registry1700000000002,
    PromotionPolicy1700000000015,
    RegistryRollouts1700000000022,
    RegistryKeyUse1700000000030,
    RegistryTraces1700000000035,
  ],
};

@Module({})
export class RegistryModule {
  static with(config: RegistryConfig): DynamicModule {
    return {
      module: RegistryModule,
      imports: [DatabaseModule.forSchema(registrySchema, config), ScheduleModule.forRoot()],
      controllers: [RegistryHandlers, PromotionPolicyHandlers, KeysHandlers, RetentionHandlers, RolloutsHandlers],
      providers: [
        { provide: RegistryConfig, useValue: config },
        AuditStore,
        Outbox,
        ModelsStore,
        ModelChanges,
        PromotionGate,
        RetentionStore,
        RetentionSchedule,
        RegistryMeasurements,
      ],
    };
  }
}

export const startRegistry = (config: RegistryConfig): Promise<RunningService> =>
  startService('registry', RegistryModule.with(config), config);

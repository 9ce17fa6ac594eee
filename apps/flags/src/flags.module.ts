import { type DynamicModule, Module } from '@nestjs/common';
import { AuditEntity } from '#runtime/audit.entity.js';
import { AuditStore } from '#runtime/audit.store.js';
import { type ServiceConfig } from '#runtime/config.js';
import { DatabaseModule, type Schema } from '#runtime/database.module.js';
import { OutboxEntity } from '#runtime/outbox.entity.js';
import { Outbox } from '#runtime/outbox.js';
import { type RunningService, startService } from '#runtime/service.js';
import { Flags1700000000002 } from './definitions.migration.js';
import { EvaluatorEntity } from './evaluator.entity.js';
import { EvaluatorsStore } from './evaluators.store.js';
import { FlagEntity } from './flag.entity.js';
import { FlagsHandlers } from './flags.handlers.js';
import { Flags1700000000001 } from './flags.migration.js';
import { FlagsStore } from './flags.store.js';

export const flagsSchema: Schema = {
  name: 'flags',
  entities: [FlagEntity, EvaluatorEntity, AuditEntity, OutboxEntity],
  migrations: [Flags1700000000001, Flags1700000000002],
};

@Module({})
export class FlagsModule {
  static with(config: ServiceConfig): DynamicModule {
    return {
      module: FlagsModule,
      imports: [DatabaseModule.forSchema(flagsSchema, config)],
      controllers: [FlagsHandlers],
      providers: [AuditStore, Outbox, FlagsStore, EvaluatorsStore],
    };
  }
}

export const startFlags = (config: ServiceConfig): Promise<RunningService> => startService('flags', FlagsModule.with(config), config);

import { type DynamicModule, Module } from '@nestjs/common';
import { ScheduleModule } from '@nestjs/schedule';
import { type ServiceConfig } from '#runtime/config.js';
import { DatabaseModule, type Schema } from '#runtime/database.module.js';
import { type RunningService, startService } from '#runtime/service.js';
import { IngestConsumer } from './ingest/ingest.consumer.js';
import { IngestStore } from './ingest/ingest.store.js';
import { KnownModels } from './known-models.store.js';
import { WindowsHandlers } from './windows/windows.handlers.js';
import { Metrics1700000000001 } from './metrics.migration.js';
import { DeadLetterEntity, IngestLedgerEntity, ModelWindowEntity } from './windows/model-window.entity.js';
import { PruneSchedule } from './windows/prune.schedule.js';

export const metricsSchema: Schema = {
  name: 'metrics',
  entities: [ModelWindowEntity, IngestLedgerEntity, DeadLetterEntity],
  migrations: [Metrics1700000000001],
};

@Module({})
export class MetricsModule {
  static with(config: ServiceConfig): DynamicModule {
    return {
      module: MetricsModule,
      imports: [DatabaseModule.forSchema(metricsSchema, config), ScheduleModule.forRoot()],
      controllers: [WindowsHandlers],
      providers: [KnownModels, IngestStore, IngestConsumer, PruneSchedule],
    };
  }
}

export const startMetrics = (config: ServiceConfig): Promise<RunningService> => startService('metrics', MetricsModule.with(config), config);

import { type DynamicModule, Module } from '@nestjs/common';
import { ScheduleModule } from '@nestjs/schedule';
import { ServiceConfig } from '#runtime/config.js';
import { DatabaseModule, type Schema } from '#runtime/database.module.js';
import { type RunningService, startService } from '#runtime/service.js';
import { IngestConsumer } from './ingest/ingest.consumer.js';
import { IngestStore } from './ingest/ingest.store.js';
import { KnownModels } from './known-models.store.js';
import { WindowsHandlers } from './windows/windows.handlers.js';
import { Metrics1700000000001 } from './metrics.migration.js';
import { DeadLetterEntity } from './ingest/dead-letter.entity.js';
import { CountedEventEntity, IngestLedgerEntity } from './ingest/ledger.entity.js';
import { ModelWindowEntity } from './windows/model-window.entity.js';
import { PruneSchedule } from './windows/prune.schedule.js';

export const metricsSchema: Schema = {
  name: 'metrics',
  entities: [ModelWindowEntity, IngestLedgerEntity, CountedEventEntity, DeadLetterEntity],
  migrations: [Metrics1700000000001],
};

@Module({})
export class MetricsModule {
  static with(config: ServiceConfig): DynamicModule {
    return {
      module: MetricsModule,
      imports: [DatabaseModule.forSchema(metricsSchema, config), ScheduleModule.forRoot()],
      controllers: [WindowsHandlers],
      providers: [{ provide: ServiceConfig, useValue: config }, KnownModels, IngestStore, IngestConsumer, PruneSchedule],
    };
  }
}

export const startMetrics = (config: ServiceConfig): Promise<RunningService> => startService('metrics', MetricsModule.with(config), config);

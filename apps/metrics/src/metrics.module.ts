import { type DynamicModule, Module } from '@nestjs/common';
import { ScheduleModule } from '@nestjs/schedule';
import { AuditEntity } from '#runtime/audit.entity.js';
import { AuditStore } from '#runtime/audit.store.js';
import { DatabaseModule, type Schema } from '#runtime/database.module.js';
import { type RunningService, startService } from '#runtime/service.js';
import { AlertEntity, AlertRuleEntity, SilenceEntity } from './alerts/alert.entity.js';
import { AlertsHandlers } from './alerts/alerts.handlers.js';
import { Metrics1700000000002 } from './alerts/alerts.migration.js';
import { AlertsSchedule } from './alerts/alerts.schedule.js';
import { AlertsStore } from './alerts/alerts.store.js';
import { DeliveriesStore } from './alerts/deliveries.store.js';
import { DeliveryExecutor } from './alerts/delivery.executor.js';
import { egressProvider } from './alerts/egress.provider.js';
import { RolloutDeliveries1700000000034 } from './alerts/rollout-deliveries.migration.js';
import { RolloutEventsHandlers } from './alerts/rollout-events.handlers.js';
import { RulesHandlers } from './alerts/rules.handlers.js';
import { SilencesHandlers } from './alerts/silences.handlers.js';
import { DeliveryEntity, WebhookEntity } from './alerts/webhook.entity.js';
import { WebhooksHandlers } from './alerts/webhooks.handlers.js';
import { AuditHandlers } from './audit.handlers.js';
import { EvaluationSchedule } from './health/evaluation.schedule.js';
import { HealthViewRelay } from './health/health-view.relay.js';
import { HealthStore } from './health/health.store.js';
import { EvaluationEntity, ModelHealthEntity } from './health/model-health.entity.js';
import { RecentWindowsStore } from './health/recent-windows.store.js';
import { ErrorTypes } from './ingest/error-types.js';
import { IngestConsumer } from './ingest/ingest.consumer.js';
import { IngestStore } from './ingest/ingest.store.js';
import { KnownModels } from './known-models.store.js';
import { WindowsHandlers } from './windows/windows.handlers.js';
import { MetricsConfig } from './metrics.config.js';
import { MetricsMeasurements } from './metrics.measurements.js';
import { Metrics1700000000001 } from './metrics.migration.js';
import { DeadLettersHandlers } from './ingest/dead-letters.handlers.js';
import { DeadLettersStore } from './ingest/dead-letters.store.js';
import { DaysStore } from './windows/days.store.js';
import { FoldSchedule } from './windows/fold.schedule.js';
import { FoldStore } from './windows/fold.store.js';
import { WindowsStore } from './windows/windows.store.js';
import { DeadLetterEntity } from './ingest/dead-letter.entity.js';
import { CountedEventEntity, IngestLedgerEntity } from './ingest/ledger.entity.js';
import { ModelWindowEntity } from './windows/model-window.entity.js';
import { PruneSchedule } from './windows/prune.schedule.js';
import { MetricsTraces1700000000035 } from './traces.migration.js';

export const metricsSchema: Schema = {
  name: 'metrics',
  entities: [
    ModelWindowEntity,
    IngestLedgerEntity,
    CountedEventEntity,
    DeadLetterEntity,
    ModelHealthEntity,
    EvaluationEntity,
    AlertRuleEntity,
    AlertEntity,
    SilenceEntity,
    WebhookEntity,
    DeliveryEntity,
    AuditEntity,
  ],
  migrations: [Metrics1700000000001, Metrics1700000000002, RolloutDeliveries1700000000034, MetricsTraces1700000000035],
};

@Module({})
export class MetricsModule {
  static with(config: MetricsConfig): DynamicModule {
    return {
      module: MetricsModule,
      imports: [DatabaseModule.forSchema(metricsSchema, config), ScheduleModule.forRoot()],
      controllers: [
        WindowsHandlers,
        DeadLettersHandlers,
        RulesHandlers,
        AlertsHandlers,
        SilencesHandlers,
        WebhooksHandlers,
        RolloutEventsHandlers,
        AuditHandlers,
      ],
      providers: [
        { provide: MetricsConfig, useValue: config },
        { provide: ErrorTypes, useValue: new ErrorTypes(config.errorTypeRules) },
        KnownModels,
        MetricsMeasurements,
        IngestStore,
        IngestConsumer,
        AuditStore,
        WindowsStore,
        DaysStore,
        FoldStore,
        FoldSchedule,
        DeadLettersStore,
        PruneSchedule,
        RecentWindowsStore,
        HealthStore,
        HealthViewRelay,
        EvaluationSchedule,
        egressProvider,
        AlertsStore,
        AlertsSchedule,
        DeliveriesStore,
        DeliveryExecutor,
      ],
    };
  }
}

export const startMetrics = (config: MetricsConfig): Promise<RunningService> => startService('metrics', MetricsModule.with(config), config);

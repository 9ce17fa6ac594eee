import { type DynamicModule, Module } from '@nestjs/common';
import { AuditEntity } from '#runtime/audit.entity.js';
import { AuditStore } from '#runtime/audit.store.js';
import { DatabaseModule, type Schema } from '#runtime/database.module.js';
import { OutboxEntity } from '#runtime/outbox.entity.js';
import { Outbox } from '#runtime/outbox.js';
import { type RunningService, startService } from '#runtime/service.js';
import { Flags1700000000002 } from './definitions.migration.js';
import { EvaluatorEntity } from './evaluator.entity.js';
import { EvaluatorsHandlers } from './evaluators.handlers.js';
import { EvaluatorsStore } from './evaluators.store.js';
import { FlagEntity } from './flag.entity.js';
import { FlagsConfig } from './flags.config.js';
import { FlagsHandlers } from './flags.handlers.js';
import { FlagsMeasurements } from './flags.measurements.js';
import { Flags1700000000001 } from './flags.migration.js';
import { FlagsStore } from './flags.store.js';
import { FlagBindings } from './flag-bindings.store.js';
import { ModelsStore } from './models.store.js';
import { ImportHandlers } from './import/import.handlers.js';
import { RolloutAnalysisHandlers } from './rollouts/analysis.handlers.js';
import { DecisionsStore } from './rollouts/decisions.store.js';
import { Moves } from './rollouts/moves.store.js';
import { PendingExecutor } from './rollouts/pending.executor.js';
import { RolloutDecisionEntity, RolloutEntity, RolloutEventEntity } from './rollouts/rollout.entity.js';
import { RolloutRetentionSchedule } from './rollouts/retention.schedule.js';
import { RolloutRetentionStore } from './rollouts/retention.store.js';
import { RolloutEvents1700000000034 } from './rollouts/rollout-events.migration.js';
import { RolloutEvents } from './rollouts/rollout-events.relay.js';
import { RolloutsHandlers } from './rollouts/rollouts.handlers.js';
import { Rollouts1700000000022 } from './rollouts/rollouts.migration.js';
import { RolloutsSchedule } from './rollouts/rollouts.schedule.js';
import { RolloutsStore } from './rollouts/rollouts.store.js';
import { TickExecutor } from './rollouts/tick.executor.js';
import { CountedModels } from './selection/counted-models.store.js';
import { ModelStates } from './selection/model-states.store.js';
import { BanditPoolEntity, ModelStateEntity, SelectionTickEntity } from './selection/selection.entity.js';
import { SelectionHandlers } from './selection/selection.handlers.js';
import { Selection1700000000025 } from './selection/selection.migration.js';
import { SelectionSchedule } from './selection/selection.schedule.js';
import { SelectionStore } from './selection/selection.store.js';
import { FlagsTraces1700000000035 } from './traces.migration.js';

export const flagsSchema: Schema = {
  name: 'flags',
  entities: [
    FlagEntity,
    EvaluatorEntity,
    RolloutEntity,
    RolloutDecisionEntity,
    RolloutEventEntity,
    SelectionTickEntity,
    ModelStateEntity,
    BanditPoolEntity,
    AuditEntity,
    OutboxEntity,
  ],
  migrations: [
    Flags1700000000001,
    Flags1700000000002,
    Rollouts1700000000022,
    Selection1700000000025,
    RolloutEvents1700000000034,
    FlagsTraces1700000000035,
  ],
};

@Module({})
export class FlagsModule {
  static with(config: FlagsConfig): DynamicModule {
    return {
      module: FlagsModule,
      imports: [DatabaseModule.forSchema(flagsSchema, config)],
      controllers: [FlagsHandlers, EvaluatorsHandlers, ImportHandlers, RolloutsHandlers, RolloutAnalysisHandlers, SelectionHandlers],
      providers: [
        { provide: FlagsConfig, useValue: config },
        AuditStore,
        Outbox,
        FlagsStore,
        EvaluatorsStore,
        RolloutsStore,
        DecisionsStore,
        Moves,
        RolloutEvents,
        PendingExecutor,
        TickExecutor,
        RolloutsSchedule,
        RolloutRetentionStore,
        RolloutRetentionSchedule,
        CountedModels,
        FlagBindings,
        ModelStates,
        ModelsStore,
        SelectionStore,
        SelectionSchedule,
        FlagsMeasurements,
      ],
    };
  }
}

export const startFlags = (config: FlagsConfig): Promise<RunningService> => startService('flags', FlagsModule.with(config), config);

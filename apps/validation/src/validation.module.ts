import { type DynamicModule, Module } from '@nestjs/common';
import { ScheduleModule } from '@nestjs/schedule';
import { AuditEntity } from '#runtime/audit.entity.js';
import { AuditStore } from '#runtime/audit.store.js';
import { DatabaseModule, type Schema } from '#runtime/database.module.js';
import { type RunningService, startService } from '#runtime/service.js';
import { CasesExecutor } from './cases.executor.js';
import { Cases1700000000011 } from './cases.migration.js';
import { SignatureEntity } from './calling/signature.entity.js';
import { SignaturesStore } from './calling/signatures.store.js';
import { waysProvider } from './calling/ways.provider.js';
import { BaselineEntity } from './comparing/baseline.entity.js';
import { BaselinesHandlers } from './comparing/baselines.handlers.js';
import { BaselinesStore } from './comparing/baselines.store.js';
import { Comparing1700000000014 } from './comparing/comparing.migration.js';
import { ComparisonExecutor } from './comparing/comparison.executor.js';
import { PolicyNames1700000000022 } from './comparing/policy-names.migration.js';
import { PolicyEntity } from './comparing/policy.entity.js';
import { PolicyHandlers } from './comparing/policy.handlers.js';
import { PolicyStore } from './comparing/policy.store.js';
import { DataSetEntity, PieceEntity, UploadEntity } from './data-sets/data-set.entity.js';
import { DataSetsHandlers } from './data-sets/data-sets.handlers.js';
import { DataSets1700000000012 } from './data-sets/data-sets.migration.js';
import { DataSetsStore } from './data-sets/data-sets.store.js';
import { DurableRuns1700000000021 } from './durable-runs.migration.js';
import { FactRelay } from './fact.relay.js';
import { KnownModels } from './known-models.store.js';
import { NightlyExecutor } from './nightly.executor.js';
import { NightlyHandlers } from './nightly.handlers.js';
import { RowOutcomesEntity } from './row-outcomes.entity.js';
import { RowOutcomesStore } from './row-outcomes.store.js';
import { FactEntity, NightlyEntity, NightWatchEntity, RunEntity } from './run.entity.js';
import { RunClaims } from './run-claims.store.js';
import { RunLookups1700000000002 } from './run-lookups.migration.js';
import { RunExecutor } from './run.executor.js';
import { RunNotices } from './run.notices.js';
import { RunQueue } from './run-queue.consumer.js';
import { RunRetentionSchedule } from './run-retention.schedule.js';
import { RunsHandlers } from './runs.handlers.js';
import { RunsStore } from './runs.store.js';
import { CaseRevisionEntity, TestCaseEntity } from './test-case.entity.js';
import { TestCasesHandlers } from './test-cases.handlers.js';
import { TestCasesStore } from './test-cases.store.js';
import { ValidationConfig } from './validation.config.js';
import { ValidationMeasurements } from './validation.measurements.js';
import { Validation1700000000001 } from './validation.migration.js';
import { ValidationSchedule } from './validation.schedule.js';
import { ValidationTraces1700000000035 } from './traces.migration.js';

export const validationSchema: Schema = {
  name: 'validation',
  entities: [
    TestCaseEntity,
    CaseRevisionEntity,
    SignatureEntity,
    DataSetEntity,
    UploadEntity,
    PieceEntity,
    RunEntity,
    RowOutcomesEntity,
    FactEntity,
    BaselineEntity,
    PolicyEntity,
    NightlyEntity,
    NightWatchEntity,
    AuditEntity,
  ],
  migrations: [
    Validation1700000000001,
    RunLookups1700000000002,
    Cases1700000000011,
    DataSets1700000000012,
    Comparing1700000000014,
    DurableRuns1700000000021,
    PolicyNames1700000000022,
    ValidationTraces1700000000035,
  ],
};

@Module({})
export class ValidationModule {
  static with(config: ValidationConfig): DynamicModule {
    return {
      module: ValidationModule,
      imports: [DatabaseModule.forSchema(validationSchema, config), ScheduleModule.forRoot()],
      controllers: [TestCasesHandlers, DataSetsHandlers, BaselinesHandlers, PolicyHandlers, RunsHandlers, NightlyHandlers],
      providers: [
        { provide: ValidationConfig, useValue: config },
        waysProvider,
        AuditStore,
        KnownModels,
        TestCasesStore,
        RunsStore,
        SignaturesStore,
        DataSetsStore,
        RowOutcomesStore,
        BaselinesStore,
        PolicyStore,
        CasesExecutor,
        FactRelay,
        RunNotices,
        RunClaims,
        ComparisonExecutor,
        RunExecutor,
        RunQueue,
        NightlyExecutor,
        ValidationSchedule,
        RunRetentionSchedule,
        ValidationMeasurements,
      ],
    };
  }
}

export const startValidation = (config: ValidationConfig): Promise<RunningService> =>
  startService('validation', ValidationModule.with(config), config);

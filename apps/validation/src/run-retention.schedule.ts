import { Injectable } from '@nestjs/common';
import { Cron, CronExpression } from '@nestjs/schedule';
import { Logger } from '#runtime/logger.js';
import { RunsStore } from './runs.store.js';
import { ValidationConfig } from './validation.config.js';

/** Forgets old runs. On several replicas at once some only find nothing. */
@Injectable()
export class RunRetentionSchedule {
  constructor(
    private readonly runs: RunsStore,
    private readonly config: ValidationConfig,
    private readonly logger: Logger,
  ) {}

  @Cron(CronExpression.EVERY_HOUR, { name: 'forget-runs' })
  async forget(): Promise<void> {
    try {
      while ((await this.runs.forget(this.config.VALIDATION_RUN_RETENTION_DAYS)) > 0);
    } catch (error) {
      this.logger.failure('Could not forget old runs; trying again in an hour', error);
    }
  }
}

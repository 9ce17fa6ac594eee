import { Injectable } from '@nestjs/common';
import { Cron, CronExpression } from '@nestjs/schedule';
import { runAs, system } from '#runtime/caller.js';
import { Logger } from '#runtime/logger.js';
import { RetentionStore } from './retention.store.js';

@Injectable()
export class RetentionSchedule {
  constructor(
    private readonly retention: RetentionStore,
    private readonly logger: Logger,
  ) {}

  @Cron(CronExpression.EVERY_HOUR, { name: 'retention' })
  async removeDueModels(): Promise<void> {
    await runAs(system('retention'), async () => {
      try {
        const { models } = await this.retention.run(false);
        if (models.length) this.logger.info('removed retired models', { model_ids: models.map(({ model_id }) => model_id) });
      } catch (error) {
        // Whatever is due now is still due in an hour.
        this.logger.failure('Retention did not run', error);
      }
    });
  }
}

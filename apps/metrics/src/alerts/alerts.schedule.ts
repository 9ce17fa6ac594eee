import { Injectable } from '@nestjs/common';
import { Cron, CronExpression } from '@nestjs/schedule';
import { DataSource } from 'typeorm';
import { Logger } from '#runtime/logger.js';

const statements = [
  `DELETE FROM metrics.alerts WHERE state = 'resolved' AND resolved_at < now() - interval '30 days'`,
  `DELETE FROM metrics.deliveries WHERE state <> 'waiting' AND created_at < now() - interval '30 days'`,
  `DELETE FROM metrics.silences WHERE until < now() - interval '30 days'`,
];

/** Forgets what has been over for 30 days. On several replicas at once some only find nothing. */
@Injectable()
export class AlertsSchedule {
  constructor(
    private readonly database: DataSource,
    private readonly logger: Logger,
  ) {}

  @Cron(CronExpression.EVERY_HOUR, { name: 'forget-alerts' })
  async forget(): Promise<void> {
    try {
      for (const statement of statements) await this.database.query(statement);
    } catch (error) {
      this.logger.failure('Could not forget old alerts; trying again in an hour', error);
    }
  }
}

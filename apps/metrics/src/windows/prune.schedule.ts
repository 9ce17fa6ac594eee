import { Injectable } from '@nestjs/common';
import { Cron, CronExpression } from '@nestjs/schedule';
import { DataSource } from 'typeorm';
import { Logger } from '#runtime/logger.js';
import { KnownModels } from '../known-models.store.js';
import { DaysStore } from './days.store.js';

/**
 * Minute windows are kept for two days, and so are event ids, as no event may come later than that; those that are not folded yet hold what no
 * other row does. A ledger row must outlive every message its
 * producer may still have on the stream (3 days).
 */
const statements = [
  `DELETE FROM metrics.model_window WHERE period = 'minute' AND folded AND window_start < now() - interval '48 hours'`,
  `DELETE FROM metrics.counted_event WHERE at < now() - interval '48 hours'`,
  `DELETE FROM metrics.ingest_ledger WHERE seen_at < now() - interval '4 days'`,
  `DELETE FROM metrics.dead_letter WHERE at < now() - interval '30 days'
     OR letter_id <= (SELECT letter_id FROM metrics.dead_letter ORDER BY letter_id DESC OFFSET 100000 LIMIT 1)`,
];

/** Makes days of old hours and deletes what has had its time. Running it on several replicas at once only makes some of them find nothing. */
@Injectable()
export class PruneSchedule {
  constructor(
    private readonly database: DataSource,
    private readonly days: DaysStore,
    private readonly known: KnownModels,
    private readonly logger: Logger,
  ) {}

  @Cron(CronExpression.EVERY_10_MINUTES, { name: 'prune' })
  async prune(): Promise<void> {
    try {
      while ((await this.days.fold(this.known.all(), Date.now())) > 0);
      for (const statement of statements) await this.database.query(statement);
    } catch (error) {
      this.logger.failure('Could not prune; trying again in ten minutes', error);
    }
  }
}

import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { type Model } from '#contracts/registry.js';
import { countersOf, type StoredWindow } from './stored-window.js';
import { type Arm, Counters } from './tally.js';
import { dayMs } from './time-range.js';
import { WindowSums } from './window-sums.store.js';

/** No event comes later than 48 h; a day younger than this is not closed whatever a model's `retention_days` say. */
const minKeptDays = 3;
const daysAtOnce = 200;
// Any constant: one replica at a time makes days.
const daysLock = 91_424;

type Retained = Pick<Model, 'model_id' | 'retention_days'>;

interface ArmDay extends Arm {
  day: Date;
}

/**
 * Makes days of the hours whose `retention_days` have passed, so that what is kept for years costs little. A minute that is folded later than
 * that, since no replica ran for days, makes its hour anew, and that is added to its day.
 */
@Injectable()
export class DaysStore {
  private readonly windows = new WindowSums();

  constructor(private readonly database: DataSource) {}

  /** Resolves to how many days were made of one arm each, at most 200 per call and retention; 0 while another replica is at it. */
  async fold(models: Iterable<Retained>, now_ms: number): Promise<number> {
    const byRetention = new Map<number, Retained[]>();
    for (const model of models) {
      const days = Math.max(model.retention_days, minKeptDays);
      byRetention.set(days, [...(byRetention.get(days) ?? []), model]);
    }
    let folded = 0;
    for (const [days, retained] of byRetention) {
      const before = new Date(Math.floor((now_ms - days * dayMs) / dayMs) * dayMs).toISOString();
      const ids = retained.map(({ model_id }) => model_id);
      folded += await this.database.transaction((manager) => this.foldBefore(manager, before, ids));
    }
    return folded;
  }

  private async foldBefore(manager: EntityManager, before: string, model_ids: string[]): Promise<number> {
    const [lock] = await manager.query<{ taken: boolean }[]>('SELECT pg_try_advisory_xact_lock($1) AS taken', [daysLock]);
    if (!lock?.taken) return 0;
    const days = await manager.query<ArmDay[]>(
      `SELECT DISTINCT model_id, flag_key, variant, date_trunc('day', window_start, 'UTC') AS day FROM metrics.model_window
       WHERE period = 'hour' AND window_start < $1 AND model_id = ANY($2) LIMIT ${daysAtOnce}`,
      [before, model_ids],
    );
    for (const day of days) await this.close(manager, day);
    return days.length;
  }

  private async close(manager: EntityManager, { day, ...arm }: ArmDay): Promise<void> {
    const hours = await manager.query<[StoredWindow[]]>(
      `DELETE FROM metrics.model_window WHERE period = 'hour' AND (model_id, flag_key, variant) = ($1, $2, $3)
         AND window_start >= $4 AND window_start < $4::timestamptz + interval '1 day' RETURNING *`,
      [arm.model_id, arm.flag_key, arm.variant, day.toISOString()],
    );
    const counters = new Counters();
    for (const hour of hours[0]) counters.merge(countersOf(hour));
    const query = <Row>(sql: string, parameters: unknown[]): Promise<Row[]> => manager.query<Row[]>(sql, parameters);
    await this.windows.add(query, [{ ...arm, period: 'day', window_start_ms: day.getTime(), counters }]);
  }
}

import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { countersOf, type StoredWindow } from './stored-window.js';
import { type Arm, foldedSums, type WindowCounters } from './tally.js';
import { keyLookups, WindowSums } from './window-sums.store.js';

/** So few that a transaction takes some tens of milliseconds, and merging them does not hold up what else this process does. */
const minutesAtOnce = 200;

interface StoredMinute extends Arm, StoredWindow {
  window_start: Date;
  /** Where the row is, and stays while it is locked. */
  place: string;
}

interface Folded {
  minutes: StoredMinute[];
  /** Of the hours and lifetimes they were added to. */
  keys: string[];
}

/**
 * Adds minutes to their hours and lifetimes, so that events as they come in are added to one row and not to three. Each minute is added, and
 * marked as folded, in one transaction under the lock of its row: of a fold that is killed nothing has happened, and who adds to a minute
 * learns under the same lock whether its wider windows are theirs to add to as well.
 */
@Injectable()
export class FoldStore {
  private readonly windows = new WindowSums();

  constructor(private readonly database: DataSource) {}

  /**
   * Folds the minutes that began before `before_ms` (epoch milliseconds), some hundred in each transaction, and resolves to how many. Those that
   * are locked by ingestion or by another replica's fold are left for the next time.
   */
  async fold(before_ms: number): Promise<number> {
    let folded = 0;
    let after: StoredMinute | undefined;
    for (;;) {
      const { minutes, keys } = await this.database.transaction((manager) => this.foldSome(manager, before_ms, after));
      this.windows.remember(keys);
      folded += minutes.length;
      after = minutes.at(-1);
      if (minutes.length < minutesAtOnce) return folded;
    }
  }

  private async foldSome(manager: EntityManager, before_ms: number, after: StoredMinute | undefined): Promise<Folded> {
    const query = <Row>(sql: string, parameters: unknown[]): Promise<Row[]> => manager.query<Row[]>(sql, parameters);
    await manager.query(keyLookups);
    // Minutes are told from lifetimes, which begin at the epoch, by what stands in the index of what is not folded. Naming the period would let
    // the planner read all minutes by their age.
    const minutes = await query<StoredMinute>(
      `SELECT *, ctid::text AS place FROM metrics.model_window
       WHERE NOT folded AND window_start > 'epoch' AND window_start < $1
         AND (model_id, flag_key, variant, window_start) > ($2, $3, $4, $5)
       ORDER BY model_id, flag_key, variant, window_start LIMIT ${minutesAtOnce} FOR UPDATE SKIP LOCKED`,
      [new Date(before_ms), after?.model_id ?? '', after?.flag_key ?? '', after?.variant ?? '', after?.window_start ?? new Date(0)],
    );
    if (minutes.length === 0) return { minutes, keys: [] };
    const keys = await this.windows.add(query, foldedSums(minutes.map(sumOf)));
    await query('UPDATE metrics.model_window SET folded = true WHERE ctid = ANY($1::tid[])', [minutes.map(({ place }) => place)]);
    return { minutes, keys };
  }
}

const sumOf = (row: StoredMinute): WindowCounters => ({
  model_id: row.model_id,
  flag_key: row.flag_key,
  variant: row.variant,
  window_start_ms: row.window_start.getTime(),
  counters: countersOf(row),
});

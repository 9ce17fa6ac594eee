import { Injectable } from '@nestjs/common';
import { type EntityManager } from 'typeorm';
import { Sketch } from '#statistics/sketch.js';
import { hourMs, minuteMs } from '../windows/tally.js';
import { baselineMinutes } from './health.js';
import { emptyStretch, type Stretch } from './stretch.js';

interface Row {
  model_id: string;
  window_start: Date;
  total: string;
  successful: string;
  sum_ms: number;
  min_ms: number | null;
  max_ms: number | null;
  sketch: Buffer | null;
}

/** Rows that one query may answer, and may add up, so that each stays far below the statement timeout. */
const rowsAnswered = 30_000;
const rowsAddedUp = 200_000;
/** How old a baseline may be; it then ends this much before the recent window begins. */
const baselineAgeMs = 15 * minuteMs;

/** Reads what was counted of models in the last minutes and in the day before them. */
@Injectable()
export class RecentWindowsStore {
  private readonly baselines = new Map<string, { stretch: Stretch; read_ms: number }>();

  /**
   * By model, the last `minutes` whole minutes and the present one; a model without inferences in them is missing. Without `timings` the
   * sketches are left out, and PostgreSQL adds up: percentiles are 0 then.
   */
  async recent(
    manager: EntityManager,
    model_ids: string[],
    minutes: number,
    now_ms: number,
    timings = true,
  ): Promise<Map<string, Stretch>> {
    const from_ms = startOfRecent(minutes, now_ms);
    const rows = await read(manager, model_ids, from_ms, now_ms + minuteMs, timings);
    return stretchesOf(rows, (now_ms - from_ms) / minuteMs);
  }

  /** By model, the 24 hours before its last `minutes`; every model is there. Up to 15 minutes old. */
  async baseline(manager: EntityManager, model_ids: string[], minutes: number, now_ms: number): Promise<Map<string, Stretch>> {
    const keyOf = (model_id: string): string => `${model_id} ${minutes}`;
    const fresh = (model_id: string): boolean => now_ms - (this.baselines.get(keyOf(model_id))?.read_ms ?? -Infinity) < baselineAgeMs;
    const stale = model_ids.filter((model_id) => !fresh(model_id));
    if (stale.length) {
      const to_ms = startOfRecent(minutes, now_ms);
      const from_ms = to_ms - baselineMinutes * minuteMs;
      const days = stretchesOf(await readByHours(manager, stale, from_ms, to_ms), baselineMinutes);
      for (const [id, first_ms] of await firstMinutes(manager, [...days.keys()], from_ms, to_ms)) {
        days.get(id)!.minutes = (to_ms - first_ms) / minuteMs;
      }
      for (const id of stale) this.baselines.set(keyOf(id), { stretch: days.get(id) ?? emptyStretch(baselineMinutes), read_ms: now_ms });
    }
    return new Map(model_ids.map((model_id) => [model_id, this.baselines.get(keyOf(model_id))?.stretch ?? emptyStretch(baselineMinutes)]));
  }

  /** Baselines that nobody asked for lately are let go. */
  forgetStale(now_ms: number): void {
    for (const [key, { read_ms }] of this.baselines) if (now_ms - read_ms > 2 * baselineAgeMs) this.baselines.delete(key);
  }
}

const columns = 'model_id, window_start, total, successful, sum_ms, min_ms, max_ms, sketch';
const sums = `model_id, min(window_start) AS window_start, sum(total) AS total, sum(successful) AS successful, sum(sum_ms) AS sum_ms,
  min(min_ms) AS min_ms, max(max_ms) AS max_ms, NULL::bytea AS sketch`;

async function read(manager: EntityManager, model_ids: string[], from_ms: number, to_ms: number, timings: boolean): Promise<Row[]> {
  const rowsOfModel = Math.ceil((to_ms - from_ms) / minuteMs);
  const chunk = Math.max(1, Math.floor((timings ? rowsAnswered : rowsAddedUp) / rowsOfModel));
  const rows: Row[] = [];
  for (let at = 0; at < model_ids.length; at += chunk) {
    const part = await manager.query<Row[]>(
      `SELECT ${timings ? columns : sums} FROM metrics.model_window
       WHERE model_id = ANY($1) AND flag_key = '' AND variant = '' AND period = 'minute' AND window_start >= $2 AND window_start < $3
       ${timings ? '' : 'GROUP BY model_id'}`,
      [model_ids.slice(at, at + chunk), new Date(from_ms), new Date(to_ms)],
    );
    for (const row of part) rows.push(row);
  }
  return rows;
}

/**
 * As `read` with timings, but whole hours as one row each: what is left of the first and the last hour comes in minutes, and so do minutes that
 * are not folded into their hours yet. One statement, since a minute may be folded between two.
 */
async function readByHours(manager: EntityManager, model_ids: string[], from_ms: number, to_ms: number): Promise<Row[]> {
  const firstHour_ms = Math.ceil(from_ms / hourMs) * hourMs;
  const lastHour_ms = Math.floor(to_ms / hourMs) * hourMs;
  const rowsOfModel = (firstHour_ms - from_ms + to_ms - lastHour_ms) / minuteMs + (lastHour_ms - firstHour_ms) / hourMs;
  const chunk = Math.max(1, Math.floor(rowsAnswered / rowsOfModel));
  const rows: Row[] = [];
  for (let at = 0; at < model_ids.length; at += chunk) {
    const part = await manager.query<Row[]>(
      `SELECT ${columns} FROM metrics.model_window
       WHERE model_id = ANY($1) AND flag_key = '' AND variant = '' AND (
         period = 'minute' AND window_start >= $2 AND window_start < $3
         OR period = 'hour' AND window_start >= $3 AND window_start < $4
         OR period = 'minute' AND NOT folded AND window_start >= $3 AND window_start < $4
         OR period = 'minute' AND window_start >= $4 AND window_start < $5)`,
      [model_ids.slice(at, at + chunk), ...[from_ms, firstHour_ms, lastHour_ms, to_ms].map((ms) => new Date(ms))],
    );
    for (const row of part) rows.push(row);
  }
  return rows;
}

/** By model, the first minute with inferences, in epoch milliseconds: an hour does not say which of its minutes that was. */
async function firstMinutes(manager: EntityManager, model_ids: string[], from_ms: number, to_ms: number): Promise<Map<string, number>> {
  const rows = await manager.query<{ model_id: string; first: Date | null }[]>(
    `SELECT model_id, (
       SELECT min(window_start) FROM metrics.model_window
       WHERE model_id = asked.model_id AND flag_key = '' AND variant = '' AND period = 'minute' AND window_start >= $2 AND window_start < $3
     ) AS first FROM unnest($1::text[]) AS asked (model_id)`,
    [model_ids, new Date(from_ms), new Date(to_ms)],
  );
  return new Map(rows.flatMap(({ model_id, first }) => (first ? [[model_id, first.getTime()] as const] : [])));
}

const startOfRecent = (minutes: number, now_ms: number): number => (Math.floor(now_ms / minuteMs) - minutes) * minuteMs;

function stretchesOf(rows: Row[], minutes: number): Map<string, Stretch> {
  const stretches = new Map<string, Stretch>();
  for (const row of rows) {
    const stretch = stretches.get(row.model_id) ?? emptyStretch(minutes);
    stretches.set(row.model_id, stretch);
    stretch.total += Number(row.total);
    stretch.successful += Number(row.successful);
    stretch.sum_ms += row.sum_ms;
    if (row.min_ms !== null) stretch.min_ms = Math.min(stretch.min_ms ?? Infinity, row.min_ms);
    if (row.max_ms !== null) stretch.max_ms = Math.max(stretch.max_ms ?? -Infinity, row.max_ms);
    if (row.sketch) stretch.timings.merge(Sketch.parse(row.sketch));
  }
  return stretches;
}

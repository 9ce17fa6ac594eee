import { Sketch } from '#statistics/sketch.js';
import { Counters } from './tally.js';

/** What was counted in one row of metrics.model_window, as the driver hands it over. */
export interface StoredWindow {
  total: string;
  successful: string;
  sum_ms: number;
  min_ms: number | null;
  max_ms: number | null;
  sketch: Buffer | null;
  error_types: Record<string, number>;
  last_occurred_at: Date | null;
}

export function countersOf(row: StoredWindow): Counters {
  const counters = new Counters();
  counters.total = Number(row.total);
  counters.successful = Number(row.successful);
  counters.failed = counters.total - counters.successful;
  counters.sum_ms = row.sum_ms;
  counters.min_ms = row.min_ms ?? Infinity;
  counters.max_ms = row.max_ms ?? -Infinity;
  counters.last_occurred_at_ms = row.last_occurred_at?.getTime() ?? -Infinity;
  if (row.sketch) counters.sketch.merge(Sketch.parse(row.sketch));
  for (const [type, count] of Object.entries(row.error_types)) counters.errors.set(type, count);
  return counters;
}

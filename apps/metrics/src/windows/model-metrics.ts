import { type Metrics } from '#contracts/metrics.js';
import { type Model } from '#contracts/registry.js';
import { Summary, type WindowRow } from './summary.js';
import { type Range, shownRange } from './time-range.js';

/** A model's figures over the windows of a range, or of its whole life where that is null. */
export function metricsOf(model: Model, range: Range | null, rows: WindowRow[]): Metrics {
  const summary = Summary.of(rows);
  return {
    model_id: model.model_id,
    ...summary.figures(),
    last_updated: summary.last_occurred_at ?? model.created_at,
    range: range && shownRange(range),
  };
}

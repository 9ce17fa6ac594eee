import { type Metrics } from '#contracts/metrics.js';
import { Sketch } from '#statistics/sketch.js';
import { boundTypes } from '../ingest/error-type.js';

/** What one window holds. */
export interface WindowRow {
  total: number;
  successful: number;
  sum_ms: number;
  min_ms: number | null;
  max_ms: number | null;
  sketch: Uint8Array | null;
  error_types: Record<string, number>;
  /** RFC 3339. */
  last_occurred_at: string | null;
}

/** Windows added up. Percentiles come from the merged sketches, never from other percentiles. */
export class Summary {
  total = 0;
  successful = 0;
  sum_ms = 0;
  min_ms = Infinity;
  max_ms = -Infinity;
  last_occurred_at: string | null = null;
  readonly sketch = new Sketch();
  readonly error_types = new Map<string, number>();

  static of(rows: Iterable<WindowRow>): Summary {
    const summary = new Summary();
    for (const row of rows) summary.add(row);
    return summary;
  }

  add(row: WindowRow): void {
    this.total += row.total;
    this.successful += row.successful;
    this.sum_ms += row.sum_ms;
    this.min_ms = Math.min(this.min_ms, row.min_ms ?? Infinity);
    this.max_ms = Math.max(this.max_ms, row.max_ms ?? -Infinity);
    if (row.sketch) this.sketch.merge(Sketch.parse(row.sketch));
    for (const [type, count] of Object.entries(row.error_types)) {
      const bounded = boundTypes(this.error_types, type);
      this.error_types.set(bounded, (this.error_types.get(bounded) ?? 0) + count);
    }
    if (row.last_occurred_at && (this.last_occurred_at ?? '') < row.last_occurred_at) this.last_occurred_at = row.last_occurred_at;
  }

  /** As the API document names them. Without inferences every rate, timing and percentile is 0. */
  figures(): Omit<Metrics, 'model_id' | 'last_updated' | 'range'> {
    const { total, successful, min_ms, max_ms } = this;
    const quantile = (q: number): number => (total ? rounded(this.sketch.quantile(q, min_ms, max_ms)) : 0);
    return {
      total_inferences: total,
      successful_inferences: successful,
      failed_inferences: total - successful,
      success_rate: total ? rounded((successful / total) * 100) : 0,
      average_timing_ms: total ? rounded(this.sum_ms / total) : 0,
      min_timing_ms: total ? min_ms : 0,
      max_timing_ms: total ? max_ms : 0,
      percentiles: { p50: quantile(0.5), p95: quantile(0.95), p99: quantile(0.99) },
      error_types: Object.fromEntries(this.error_types),
    };
  }
}

/** Four decimals: more is noise of the arithmetic. */
const rounded = (value: number): number => Math.round(value * 10_000) / 10_000;

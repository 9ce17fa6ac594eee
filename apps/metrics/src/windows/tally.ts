import { Sketch } from '#statistics/sketch.js';
import { errorTypeOf } from '../ingest/error-type.js';
import { type InferenceEvent } from '../ingest/inference-event.js';

export const minuteMs = 60_000;
export const hourMs = 60 * minuteMs;

/** An event may come this late and still count in its own minute; minute windows are kept as long. */
export const maxLateMs = 48 * hourMs;
/** A producer's clock may be this far ahead. */
export const maxAheadMs = 60_000;

/**
 * What is known of a set of inferences: additive, but for the extremes. `total` = `successful` + `failed`; the counts of `errors` add up to
 * `failed`. The error of a successful inference is not counted. Types are not bounded here, since bounds do not add up: see `boundTypes`.
 */
export class Counters {
  total = 0;
  successful = 0;
  failed = 0;
  sum_ms = 0;
  /** Infinity while empty. */
  min_ms = Infinity;
  /** −Infinity while empty. */
  max_ms = -Infinity;
  /** Epoch milliseconds of the latest inference; −Infinity while empty. */
  last_occurred_at_ms = -Infinity;
  readonly sketch = new Sketch();
  /** How often each error type came. */
  readonly errors = new Map<string, number>();

  add(event: InferenceEvent, occurred_at_ms: number): void {
    this.sketch.add(event.timing_ms);
    this.total += 1;
    this.sum_ms += event.timing_ms;
    this.min_ms = Math.min(this.min_ms, event.timing_ms);
    this.max_ms = Math.max(this.max_ms, event.timing_ms);
    this.last_occurred_at_ms = Math.max(this.last_occurred_at_ms, occurred_at_ms);
    if (event.success) this.successful += 1;
    else {
      this.failed += 1;
      this.#addErrors(errorTypeOf(event.error, event.error_type), 1);
    }
  }

  /** Adds all of `other`; `other` is unchanged. */
  merge(other: Counters): void {
    this.sketch.merge(other.sketch);
    this.total += other.total;
    this.successful += other.successful;
    this.failed += other.failed;
    this.sum_ms += other.sum_ms;
    this.min_ms = Math.min(this.min_ms, other.min_ms);
    this.max_ms = Math.max(this.max_ms, other.max_ms);
    this.last_occurred_at_ms = Math.max(this.last_occurred_at_ms, other.last_occurred_at_ms);
    for (const [type, count] of other.errors) this.#addErrors(type, count);
  }

  #addErrors(type: string, count: number): void {
    this.errors.set(type, (this.errors.get(type) ?? 0) + count);
  }
}

export interface ModelCounters {
  model_id: string;
  counters: Counters;
}

export interface WindowCounters extends ModelCounters {
  /** Epoch milliseconds at which the window begins: a multiple of its width. */
  window_start_ms: number;
}

/**
 * Inferences added up by model and minute, from which every wider window and the lifetime follow. Tallies add: merging any parts in any order
 * gives the same counts, extremes and sketches (sums of fractions are the same to rounding).
 */
export class Tally {
  readonly #minutes = new Map<string, Map<number, Counters>>();
  #total = 0;
  #clamped = 0;

  /** How many inferences were added. */
  get total(): number {
    return this.#total;
  }

  /** How many of them had a time that cannot be right and count as of `now`. */
  get clamped(): number {
    return this.#clamped;
  }

  /**
   * Adds one inference at `now_ms` (epoch milliseconds). One that says it occurred more than 48 h ago or more than 60 s ahead counts as of now,
   * for its window and for `last_occurred_at_ms`: a clock ten years ahead must not make a model look busy for ten years.
   */
  add(event: InferenceEvent, now_ms: number): void {
    const age_ms = now_ms - event.occurred_at_ms;
    const clamped = age_ms > maxLateMs || age_ms < -maxAheadMs;
    const occurred_at_ms = clamped ? now_ms : event.occurred_at_ms;
    this.#countersOf(event.model_id, windowStart(occurred_at_ms, minuteMs)).add(event, occurred_at_ms);
    this.#total += 1;
    if (clamped) this.#clamped += 1;
  }

  /** Adds all of `other`; `other` is unchanged. */
  merge(other: Tally): void {
    for (const [model_id, minutes] of other.#minutes) {
      for (const [start_ms, counters] of minutes) this.#countersOf(model_id, start_ms).merge(counters);
    }
    this.#total += other.#total;
    this.#clamped += other.#clamped;
  }

  /** Counters by model since ever, ordered by model_id. */
  lifetimes(): ModelCounters[] {
    return this.#byModel().map(([model_id, minutes]) => {
      const counters = new Counters();
      for (const part of minutes.values()) counters.merge(part);
      return { model_id, counters };
    });
  }

  /**
   * Counters by model and window of `width_ms`, a multiple of a minute; ordered by model_id (by code unit, as PostgreSQL's COLLATE "C") and
   * window, so that writers who lock rows in this order cannot deadlock.
   */
  windows(width_ms: number): WindowCounters[] {
    return this.#byModel().flatMap(([model_id, minutes]) => {
      const windows = new Map<number, Counters>();
      for (const [start_ms, part] of [...minutes].sort(([a], [b]) => a - b)) {
        counterAt(windows, windowStart(start_ms, width_ms)).merge(part);
      }
      return [...windows].map(([window_start_ms, counters]) => ({ model_id, window_start_ms, counters }));
    });
  }

  #byModel(): [model_id: string, minutes: Map<number, Counters>][] {
    return [...this.#minutes].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  #countersOf(model_id: string, minute_start_ms: number): Counters {
    let minutes = this.#minutes.get(model_id);
    if (!minutes) this.#minutes.set(model_id, (minutes = new Map<number, Counters>()));
    return counterAt(minutes, minute_start_ms);
  }
}

const windowStart = (at_ms: number, width_ms: number): number => Math.floor(at_ms / width_ms) * width_ms;

function counterAt(windows: Map<number, Counters>, start_ms: number): Counters {
  let counters = windows.get(start_ms);
  if (!counters) windows.set(start_ms, (counters = new Counters()));
  return counters;
}

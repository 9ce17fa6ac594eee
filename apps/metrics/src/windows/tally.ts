import { Sketch } from '#statistics/sketch.js';
import { ErrorTypes } from '../ingest/error-types.js';
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

  add(event: InferenceEvent, occurred_at_ms: number, types: ErrorTypes): void {
    this.sketch.add(event.timing_ms);
    this.total += 1;
    this.sum_ms += event.timing_ms;
    this.min_ms = Math.min(this.min_ms, event.timing_ms);
    this.max_ms = Math.max(this.max_ms, event.timing_ms);
    this.last_occurred_at_ms = Math.max(this.last_occurred_at_ms, occurred_at_ms);
    if (event.success) this.successful += 1;
    else {
      this.failed += 1;
      this.#addErrors(types.of(event.error, event.error_type), 1);
    }
  }

  /** Adds all of `other`; `other` is unchanged. */
  merge(other: Counted): void {
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

/** Counters as they are handed out: only to be read. */
export type Counted = Readonly<Omit<Counters, 'add' | 'merge'>>;

/** Whose inferences: one arm of a flag at a model; with both fields empty, all of the model's, whatever sent them. */
export interface Arm {
  model_id: string;
  flag_key: string;
  variant: string;
}

export interface ArmCounters extends Arm {
  counters: Counted;
}

export interface WindowCounters extends ArmCounters {
  /** Epoch milliseconds at which the window begins: a multiple of its width. */
  window_start_ms: number;
}

export type Period = 'lifetime' | 'minute' | 'hour' | 'day';

/** What is in one window, or is to be added to it. `window_start_ms` is in epoch milliseconds; 0 for a lifetime. */
export interface WindowSum extends Arm {
  period: Period;
  window_start_ms: number;
  counters: Counted;
}

interface ArmMinutes extends Arm {
  minutes: Map<number, Counters>;
}

/**
 * Inferences added up by model, arm and minute, from which every wider window and the lifetime follow. An event of an arm counts for its model
 * and for the arm. Tallies add: merging any parts in any order gives the same counts, extremes and sketches (sums of fractions are the same to
 * rounding).
 */
export class Tally {
  /** By model_id; those of arms by model_id, flag_key and variant with NULs between, which none of them holds. */
  readonly #arms = new Map<string, ArmMinutes>();
  readonly #types: ErrorTypes;
  #total = 0;
  #clamped = 0;

  constructor(types = new ErrorTypes()) {
    this.#types = types;
  }

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
    const { model_id, flag_key, variant } = event;
    const minute_ms = windowStart(occurred_at_ms, minuteMs);
    this.#countersOf(model_id, '', '', minute_ms).add(event, occurred_at_ms, this.#types);
    if (flag_key !== undefined && variant !== undefined)
      this.#countersOf(model_id, flag_key, variant, minute_ms).add(event, occurred_at_ms, this.#types);
    this.#total += 1;
    if (clamped) this.#clamped += 1;
  }

  /** Adds all of `other`; `other` is unchanged. */
  merge(other: Tally): void {
    for (const { model_id, flag_key, variant, minutes } of other.#arms.values()) {
      for (const [start_ms, counters] of minutes) this.#countersOf(model_id, flag_key, variant, start_ms).merge(counters);
    }
    this.#total += other.#total;
    this.#clamped += other.#clamped;
  }

  /** Adds what was counted in one minute. */
  addMinute({ model_id, flag_key, variant, window_start_ms, counters }: WindowCounters): void {
    this.#countersOf(model_id, flag_key, variant, window_start_ms).merge(counters);
    if (flag_key === '') this.#total += counters.total;
  }

  /** Counters by model and arm since ever. */
  lifetimes(): ArmCounters[] {
    return [...this.#arms.values()].map(({ model_id, flag_key, variant, minutes }) => ({
      model_id,
      flag_key,
      variant,
      counters: sumOf([...minutes.values()]),
    }));
  }

  /** Counters by model, arm and window of `width_ms`, a multiple of a minute. */
  windows(width_ms: number): WindowCounters[] {
    return [...this.#arms.values()].flatMap(({ model_id, flag_key, variant, minutes }) => {
      const windows = new Map<number, Counters[]>();
      for (const [start_ms, part] of minutes) {
        const window_start_ms = windowStart(start_ms, width_ms);
        const parts = windows.get(window_start_ms);
        if (parts) parts.push(part);
        else windows.set(window_start_ms, [part]);
      }
      return [...windows].map(([window_start_ms, parts]) => ({ model_id, flag_key, variant, window_start_ms, counters: sumOf(parts) }));
    });
  }

  #countersOf(model_id: string, flag_key: string, variant: string, minute_start_ms: number): Counters {
    const key = flag_key === '' ? model_id : `${model_id}\u0000${flag_key}\u0000${variant}`;
    let arm = this.#arms.get(key);
    if (!arm) this.#arms.set(key, (arm = { model_id, flag_key, variant, minutes: new Map() }));
    let counters = arm.minutes.get(minute_start_ms);
    if (!counters) arm.minutes.set(minute_start_ms, (counters = new Counters()));
    return counters;
  }
}

/** What a tally adds while events come in: to minutes alone. Lifetimes and hours follow from them, and days from hours. */
export const sumsOf = (tally: Tally): WindowSum[] => tally.windows(minuteMs).map((sum): WindowSum => ({ ...sum, period: 'minute' }));

/** What the inferences of these minutes add to their hours and to the lifetimes. */
export function foldedSums(minutes: Iterable<WindowCounters>): WindowSum[] {
  const tally = new Tally();
  for (const minute of minutes) tally.addMinute(minute);
  return [
    ...tally.lifetimes().map((sum): WindowSum => ({ ...sum, period: 'lifetime', window_start_ms: 0 })),
    ...tally.windows(hourMs).map((sum): WindowSum => ({ ...sum, period: 'hour' })),
  ];
}

const windowStart = (at_ms: number, width_ms: number): number => Math.floor(at_ms / width_ms) * width_ms;

/** Of one or more; of one it is that itself, since as a rule all of a batch is of one minute. */
function sumOf(parts: readonly Counters[]): Counted {
  if (parts.length === 1) return parts[0]!;
  const sum = new Counters();
  for (const part of parts) sum.merge(part);
  return sum;
}

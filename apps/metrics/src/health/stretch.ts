import { Sketch } from '#statistics/sketch.js';

/** What was counted of one model in a stretch of time. Additive, but for its ends. */
export interface Stretch {
  /** How long it is, in minutes; of a model that is younger, since its first inference. */
  minutes: number;
  total: number;
  successful: number;
  sum_ms: number;
  /** The extremes, in milliseconds; null while `total` is 0. */
  min_ms: number | null;
  max_ms: number | null;
  timings: Sketch;
}

export const emptyStretch = (minutes: number): Stretch => ({
  minutes,
  total: 0,
  successful: 0,
  sum_ms: 0,
  min_ms: null,
  max_ms: null,
  timings: new Sketch(),
});

/** The nearest-rank quantile in milliseconds, within 1 %; 0 for an empty stretch. */
export const quantileOf = ({ timings, min_ms, max_ms }: Stretch, q: number): number =>
  timings.quantile(q, min_ms ?? undefined, max_ms ?? undefined);

import { type Handles } from './handles.harness.js';

/** A process at a moment. `lag_ms`: the 99th percentile of its event loop's lag since the sample before. */
export interface Sample {
  name: string;
  at_ms: number;
  /** What the machine has given it. */
  memory_bytes: number;
  /** What it still holds after a full collection. */
  live_bytes: number;
  handles: Handles;
  lag_ms: number;
}

const minute_ms = 60_000;
/** Caches grow to their size meanwhile. */
export const warmUp_ms = 5 * minute_ms;
/** Of what is held, a minute. */
const maxGrowth_bytes = 0.25 * 1024 ** 2;
/** Of what the machine has given, from the end of the warm-up to the end: V8 lets garbage lie, and what is held outside of its heap shows here alone. */
const maxMemoryRatio = 1.25;
/** Of a kind. A pool may open all of its connections only when it needs them. */
const maxMoreHandles = 10;
const maxMoreLag_ms = 50;

/** At the begin and at the end. */
type Range = [number, number];

export interface Verdict {
  name: string;
  /** Of what is held, a minute, by least squares over what comes after the warm-up; null where that is too short. */
  growth_bytes: number | null;
  /** At the begin (the first fifth) and at the end (the last), medians. */
  memory_bytes: Range;
  live_bytes: Range;
  handles: Record<string, Range>;
  lag_ms: Range;
  /** In words; empty: it could go on for ever. */
  wrong: string[];
}

/** Whether a process that is asked the same all the time stays the same. `samples` are its own, in order. */
export function verdictOf(samples: readonly Sample[]): Verdict {
  const fifth = Math.max(1, Math.floor(samples.length / 5));
  const between = (pick: (sample: Sample) => number): Range => [
    median(samples.slice(0, fifth).map(pick)),
    median(samples.slice(-fifth).map(pick)),
  ];
  const [memory_bytes, live_bytes, lag_ms] = (['memory_bytes', 'live_bytes', 'lag_ms'] as const).map((field) =>
    between((one) => one[field]),
  ) as [Range, Range, Range];
  const kinds = [...new Set(samples.flatMap(({ handles }) => Object.keys(handles)))].sort();
  const handles = Object.fromEntries(kinds.map((kind) => [kind, between((one) => one.handles[kind] ?? 0)]));
  const after = samples.filter(({ at_ms }) => at_ms - samples[0]!.at_ms >= warmUp_ms);
  const growth_bytes = after.length && after.at(-1)!.at_ms - after[0]!.at_ms >= 3 * minute_ms ? slope(after) * minute_ms : null;
  const wrong: string[] = [];
  if (growth_bytes !== null && growth_bytes > maxGrowth_bytes) wrong.push(`holds ${megabytes(growth_bytes)} more each minute`);
  const warm = after.slice(0, fifth).map((one) => one.memory_bytes);
  if (growth_bytes !== null && memory_bytes[1] > maxMemoryRatio * median(warm))
    wrong.push(`had ${megabytes(median(warm))} when it was warm, and has ${megabytes(memory_bytes[1])}`);
  for (const [kind, [begin, end]] of Object.entries(handles))
    if (end > begin + maxMoreHandles) wrong.push(`had ${begin} ${kind}, and has ${end}`);
  if (lag_ms[1] > lag_ms[0] + maxMoreLag_ms) wrong.push(`lagged by ${lag_ms[0].toFixed(0)} ms, and lags by ${lag_ms[1].toFixed(0)} ms`);
  return { name: samples[0]!.name, growth_bytes, memory_bytes, live_bytes, handles, lag_ms, wrong };
}

export const megabytes = (bytes: number): string => `${(bytes / 1024 ** 2).toFixed(1)} MB`;

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

/** Bytes a millisecond. */
function slope(samples: readonly Sample[]): number {
  const at = samples.reduce((sum, { at_ms }) => sum + at_ms, 0) / samples.length;
  const live = samples.reduce((sum, { live_bytes }) => sum + live_bytes, 0) / samples.length;
  const together = samples.reduce((sum, { at_ms, live_bytes }) => sum + (at_ms - at) * (live_bytes - live), 0);
  return together / samples.reduce((sum, { at_ms }) => sum + (at_ms - at) ** 2, 0);
}

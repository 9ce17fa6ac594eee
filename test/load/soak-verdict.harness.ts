import { type Handles } from './handles.harness.js';

/** A process at a moment. `lag_ms`: the 99th percentile of its event loop's lag since the sample before. */
export interface Sample {
  name: string;
  at_ms: number;
  memory_bytes: number;
  handles: Handles;
  lag_ms: number;
}

const minute_ms = 60_000;
/** Heaps and caches grow to their size meanwhile. */
export const warmUp_ms = 5 * minute_ms;
const maxGrowth_bytes = 1024 ** 2;
/** Of a kind. A pool may open all of its connections only when it needs them. */
const maxMoreHandles = 10;
const maxMoreLag_ms = 50;

export interface Verdict {
  name: string;
  /** A minute, by least squares over what comes after the warm-up; null where that is too short. */
  growth_bytes: number | null;
  /** At the begin (the first fifth) and at the end (the last), medians. */
  memory_bytes: [number, number];
  handles: Record<string, [number, number]>;
  lag_ms: [number, number];
  /** In words; empty: it could go on for ever. */
  wrong: string[];
}

/** Whether a process that is asked the same all the time stays the same. `samples` are its own, in order. */
export function verdictOf(samples: readonly Sample[]): Verdict {
  const fifth = Math.max(1, Math.floor(samples.length / 5));
  const between = (pick: (sample: Sample) => number): [number, number] => [
    median(samples.slice(0, fifth).map(pick)),
    median(samples.slice(-fifth).map(pick)),
  ];
  const [memory_bytes, lag_ms] = [between((one) => one.memory_bytes), between((one) => one.lag_ms)];
  const kinds = [...new Set(samples.flatMap(({ handles }) => Object.keys(handles)))].sort();
  const handles = Object.fromEntries(kinds.map((kind) => [kind, between((one) => one.handles[kind] ?? 0)]));
  const after = samples.filter(({ at_ms }) => at_ms - samples[0]!.at_ms >= warmUp_ms);
  const growth_bytes = after.length && after.at(-1)!.at_ms - after[0]!.at_ms >= 3 * minute_ms ? slope(after) * minute_ms : null;
  const wrong: string[] = [];
  if (growth_bytes !== null && growth_bytes > maxGrowth_bytes) wrong.push(`grows by ${megabytes(growth_bytes)} a minute`);
  for (const [kind, [begin, end]] of Object.entries(handles))
    if (end > begin + maxMoreHandles) wrong.push(`had ${begin} ${kind}, and has ${end}`);
  if (lag_ms[1] > lag_ms[0] + maxMoreLag_ms) wrong.push(`lagged by ${lag_ms[0].toFixed(0)} ms, and lags by ${lag_ms[1].toFixed(0)} ms`);
  return { name: samples[0]!.name, growth_bytes, memory_bytes, handles, lag_ms, wrong };
}

export const megabytes = (bytes: number): string => `${(bytes / 1024 ** 2).toFixed(1)} MB`;

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

/** Bytes a millisecond. */
function slope(samples: readonly Sample[]): number {
  const at = samples.reduce((sum, { at_ms }) => sum + at_ms, 0) / samples.length;
  const memory = samples.reduce((sum, { memory_bytes }) => sum + memory_bytes, 0) / samples.length;
  const together = samples.reduce((sum, { at_ms, memory_bytes }) => sum + (at_ms - at) * (memory_bytes - memory), 0);
  return together / samples.reduce((sum, { at_ms }) => sum + (at_ms - at) ** 2, 0);
}

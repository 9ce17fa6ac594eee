import { invalidInput } from '#contracts/errors.js';
import { type RangeRequest, type Resolution, type SeriesStep, seriesSteps, type TimeRange } from '#contracts/metrics.js';
import { hourMs, maxLateMs, minuteMs } from './tally.js';

export const dayMs = 24 * hourMs;
const unitMs = { m: minuteMs, h: hourMs, d: dayMs };
const widthMs: Record<Resolution, number> = { minute: minuteMs, hour: hourMs, day: dayMs };

const defaultPoints = 200;
const maxPoints = 1_500;

export interface Range {
  /** Epoch milliseconds, on the resolution's bounds. */
  from_ms: number;
  /** Exclusive; on the resolution's bounds, or now. */
  to_ms: number;
  resolution: Resolution;
}

/**
 * The range that is asked for; null for since ever. Its beginning is moved back to where a minute, hour or day begins, whatever is kept of its
 * time: minutes for 48 hours, hours for `retention_days`, then days. Its end is moved on likewise, but not beyond now. Throws INVALID_INPUT.
 */
export function rangeOf({ window, from, to }: Omit<RangeRequest, 'model_id'>, now_ms: number, retention_days: number): Range | null {
  if (window !== undefined && from !== undefined)
    throw invalidInput([{ field: 'from', value: from, accepted: 'window or from, not both' }]);
  if (to !== undefined && from === undefined) throw invalidInput([{ field: 'to', value: to, accepted: 'to only together with from' }]);
  const begin_ms = window !== undefined ? now_ms - lengthOf(window) : from !== undefined ? Date.parse(from) : null;
  if (begin_ms === null) return null;
  if (begin_ms >= now_ms) throw invalidInput([{ field: 'from', value: from, accepted: 'a time before now' }]);
  const end_ms = Math.min(to === undefined ? now_ms : Date.parse(to), now_ms);
  if (end_ms <= begin_ms) throw invalidInput([{ field: 'to', value: to, accepted: 'a time after from' }]);
  const age_ms = now_ms - begin_ms;
  const resolution = age_ms <= maxLateMs ? 'minute' : age_ms <= retention_days * dayMs ? 'hour' : 'day';
  const width_ms = widthMs[resolution];
  return {
    from_ms: Math.floor(begin_ms / width_ms) * width_ms,
    to_ms: Math.min(Math.ceil(end_ms / width_ms) * width_ms, now_ms),
    resolution,
  };
}

const lengthOf = (text: string): number => Number(text.slice(0, -1)) * unitMs[text.slice(-1) as keyof typeof unitMs];

export const stepMs = (step: SeriesStep): number => lengthOf(step);

/** The step that is asked for, or the finest that makes at most 200 points. Throws INVALID_INPUT for one that the range does not have. */
export function stepOf({ from_ms, to_ms, resolution }: Range, step: SeriesStep | undefined): SeriesStep {
  const possible = seriesSteps.filter((one) => stepMs(one) >= widthMs[resolution]);
  const pointsOf = (one: SeriesStep): number => (to_ms - from_ms) / stepMs(one);
  if (step === undefined) return possible.find((one) => pointsOf(one) <= defaultPoints) ?? '1d';
  const fitting = possible.filter((one) => pointsOf(one) <= maxPoints);
  if (fitting.includes(step) || (step === '1d' && fitting.length === 0)) return step;
  const accepted = `${fitting.join(', ') || '1d'}: the time is kept by the ${resolution}, and a series has at most ${maxPoints} points`;
  throw invalidInput([{ field: 'step', value: step, accepted }]);
}

export const shownRange = ({ from_ms, to_ms, resolution }: Range): TimeRange => ({
  from: new Date(from_ms).toISOString(),
  to: new Date(to_ms).toISOString(),
  resolution,
});

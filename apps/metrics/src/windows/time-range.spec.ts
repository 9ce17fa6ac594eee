import { AppError } from '#contracts/errors.js';
import { type SeriesStep } from '#contracts/metrics.js';
import { fc } from '#testing/property.js';
import { hourMs, minuteMs } from './tally.js';
import { dayMs, type Range, rangeOf, shownRange, stepMs, stepOf } from './time-range.js';

const now = Date.parse('2026-01-20T15:30:30.500Z');

function refusal(act: () => unknown): { field: string; accepted: string } | null {
  try {
    act();
    return null;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return (error.details!.fields as { field: string; accepted: string }[])[0] ?? null;
  }
}

const shown = (asked: Parameters<typeof rangeOf>[0], retention_days = 90) => {
  const range = rangeOf(asked, now, retention_days);
  return range && shownRange(range);
};

describe('the range of a request', () => {
  it('is since ever when none is asked for', () => {
    expect(shown({})).toBeNull();
  });

  it.each([
    [{ window: '15m' }, '2026-01-20T15:15:00.000Z', '2026-01-20T15:30:30.500Z', 'minute'],
    [{ window: '48h' }, '2026-01-18T15:30:00.000Z', '2026-01-20T15:30:30.500Z', 'minute'],
    [{ window: '49h' }, '2026-01-18T14:00:00.000Z', '2026-01-20T15:30:30.500Z', 'hour'],
    [{ window: '90d' }, '2025-10-22T15:00:00.000Z', '2026-01-20T15:30:30.500Z', 'hour'],
    [{ window: '91d' }, '2025-10-21T00:00:00.000Z', '2026-01-20T15:30:30.500Z', 'day'],
    [{ from: '2026-01-20T15:00:10Z', to: '2026-01-20T15:10:10Z' }, '2026-01-20T15:00:00.000Z', '2026-01-20T15:11:00.000Z', 'minute'],
    [{ from: '2026-01-10T15:10:10Z', to: '2026-01-11T00:00:00Z' }, '2026-01-10T15:00:00.000Z', '2026-01-11T00:00:00.000Z', 'hour'],
    [{ from: '2026-01-20T15:00:00Z', to: '2030-01-01T00:00:00Z' }, '2026-01-20T15:00:00.000Z', '2026-01-20T15:30:30.500Z', 'minute'],
  ])('of %j begins and ends where the kept time does', (asked, from, to, resolution) => {
    expect(shown(asked)).toEqual({ from, to, resolution });
  });

  it('is told by days as soon as the model’s hours are gone', () => {
    expect(shown({ window: '8d' }, 7)?.resolution).toBe('day');
    expect(shown({ window: '8d' }, 8)?.resolution).toBe('hour');
  });

  it.each([
    [{ window: '15m', from: '2026-01-20T15:00:00Z' }, 'from'],
    [{ to: '2026-01-20T15:00:00Z' }, 'to'],
    [{ window: '15m', to: '2026-01-20T15:00:00Z' }, 'to'],
    [{ from: '2026-01-20T16:00:00Z' }, 'from'],
    [{ from: '2026-01-20T15:00:00Z', to: '2026-01-20T15:00:00Z' }, 'to'],
    [{ from: '2026-01-20T15:00:00Z', to: '2026-01-20T14:00:00Z' }, 'to'],
  ])('of %j is refused by name', (asked, field) => {
    expect(refusal(() => rangeOf(asked, now, 90))).toMatchObject({ field, accepted: expect.any(String) as string });
  });
});

describe('the step of a series', () => {
  const range = (length_ms: number, resolution: Range['resolution']): Range => ({ from_ms: now - length_ms, to_ms: now, resolution });

  it.each([
    [range(hourMs, 'minute'), '1m'],
    [range(24 * hourMs, 'minute'), '15m'],
    [range(7 * dayMs, 'hour'), '1h'],
    [range(90 * dayMs, 'hour'), '1d'],
    [range(3650 * dayMs, 'day'), '1d'],
  ])('is the finest that makes at most 200 points', (given, step) => {
    expect(stepOf(given, undefined)).toBe(step);
  });

  it.each([
    [range(7 * dayMs, 'hour'), '1m'],
    [range(48 * hourMs, 'minute'), '1m'],
    [range(365 * dayMs, 'day'), '1h'],
  ] as [Range, SeriesStep][])('is refused where the range does not have it or it makes too many points', (given, step) => {
    expect(refusal(() => stepOf(given, step))?.field).toBe('step');
  });

  it('is a whole number of the kept widths, and makes at most 1,500 points unless not even days make fewer', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4000 * 24 * 60 }), (minutes) => {
        const given = rangeOf({ from: new Date(now - minutes * minuteMs).toISOString() }, now, 90)!;
        const step = stepMs(stepOf(given, undefined));
        const width = { minute: minuteMs, hour: hourMs, day: dayMs }[given.resolution];
        expect(step % width).toBe(0);
        expect(step === dayMs || (given.to_ms - given.from_ms) / step <= 200).toBe(true);
      }),
    );
  });
});

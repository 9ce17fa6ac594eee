import { fc } from '#testing/property.js';
import { type InferenceEvent } from '../ingest/inference-event.js';
import { type Arm, type Counted, foldedSums, hourMs, maxAheadMs, maxLateMs, minuteMs, type Period, sumsOf, Tally } from './tally.js';

const now = Date.parse('2025-01-20T15:30:30.500Z');
const thisMinute = Date.parse('2025-01-20T15:30:00Z');

const inference = (fields: Partial<InferenceEvent> = {}): InferenceEvent => ({
  model_id: 'm',
  timing_ms: 10,
  success: true,
  occurred_at_ms: now,
  ...fields,
});

const tallyOf = (events: readonly InferenceEvent[]): Tally => {
  const tally = new Tally();
  for (const event of events) tally.add(event, now);
  return tally;
};

/** Counters as plain data. */
const plain = ({ sketch, errors, ...rest }: Counted): object => ({
  ...rest,
  bins: sketch.bins(),
  count: sketch.count,
  errors: [...errors].sort(([a], [b]) => (a < b ? -1 : 1)),
});

/** In one order: which comes first is nobody's business. */
const ordered = (parts: (Arm & { window_start_ms?: number; counters: Counted })[]): object[] =>
  parts
    .map(({ counters, ...rest }) => ({ key: JSON.stringify(rest), ...rest, ...plain(counters) }))
    .sort((a, b) => (a.key < b.key ? -1 : 1));

const snapshot = (tally: Tally): object => ({
  total: tally.total,
  clamped: tally.clamped,
  lifetimes: ordered(tally.lifetimes()),
  minutes: ordered(tally.windows(minuteMs)),
  hours: ordered(tally.windows(hourMs)),
});

const merged = (...parts: Tally[]): Tally => {
  const sum = new Tally();
  for (const part of parts) sum.merge(part);
  return sum;
};

const anyEvent: fc.Arbitrary<InferenceEvent> = fc.record({
  model_id: fc.constantFrom('a', 'b', '__proto__', 'constructor'),
  // Eighths add up exactly in binary, so that sums can be compared exactly.
  timing_ms: fc.integer({ min: 0, max: 80_000 }).map((eighths) => eighths / 8),
  success: fc.boolean(),
  error_type: fc.constantFrom(undefined, 'model_error', 'timeout_error', 'constructor'),
  occurred_at_ms: fc.integer({ min: now - 60 * hourMs, max: now + 2 * maxAheadMs }),
  flag_key: fc.constantFrom(undefined, 'f', 'g'),
  variant: fc.constantFrom('x', 'y'),
});
const anyEvents = fc.array(anyEvent, { maxLength: 40 });

describe('Tally', () => {
  it('is empty at first', () => {
    const tally = new Tally();
    expect([tally.total, tally.clamped, tally.lifetimes(), tally.windows(minuteMs)]).toEqual([0, 0, [], []]);
  });

  it('counts totals, successes, failures, times, extremes and errors', () => {
    const tally = tallyOf([
      inference({ timing_ms: 10, occurred_at_ms: now - 2000 }),
      inference({ timing_ms: 30, success: false, error: 'Request timed out', occurred_at_ms: now - 1000 }),
      inference({ timing_ms: 20, success: false, error_type: 'custom_error', occurred_at_ms: now - 3000 }),
      inference({ timing_ms: 40, success: false }),
      inference({ timing_ms: 0, success: false, error: 'read timeout' }),
    ]);
    const [lifetime] = tally.lifetimes();
    expect(tally.total).toBe(5);
    expect(lifetime).toMatchObject({
      model_id: 'm',
      counters: { total: 5, successful: 1, failed: 4, sum_ms: 100, min_ms: 0, max_ms: 40, last_occurred_at_ms: now },
    });
    expect(Object.fromEntries(lifetime!.counters.errors)).toEqual({ timeout_error: 2, custom_error: 1, unknown_error: 1 });
    expect(lifetime!.counters.sketch.count).toBe(5);
  });

  it('does not count the error of a successful inference', () => {
    const [lifetime] = tallyOf([inference({ error: 'Request timed out', error_type: 'x_error' })]).lifetimes();
    expect(lifetime!.counters.errors.size).toBe(0);
  });

  it('counts an inference in the minute and in the hour it occurred in', () => {
    const tally = tallyOf([
      inference({ occurred_at_ms: thisMinute }),
      inference({ occurred_at_ms: thisMinute - 1 }),
      inference({ occurred_at_ms: thisMinute + minuteMs - 1 }),
      inference({ occurred_at_ms: thisMinute - hourMs }),
    ]);
    const starts = (width: number): [number, number][] =>
      tally
        .windows(width)
        .map((w): [number, number] => [w.window_start_ms - thisMinute, w.counters.total])
        .sort(([a], [b]) => a - b);
    expect(starts(minuteMs)).toEqual([
      [-hourMs, 1],
      [-minuteMs, 1],
      [0, 2],
    ]);
    expect(starts(hourMs)).toEqual([
      [-hourMs - 30 * minuteMs, 1],
      [-30 * minuteMs, 3],
    ]);
  });

  it.each([
    ['exactly 48 h late', now - maxLateMs, false],
    ['more than 48 h late', now - maxLateMs - 1, true],
    ['exactly 60 s ahead', now + maxAheadMs, false],
    ['more than 60 s ahead', now + maxAheadMs + 1, true],
    ['ten years ahead', now + 3650 * 24 * hourMs, true],
    ['at the beginning of the calendar', Date.parse('0001-01-01T00:00:00Z'), true],
  ])('clamps to now or not what is %s', (_, occurred_at_ms, clamped) => {
    const tally = tallyOf([inference({ occurred_at_ms })]);
    const [window] = tally.windows(minuteMs);
    const counted_ms = clamped ? now : occurred_at_ms;
    expect(tally.clamped).toBe(clamped ? 1 : 0);
    expect(window?.window_start_ms).toBe(Math.floor(counted_ms / minuteMs) * minuteMs);
    expect(window?.counters.last_occurred_at_ms).toBe(counted_ms);
  });

  it('adds up to the same in any order and grouping, and leaves the parts as they were', () => {
    fc.assert(
      fc.property(anyEvents, anyEvents, anyEvents, (a, b, c) => {
        const whole = snapshot(tallyOf([...a, ...b, ...c]));
        const [x, y, z] = [tallyOf(a), tallyOf(b), tallyOf(c)];
        expect(snapshot(merged(merged(x, y), z))).toEqual(whole);
        expect(snapshot(merged(x, merged(y, z)))).toEqual(whole);
        expect(snapshot(merged(z, y, x))).toEqual(whole);
        expect(snapshot(x)).toEqual(snapshot(tallyOf(a)));
      }),
    );
  });

  it('counts the same in minutes, hours and lifetimes, and every part adds up', () => {
    fc.assert(
      fc.property(anyEvents, (events) => {
        const tally = tallyOf(events);
        for (const parts of [tally.lifetimes(), tally.windows(minuteMs), tally.windows(hourMs)]) {
          const whole = parts.filter(({ flag_key }) => flag_key === '');
          expect(whole.reduce((sum, { counters }) => sum + counters.total, 0)).toBe(events.length);
          const armed = parts.filter(({ flag_key }) => flag_key !== '');
          expect(armed.reduce((sum, { counters }) => sum + counters.total, 0)).toBe(events.filter(({ flag_key }) => flag_key).length);
          expect(whole.reduce((sum, { counters }) => sum + counters.sum_ms, 0)).toBe(events.reduce((sum, e) => sum + e.timing_ms, 0));
          for (const { counters } of parts) {
            expect(counters.successful + counters.failed).toBe(counters.total);
            expect([...counters.errors.values()].reduce((sum, n) => sum + n, 0)).toBe(counters.failed);
            expect(counters.sketch.count).toBe(counters.total);
          }
        }
      }),
    );
  });

  it('makes the same hours and lifetimes of its minutes as of its events', () => {
    fc.assert(
      fc.property(anyEvents, anyEvents, (a, b) => {
        const folded = foldedSums([...sumsOf(tallyOf(a)), ...sumsOf(tallyOf(b))]);
        const whole = tallyOf([...a, ...b]);
        const of = (wanted: Period): object[] =>
          ordered(folded.filter(({ period }) => period === wanted).map(({ period: _, ...sum }) => sum));
        expect(of('hour')).toEqual(ordered(whole.windows(hourMs)));
        expect(of('lifetime')).toEqual(ordered(whole.lifetimes().map((sum) => ({ ...sum, window_start_ms: 0 }))));
      }),
    );
  });

  it('counts an event of an arm for its model and for the arm', () => {
    const tally = tallyOf([
      inference({ flag_key: 'f', variant: 'x' }),
      inference({ flag_key: 'f', variant: 'y', success: false }),
      inference({ flag_key: 'f', variant: 'y' }),
      inference(),
    ]);
    expect(tally.total).toBe(4);
    expect(tally.lifetimes().map(({ flag_key, variant, counters }) => [flag_key, variant, counters.total, counters.failed])).toEqual([
      ['', '', 4, 1],
      ['f', 'x', 1, 0],
      ['f', 'y', 2, 1],
    ]);
  });
});

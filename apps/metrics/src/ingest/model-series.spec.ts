import { fc } from '#testing/property.js';
import { Counters } from '../windows/tally.js';
import { ErrorTypes } from './error-types.js';
import { inferenceBounds, ModelSeriesSet } from './model-series.js';

const types = new ErrorTypes();

function counted(...timings: number[]): Counters {
  const counters = new Counters();
  for (const timing_ms of timings) counters.add({ model_id: 'm', timing_ms, success: true, occurred_at_ms: 0 }, 0, types);
  return counters;
}

const times = (count: number, timing_ms = 10): Counters => counted(...Array.from({ length: count }, () => timing_ms));

it('counts inferences by how long they took', () => {
  const set = new ModelSeriesSet(0);
  set.add('m', counted(0, 0.5, 3, 3, 200, 9_000), 0);
  const { successful, failed, sum_ms } = set.named.get('m')!;
  expect({ successful, failed, sum_ms }).toEqual({ successful: 6, failed: 0, sum_ms: 9_206.5 });
  expect(set.named.get('m')!.cumulative()).toEqual([2, 4, 4, 4, 4, 4, 5, 5, 5, 5]);
});

it('gives the first models series of their own, and all others one together', () => {
  const set = new ModelSeriesSet(0, 2);
  for (const model_id of ['a', 'b', 'c', 'd']) set.add(model_id, times(3), 0);
  expect([...set.named.keys()]).toEqual(['a', 'b']);
  expect(set.other.successful).toBe(6);
});

it('gives a series to a model that is used clearly more than one that has it, from zero on', () => {
  const set = new ModelSeriesSet(0, 2);
  set.add('a', times(100), 0);
  set.add('b', times(10), 0);
  set.add('c', times(50), 0);
  set.add('d', times(15), 0);
  set.add('c', times(1), 60_000);
  expect([...set.named.keys()]).toEqual(['a', 'c']);
  expect(set.named.get('c')!.successful).toBe(1);
  // What was counted of it before stays where it was: no series goes back.
  expect(set.other.successful).toBe(65);
});

it('does not let two models that are used alike take turns', () => {
  const set = new ModelSeriesSet(0, 1);
  for (let minute = 0; minute < 20; minute++) {
    set.add('a', times(10), minute * 60_000);
    set.add('b', times(minute % 2 === 0 ? 12 : 9), minute * 60_000);
  }
  expect([...set.named.keys()]).toEqual(['a']);
});

it('has never more series than it may, none of which ever goes back, and each with its times cumulative', () => {
  const event = fc.record({ model: fc.nat(8), count: fc.integer({ min: 1, max: 40 }), wait_ms: fc.nat(40_000), timing_ms: fc.nat(9_000) });
  fc.assert(
    fc.property(fc.array(event), (events) => {
      const set = new ModelSeriesSet(0, 3);
      const highest = new Map<object, number>();
      let now_ms = 0;
      for (const { model, count, wait_ms, timing_ms } of events) {
        set.add(`m${model}`, times(count, timing_ms), (now_ms += wait_ms));
        expect(set.named.size).toBeLessThanOrEqual(3);
        for (const series of [...set.named.values(), set.other]) {
          expect(series.successful).toBeGreaterThanOrEqual(highest.get(series) ?? 0);
          highest.set(series, series.successful);
          const cumulative = series.cumulative();
          expect([...cumulative].sort((a, b) => a - b)).toEqual(cumulative);
          expect([cumulative.length, cumulative.at(-1)! <= series.successful]).toEqual([inferenceBounds.length, true]);
        }
      }
    }),
  );
});

import { type HealthStatus } from '#contracts/metrics.js';
import { type Objectives } from '#contracts/registry.js';
import { Sketch } from '#statistics/sketch.js';
import { fc } from '#testing/property.js';
import { judgeHealth, surelyLonger } from './health.js';
import { emptyStretch, type Stretch } from './stretch.js';

/** `timings`: how often each took so many milliseconds. */
function stretch(total: number, failed: number, timings: [ms: number, count: number][] = [[100, total]]): Stretch {
  const sketch = new Sketch();
  for (const [ms, count] of timings) if (count) sketch.add(ms, count);
  const all = timings.map(([ms]) => ms);
  return {
    minutes: 15,
    total,
    successful: total - failed,
    sum_ms: timings.reduce((sum, [ms, count]) => sum + ms * count, 0),
    min_ms: Math.min(...all),
    max_ms: Math.max(...all),
    timings: sketch,
  };
}

const nothing = emptyStretch(1440);
const day = stretch(10_000, 50);

describe('judgeHealth', () => {
  it.each<[string, Stretch, Stretch, Objectives | null, HealthStatus]>([
    ['nothing', nothing, nothing, null, 'unknown'],
    ['19 failures', stretch(19, 19), nothing, null, 'unknown'],
    ['20 successes', stretch(20, 0), nothing, null, 'healthy'],
    ['2 failures of 20, which may be chance', stretch(20, 2), nothing, null, 'healthy'],
    ['9 % failures of 1000', stretch(1000, 90), nothing, null, 'degraded'],
    ['13 % failures of 1000', stretch(1000, 130), nothing, null, 'unhealthy'],
    ['9 % failures of 1000 where 85 % is the objective', stretch(1000, 90), nothing, { success_rate: 85 }, 'healthy'],
    ['1 % failures of 10,000 where 99.9 % is the objective', stretch(10_000, 100), nothing, { success_rate: 99.9 }, 'unhealthy'],
    ['0.14 % failures of 100,000 where 99.9 % is the objective', stretch(100_000, 140), nothing, { success_rate: 99.9 }, 'degraded'],
    ['4.5 % failures after a day of 0.5 %', stretch(5_000, 225), day, null, 'degraded'],
    ['the same after too short a day', stretch(5_000, 225), stretch(199, 0), null, 'healthy'],
    ['the same where the objective allows it', stretch(5_000, 225), day, { success_rate: 95 }, 'healthy'],
    ['12 % failures after a day of none', stretch(5_000, 650), day, { p95_ms: 1 }, 'unhealthy'],
    ['p95 twice that of the day before', stretch(1000, 0, [[200, 1000]]), day, null, 'degraded'],
    ['p95 four times that of the day before', stretch(1000, 0, [[400, 1000]]), day, null, 'unhealthy'],
    ['p95 four times where that is allowed', stretch(1000, 0, [[400, 1000]]), day, { p95_ms: 500, p99_ms: 500 }, 'healthy'],
    [
      'a median of four times, p95 and p99 as before',
      stretch(1000, 0, [
        [99, 400],
        [100, 600],
      ]),
      day,
      null,
      'healthy',
    ],
    [
      'p99 four times',
      stretch(1000, 0, [
        [100, 970],
        [400, 30],
      ]),
      day,
      null,
      'unhealthy',
    ],
    [
      'ten slow of 1000, which may be chance',
      stretch(1000, 0, [
        [100, 990],
        [400, 10],
      ]),
      day,
      null,
      'healthy',
    ],
    [
      '10 % longer than the p95 objective',
      stretch(1000, 0, [
        [100, 900],
        [150, 100],
      ]),
      nothing,
      { p95_ms: 120 },
      'degraded',
    ],
    [
      '10 % far longer than the p95 objective',
      stretch(1000, 0, [
        [100, 900],
        [300, 100],
      ]),
      nothing,
      { p95_ms: 120 },
      'unhealthy',
    ],
    [
      '6 % of 100 longer, which may be chance',
      stretch(100, 0, [
        [100, 94],
        [300, 6],
      ]),
      nothing,
      { p95_ms: 120 },
      'healthy',
    ],
    ['a millisecond where it took microseconds', stretch(1000, 0, [[0.9, 1000]]), stretch(1000, 0, [[0.01, 1000]]), null, 'healthy'],
  ])('of %s', (_, recent, baseline, objectives, expected) => {
    const { health_status, reasons } = judgeHealth(recent, baseline, objectives);
    expect([health_status, reasons.length > 0]).toEqual([expected, true]);
  });

  it('says what it found, and against what', () => {
    const { reasons } = judgeHealth(stretch(1000, 130, [[400, 1000]]), day, { success_rate: 99 });
    expect(reasons).toEqual([
      'success rate 87.00 % of 1000 inferences in the last 15 minutes, surely below 98 %',
      expect.stringMatching(/^p95 400 ms of 1000 inferences, surely above 3 times that of the day before \(300 ms\)$/),
      expect.stringMatching(/^p99 400 ms/),
    ]);
  });

  it('never gets better by more failures', () => {
    const badness = { healthy: 0, degraded: 1, unhealthy: 2, unknown: -1 };
    fc.assert(
      fc.property(fc.integer({ min: 20, max: 5000 }), fc.double({ min: 0, max: 0.999, noNaN: true }), (total, share) => {
        const failed = Math.floor(total * share);
        const [one, more] = [failed, failed + 1].map((count) => judgeHealth(stretch(total, count), day, null).health_status);
        expect(badness[more!]).toBeGreaterThanOrEqual(badness[one!]);
      }),
    );
  });
});

describe('surelyLonger', () => {
  it('is rarely wrong of a model that keeps exactly to its objective, and finds one that is far off', () => {
    let seed = 7;
    const uniform = (): number => (seed = (seed * 48271) % 2147483647) / 2147483647;
    const found = (share: number): number => {
      let count = 0;
      for (let run = 0; run < 1_000; run++) {
        const slow = Array.from({ length: 200 }, uniform).filter((u) => u < share).length;
        if (
          surelyLonger(
            stretch(200, 0, [
              [100, 200 - slow],
              [300, slow],
            ]),
            0.95,
            200,
          )
        )
          count += 1;
      }
      return count;
    };
    expect(found(0.05)).toBeLessThan(50);
    expect(found(0.15)).toBeGreaterThan(950);
  });
});

import { type AlertRule } from '#contracts/alerts.js';
import { Sketch } from '#statistics/sketch.js';
import { type Stretch } from '../health/stretch.js';
import { type Evidence, findingOf, shortMinutes } from './finding.js';

function stretch(total: number, failed: number, ms = 100, minutes = 60): Stretch {
  const timings = new Sketch();
  if (total) timings.add(ms, total);
  return { minutes, total, successful: total - failed, sum_ms: total * ms, min_ms: ms, max_ms: ms, timings };
}

const nothing: Evidence = {
  window: undefined,
  short_window: undefined,
  baseline: undefined,
  stable: undefined,
  health_status: 'unknown',
  success_rate: null,
};

type Condition = Pick<AlertRule, 'metric' | 'comparison' | 'window_minutes' | 'minimum_inferences'>;
const rule = (metric: AlertRule['metric'], comparison: AlertRule['comparison']): Condition => ({
  metric,
  comparison,
  window_minutes: 60,
  minimum_inferences: 20,
});
const above = (value: number): AlertRule['comparison'] => ({ kind: 'fixed', op: 'above', value });
const below = (value: number): AlertRule['comparison'] => ({ kind: 'fixed', op: 'below', value });

describe('findingOf', () => {
  it.each<[string, Condition, Partial<Evidence>, { breached: boolean | null; value: number | null; threshold: number | null }]>([
    ['a success rate', rule('success_rate', below(95)), { window: stretch(100, 10) }, { breached: true, value: 90, threshold: 95 }],
    ['an error rate', rule('error_rate', above(10)), { window: stretch(100, 10) }, { breached: false, value: 10, threshold: 10 }],
    ['a percentile', rule('p95_ms', above(90)), { window: stretch(100, 0) }, { breached: true, value: 100, threshold: 90 }],
    ['an average', rule('average_timing_ms', below(90)), { window: stretch(100, 0) }, { breached: false, value: 100, threshold: 90 }],
    ['too few', rule('p50_ms', above(1)), { window: stretch(19, 0) }, { breached: null, value: null, threshold: 1 }],
    ['a trickle', rule('inferences_per_minute', below(1)), { window: stretch(30, 0) }, { breached: true, value: 0.5, threshold: 1 }],
    ['silence', rule('inferences_per_minute', below(1)), {}, { breached: true, value: 0, threshold: 1 }],
    ['health', rule('health_status', above(0)), { health_status: 'degraded' }, { breached: true, value: 1, threshold: 0 }],
    ['unknown health', rule('health_status', above(0)), {}, { breached: null, value: null, threshold: 0 }],
    [
      'its own day before',
      rule('p99_ms', { kind: 'baseline', op: 'above', ratio: 2 }),
      { window: stretch(50, 0, 250), baseline: stretch(500, 0, 100) },
      { breached: true, value: 250, threshold: 200 },
    ],
    [
      'a day of too little',
      rule('p99_ms', { kind: 'baseline', op: 'above', ratio: 2 }),
      { window: stretch(50, 0, 250), baseline: stretch(5, 0) },
      { breached: null, value: 250, threshold: null },
    ],
    [
      'the stable version',
      rule('error_rate', { kind: 'stable_version', op: 'above', difference: 5 }),
      { window: stretch(100, 10), stable: stretch(100, 2) },
      { breached: true, value: 10, threshold: 7 },
    ],
    [
      'no stable version',
      rule('error_rate', { kind: 'stable_version', op: 'above', ratio: 2 }),
      { window: stretch(100, 10) },
      { breached: null, value: 10, threshold: null },
    ],
    [
      'a budget burnt 20 times too fast, still',
      rule('burn_rate', above(14.4)),
      { window: stretch(1000, 20), short_window: stretch(100, 2), success_rate: 99.9 },
      { breached: true, value: 20, threshold: 14.4 },
    ],
    [
      'a budget that was burnt, and no longer is',
      rule('burn_rate', above(14.4)),
      { window: stretch(1000, 20), short_window: stretch(100, 0), success_rate: 99.9 },
      { breached: false, value: 0, threshold: 14.4 },
    ],
    [
      'a short blip of an hour that was good',
      rule('burn_rate', above(14.4)),
      { window: stretch(10_000, 20), short_window: stretch(100, 20), success_rate: 99.9 },
      { breached: false, value: 2, threshold: 14.4 },
    ],
    [
      'no objective',
      rule('burn_rate', above(14.4)),
      { window: stretch(1000, 20), short_window: stretch(100, 2) },
      { breached: null, value: null, threshold: 14.4 },
    ],
  ])('of %s', (_, condition, evidence, expected) => {
    const { breached, value, threshold, reason } = findingOf(condition, { ...nothing, ...evidence });
    expect(breached).toBe(expected.breached);
    expect(reason.length).toBeLessThanOrEqual(500);
    for (const [seen, wanted] of [
      [value, expected.value],
      [threshold, expected.threshold],
    ] as const) {
      if (wanted === null) expect(seen).toBeNull();
      else expect(seen).toBeCloseTo(wanted, 8);
    }
  });

  it('says what it found, over which window and against what', () => {
    const { reason } = findingOf(rule('error_rate', { kind: 'stable_version', op: 'above', ratio: 2 }), {
      ...nothing,
      window: stretch(100, 10),
      stable: stretch(100, 2),
    });
    expect(reason).toBe('error_rate 10 over 60 min, above 4, 2 times that of the stable version');
  });
});

describe('shortMinutes', () => {
  it('is the twelfth that the workbook pairs with each window', () => {
    expect([60, 360, 1, 15].map(shortMinutes)).toEqual([5, 30, 1, 1]);
  });
});

import { type ArmCounters } from '#contracts/metrics.js';
import { type Model } from '#contracts/registry.js';
import { envoySettings } from '#evaluation/selection/breaker.js';
import { Sketch } from '#statistics/sketch.js';
import { breakerOf, type Counters, countedSince, countersOf, latencyLimit, type ModelState, newState, stepModel } from './model-state.js';

const counters = (total: number, failures: number, slow = 0, limit_ms = 100): Counters => ({ total, failures, slow, limit_ms });

function tick(before: ModelState, read: Counters | null, now_ms: number): ModelState {
  return stepModel(before, { counters: read, peers: () => [], now_ms, jitter: 0 }, envoySettings);
}

describe('the latency objective', () => {
  it.each<[Partial<Model>, number]>([
    [{ objectives: { p95_ms: 100, p99_ms: 300 }, serving: null }, 100],
    [{ objectives: { p99_ms: 300 }, serving: null }, 300],
    [{ objectives: { success_rate: 90 }, serving: { protocol: 'nats', timeout_ms: 2_000 } }, 2_000],
    [{ objectives: null, serving: null }, 5_000],
  ])('of %j is %d ms', (model, limit) => {
    expect(latencyLimit(model as Model)).toBe(limit);
  });

  it('is counted from the sketch', () => {
    const sketch = new Sketch();
    for (const timing of [20, 50, 90, 150, 5_000]) sketch.add(timing);
    const arm = {
      total_inferences: 5,
      successful_inferences: 4,
      sketch: Buffer.from(sketch.serialise()).toString('base64'),
    } as ArmCounters;
    expect(countersOf(arm, 100)).toEqual(counters(5, 1, 2));
  });
});

describe('what was counted in between', () => {
  it.each<[string, Counters | null, Counters, [number, number, number]]>([
    ['two readings', counters(10, 1, 2), counters(15, 3, 3), [5, 2, 1]],
    ['a changed objective', counters(10, 1, 2, 50), counters(15, 3, 9), [5, 2, 0]],
    ['counters that began anew', counters(10, 1, 2), counters(3, 0, 0), [0, 0, 0]],
    ['nothing and a short past', null, counters(40, 4, 2), [40, 4, 2]],
    ['nothing and a long past, as 100', null, counters(1_000, 100, 50), [100, 10, 5]],
    ['nothing and no past', null, counters(0, 0), [0, 0, 0]],
  ])('%s', (_, before, now, [total, failures, slow]) => {
    expect(countedSince(before, now)).toEqual({ total, failures, slow });
  });
});

describe('a tick', () => {
  it('adds what succeeded within the objective to the evidence', () => {
    const after = tick(tick(newState('m', 0), counters(0, 0), 1_000), counters(50, 5, 20), 2_000);
    expect(after).toMatchObject({ counters: counters(50, 5, 20), evidence: { good: 30, bad: 20, at_ms: 2_000 } });
  });

  it('leaves the evidence as it is while the breaker is not closed, also that of the failures that opened it', () => {
    const well = tick(newState('m', 0), counters(100, 0), 1_000);
    const open = tick(well, counters(120, 20), 2_000);
    expect(open.breaker.state).toBe('open');
    const later = tick(tick(open, counters(140, 40), 3_000), null, 40_000);
    expect(later.breaker.state).toBe('half_open');
    expect(later.evidence).toEqual({ ...open.evidence, at_ms: 40_000 });
    expect(open.evidence.bad).toBe(0);
    expect(open.evidence.good).toBeCloseTo(100, 0);
  });

  it('is told to gateways where the state is new, and a success rate once it differs by a point', () => {
    const first = tick(newState('m', 0), counters(100, 0), 1_000);
    expect(first).toMatchObject({ revision: 2, expected_success: 101 / 102 });
    const same = tick(first, counters(101, 0), 2_000);
    expect(same).toMatchObject({ revision: 2, expected_success: 101 / 102 });
    const worse = tick(same, counters(110, 4), 3_000);
    expect(worse.revision).toBe(3);
    expect(worse.expected_success).toBeLessThan(0.97);
    expect(tick(worse, counters(120, 14), 4_000).revision).toBe(4);
  });

  it('is told in the form of the API', () => {
    const open = tick(newState('m', 0), counters(6, 6), 1_000);
    expect(breakerOf({ ...open, forced: 'closed', forced_by: 'ops', forced_reason: 'we know' })).toEqual({
      model_id: 'm',
      state: 'open',
      forced: 'closed',
      forced_by: 'ops',
      reason: 'we know',
      since: '1970-01-01T00:00:01.000Z',
      until: '1970-01-01T00:00:31.000Z',
      openings: 1,
      expected_success: 0.5,
      revision: 2,
    });
  });
});

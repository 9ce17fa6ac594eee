import { Sketch } from '#statistics/sketch.js';
import {
  type Analysis,
  analysisOfNextStep,
  analysisWith,
  type ArmTick,
  limitsOf,
  newAnalysis,
  readGuardrails,
  readSampleRatio,
} from './analysis.js';
import { planOf } from './plan.js';

const timed = (n: number, ms: (index: number) => number): Sketch => {
  const timings = new Sketch();
  for (let i = 0; i < n; i++) timings.add(ms(i));
  return timings;
};
const arm = (inferences: number, failures: number, more: Partial<ArmTick> = {}): ArmTick => ({
  inferences,
  failures,
  error_types: {},
  timings: timed(inferences, () => 10),
  ...more,
});

const plan = planOf({ guardrails: [{ metric: 'failure_rate' }, { metric: 'error_type', error_type: 'timeout_error', weight: 3 }] });

describe('the analysis of a rollout', () => {
  it('is plain JSON: what is stored and read again goes on the same way', () => {
    const tick = { candidate: arm(30, 2), control: arm(270, 9) };
    const once = analysisWith(newAnalysis(plan), plan, 10, tick);
    const stored = JSON.parse(JSON.stringify(once)) as Analysis;
    expect(stored).toEqual(once);
    expect(analysisWith(stored, plan, 10, tick)).toEqual(analysisWith(once, plan, 10, tick));
  });

  it('shares alpha out by weights, and looks at the error type it is told', () => {
    let analysis = newAnalysis(plan);
    for (let tick = 0; tick < 12; tick++) {
      const candidate = arm(30, 6, { error_types: { timeout_error: 6 } });
      analysis = analysisWith(analysis, plan, 10, { candidate, control: arm(270, 54, { error_types: { other_error: 54 } }) });
    }
    const [failures, timeouts] = readGuardrails(analysis, plan);
    expect(failures!.harm.log_threshold).toBeCloseTo(Math.log(2 / 0.0025), 9);
    expect(timeouts!.harm.log_threshold).toBeCloseTo(Math.log(2 / 0.0075), 9);
    expect([failures!.harm.refuted, timeouts!.harm.refuted]).toEqual([false, true]);
  });

  it('knows no limits before there are 5,000 timings, and says nothing of latencies without them', () => {
    const latency = planOf({ guardrails: [{ metric: 'latency_p95' }] });
    expect(limitsOf(timed(4_999, () => 10))).toBeNull();
    const limits = limitsOf(timed(5_000, (index) => 1 + index / 50))!;
    const tick = { candidate: arm(100, 0, { timings: timed(100, () => 500) }), control: arm(100, 0) };
    const before = analysisWith(newAnalysis(latency), latency, 50, tick);
    expect(readGuardrails(before, latency)).toMatchObject([{ limit_ms: null, harm: { method: 'none', log_e: 0 } }]);
    const after = analysisWith({ ...before, limits }, latency, 50, tick);
    const [reading] = readGuardrails(after, latency);
    expect(reading!.limit_ms).toBeGreaterThan(95);
    expect(reading!.limit_ms).toBeLessThan(98.5);
    expect(reading!.harm.log_e).toBeGreaterThan(0);
  });

  it('finds no harm in a candidate that is slower by less than the margin, and shows one within the promotion margin', () => {
    const latency = planOf({ guardrails: [{ metric: 'latency_p95', harm_margin: 10, promotion_margin: 30 }] });
    const spread = (index: number): number => 50 * 1.003 ** index;
    let analysis: Analysis = { ...newAnalysis(latency), limits: limitsOf(timed(5_000, (index) => spread(index % 300)))! };
    for (let tick = 0; tick < 40; tick++) {
      const candidate = arm(300, 0, { timings: timed(300, (index) => 1.09 * spread(index)) });
      analysis = analysisWith(analysis, latency, 50, { candidate, control: arm(300, 0, { timings: timed(300, spread) }) });
    }
    expect(readGuardrails(analysis, latency)).toMatchObject([{ harm: { refuted: false }, promotion: { refuted: true } }]);
  });

  it('counts units after two settling ticks, by step, and keeps the evidence of the steps before', () => {
    const halved = { ...plan, inferences_per_unit: 2 };
    const tick = { candidate: arm(400, 0), control: arm(100, 0) };
    let analysis = newAnalysis(halved);
    for (let at = 0; at < 3; at++) analysis = analysisWith(analysis, halved, 50, tick);
    expect(analysis.ratio).toMatchObject({ candidate: 200, control: 50, settling: 0 });
    const reading = readSampleRatio(analysis, 50);
    expect(reading.mismatch).toBe(true);
    const next = analysisOfNextStep(analysis, 50);
    expect(next.ratio).toMatchObject({ candidate: 0, control: 0, settling: 2 });
    expect(next.step_samples).toBe(0);
    expect(readSampleRatio(next, 80).log_e).toBeCloseTo(reading.log_e, 9);
    expect(readSampleRatio(next, 100).log_e).toBeCloseTo(reading.log_e, 9);
  });

  it('remembers the failures of six ticks', () => {
    let analysis = newAnalysis(plan);
    for (let tick = 0; tick < 8; tick++) analysis = analysisWith(analysis, plan, 10, { candidate: arm(10, tick), control: arm(90, 0) });
    expect(analysis.recent.map(({ events }) => events)).toEqual([2, 3, 4, 5, 6, 7]);
    expect(analysis.step_samples).toBe(80);
  });

  // Known complaints about Kayenta's judge, which passes all three: spinnaker#6278, kayenta#426 and kayenta#780.
  describe('flags what others pass', () => {
    const latencies = planOf({});
    const harmed = (ticks: { candidate: ArmTick; control: ArmTick }[], limits: Sketch): string[] => {
      let analysis: Analysis = { ...newAnalysis(latencies), limits: limitsOf(limits) };
      for (const tick of ticks) analysis = analysisWith(analysis, latencies, 50, tick);
      return readGuardrails(analysis, latencies)
        .filter(({ harm }) => harm.refuted)
        .map(({ metric }) => metric);
    };

    it('seven of ten timings a hundred times as long', () => {
      const tick = {
        candidate: arm(10, 0, { timings: timed(10, (index) => (index < 7 ? 100 : 1)) }),
        control: arm(10, 0, { timings: timed(10, () => 1) }),
      };
      expect(
        harmed(
          [tick, tick, tick],
          timed(5_000, () => 1),
        ),
      ).toEqual(['latency_p50', 'latency_p95', 'latency_p99']);
    });

    it('a few errors where there were none', () => {
      const ticks = [0, 1, 2, 1, 0, 0, 0, 1, 2, 1, 0, 0].map((failures) => ({ candidate: arm(100, failures), control: arm(900, 0) }));
      expect(
        harmed(
          ticks,
          timed(5_000, () => 10),
        ),
      ).toEqual(['failure_rate']);
    });

    it('the same median with wilder tails', () => {
      const spread =
        (factor: number) =>
        (index: number): number =>
          100 * factor ** ((index % 100) / 50 - 0.99);
      const tick = {
        candidate: arm(100, 0, { timings: timed(100, spread(8)) }),
        control: arm(100, 0, { timings: timed(100, spread(2)) }),
      };
      const found = harmed([tick, tick, tick], timed(5_000, spread(2)));
      expect(found).toContain('latency_p95');
      expect(found).not.toContain('latency_p50');
    });
  });
});

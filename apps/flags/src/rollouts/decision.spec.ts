import { type GuardrailReading, type TestReading } from '#contracts/rollout-decision.js';
import { decide, type Situation } from './decision.js';
import { planOf } from './plan.js';

const plan = planOf({
  steps: [
    { percentage: 10, min_duration_seconds: 60, min_samples: 100 },
    { percentage: 100, min_duration_seconds: 30, min_samples: 10 },
  ],
  guardrails: [{ metric: 'failure_rate' }, { metric: 'latency_p95', on_harm: 'hold' }],
  no_data_after_seconds: 300,
  max_duration_seconds: 3_600,
});

const open: TestReading = {
  method: 'e_process',
  refuted: false,
  log_e: 0,
  log_threshold: 5.3,
  difference: 0,
  lower: -0.1,
  upper: 0.1,
  margin: 0,
};
const shown: TestReading = { ...open, refuted: true, log_e: 6 };

const reading = (metric: 'failure_rate' | 'latency_p95', harm: TestReading, promotion: TestReading): GuardrailReading => ({
  metric,
  error_type: null,
  limit_ms: metric === 'latency_p95' ? 100 : null,
  design_effect: 1,
  harm,
  promotion,
});
const [failing, slow] = [reading('failure_rate', shown, open), reading('latency_p95', shown, open)];
const [failureGood, latencyGood] = [reading('failure_rate', open, shown), reading('latency_p95', open, shown)];

/** Everything speaks for an advance. */
const good: Situation = {
  plan,
  step: 0,
  readings: [failureGood, latencyGood],
  candidate_events: [20, 20],
  recent: { n: 180, events: 5 },
  sample_ratio: { log_e: 0, log_threshold: 6.9, mismatch: false },
  silent_ms: { candidate: 0, control: 0 },
  step_age_ms: 60_000,
  step_samples: 100,
  age_ms: 60_000,
  paused: false,
  pending: false,
};
const undecided: Partial<Situation> = { readings: [failureGood, reading('latency_p95', open, open)] };
const late: Partial<Situation> = { ...undecided, age_ms: 3_600_000 };
const harmful: Partial<Situation> = { readings: [failing, latencyGood] };
const silent: Partial<Situation> = { silent_ms: { candidate: 0, control: 300_000 } };
const mismatch: Partial<Situation> = { sample_ratio: { log_e: 7, log_threshold: 6.9, mismatch: true } };
const failed: Partial<Situation> = { recent: { n: 20, events: 14 } };

describe('the decision of a tick', () => {
  it.each<[string, Partial<Situation>, string, string]>([
    ['everything is shown', {}, 'advance', 'evidence'],
    ['a guardrail is not shown yet', undecided, 'hold', 'collecting'],
    ['the step is too young', { step_age_ms: 59_999 }, 'hold', 'collecting'],
    ['the step has too few inferences', { step_samples: 99 }, 'hold', 'collecting'],
    ['a guardrail is harmed', harmful, 'rollback', 'guardrail_harm'],
    ['a guardrail is harmed by four events alone', { ...harmful, candidate_events: [4, 20] }, 'hold', 'collecting'],
    ['a watched metric is harmed', { readings: [failureGood, { ...slow, promotion: shown }] }, 'hold', 'signal_harm'],
    ['most fail', failed, 'rollback', 'failure_floor'],
    ['most of nineteen fail', { recent: { n: 19, events: 19 } }, 'advance', 'evidence'],
    ['a few more fail than may for certain', { recent: { n: 20, events: 8 } }, 'advance', 'evidence'],
    ['the shares are wrong', mismatch, 'hold', 'sample_ratio'],
    ['the shares are wrong and a guardrail is harmed', { ...mismatch, ...harmful }, 'rollback', 'guardrail_harm'],
    ['the control is silent', silent, 'hold', 'no_data'],
    ['the candidate is silent', { silent_ms: { candidate: 300_000, control: 0 } }, 'hold', 'no_data'],
    ['the control is silent for less', { silent_ms: { candidate: 0, control: 299_999 } }, 'advance', 'evidence'],
    ['silence shall roll back', { ...silent, plan: { ...plan, on_no_data: 'rollback' } }, 'rollback', 'no_data'],
    ['silence shall warn', { ...silent, plan: { ...plan, on_no_data: 'warn' } }, 'hold', 'collecting'],
    ['it is paused', { paused: true }, 'hold', 'paused'],
    ['it is paused and a guardrail is harmed', { paused: true, ...harmful }, 'rollback', 'guardrail_harm'],
    ['an advance is pending', { pending: true }, 'hold', 'pending'],
    ['time is up', late, 'hold', 'max_duration'],
    ['time is up and everything is shown', { age_ms: 3_600_000 }, 'advance', 'evidence'],
    ['time is up and shall promote', { ...late, plan: { ...plan, on_inconclusive: 'promote' } }, 'advance', 'max_duration'],
    [
      'time is up and shall promote, too early in the step',
      { ...late, step_samples: 0, plan: { ...plan, on_inconclusive: 'promote' } },
      'hold',
      'max_duration',
    ],
    ['time is up and shall roll back', { ...late, plan: { ...plan, on_inconclusive: 'rollback' } }, 'rollback', 'max_duration'],
    ['it is alone for long enough', { step: 1, ...undecided, ...silent }, 'advance', 'evidence'],
    ['it is alone for too short a time', { step: 1, step_age_ms: 29_999 }, 'hold', 'collecting'],
    ['it is alone and most fail', { step: 1, ...failed }, 'rollback', 'failure_floor'],
  ])('where %s', (_, difference, action, rule) => {
    expect(decide({ ...good, ...difference })).toMatchObject({ action, rule });
  });

  it('says why, with figures', () => {
    expect(decide({ ...good, ...harmful }).reason).toBe(
      "failure_rate is worse than the control's by more than 0 points (ln E 6.00 ≥ 5.30)",
    );
    expect(decide({ ...good, ...failed }).reason).toBe('14 of the last 20 inferences failed: certainly more than 25 %');
    const paired = { ...shown, method: 'paired_ticks' as const, lower: 0.0123 };
    expect(decide({ ...good, readings: [reading('failure_rate', paired, open), latencyGood] }).reason).toContain(
      'the difference is at least 1.23 points, above 0.00',
    );
    expect(decide({ ...good, ...undecided, step_samples: 5 }).reason).toBe(
      "5 of the step's 100 inferences; not shown yet to be within the promotion_margin: latency_p95",
    );
    expect(decide({ ...good, ...silent, plan: { ...plan, on_no_data: 'warn' } }).reason).toContain(
      'no inferences of the control for 300 s',
    );
  });
});

import {
  type DecisionAction,
  type DecisionRule,
  type GuardrailReading,
  type SampleRatio,
  type Verdict,
} from '#contracts/rollout-decision.js';
import { type RolloutPlan } from '#contracts/rollout-plan.js';
import { type Share } from '#statistics/two-proportions.js';
import { wilsonInterval } from '#statistics/wilson.js';

/** All that a decision is made of. */
export interface Situation {
  plan: RolloutPlan;
  /** Which of the plan's steps, from 0. */
  step: number;
  readings: GuardrailReading[];
  /** How many events of each guardrail the candidate had, in the order of the readings. */
  candidate_events: number[];
  /** Failures of the candidate in the last ticks, together. */
  recent: Share;
  sample_ratio: SampleRatio;
  /** How long each arm has been without an inference. */
  silent_ms: { candidate: number; control: number };
  step_age_ms: number;
  step_samples: number;
  age_ms: number;
  paused: boolean;
  /** Whether an advance is still to be made by the registry. */
  pending: boolean;
}

/** Of the candidate: fewer give no reason to roll back, whatever their share. */
const leastEvents = 5;
/** Of the candidate, before its failure rate alone is judged. */
const leastRecent = 20;
/** Characters. */
const mostReason = 1_500;
/** One-sided 0.0005: this rule is looked at each tick and corrects for nothing. */
const certain = 3.29;

type Decided = [action: DecisionAction, reason: string] | null;

/** The decision table: the first row that applies decides. */
const table: [DecisionRule, (situation: Situation) => Decided][] = [
  ['failure_floor', failureFloor],
  ['guardrail_harm', (situation) => harmOf(situation, 'rollback')],
  [
    'sample_ratio',
    ({ sample_ratio: { mismatch, log_e, log_threshold } }) =>
      mismatch ? ['hold', `the arms do not get the shares that the flag gives them: ln E ${show(log_e)} ≥ ${show(log_threshold)}`] : null,
  ],
  ['no_data', noData],
  ['signal_harm', (situation) => harmOf(situation, 'hold')],
  ['paused', ({ paused }) => (paused ? ['hold', 'paused by hand'] : null)],
  ['pending', ({ pending }) => (pending ? ['hold', 'an advance is still to be made by the registry'] : null)],
  ['evidence', evidence],
  ['max_duration', maxDuration],
];

/** What a tick comes to. Pure: the same situation is judged the same by whoever replays it. */
export function decide(situation: Situation): Verdict {
  for (const [rule, applies] of table) {
    const decided = applies(situation);
    if (decided) return { action: decided[0], rule, reason: decided[1].slice(0, mostReason) };
  }
  return { action: 'hold', rule: 'collecting', reason: missingOf(situation).join('; ').slice(0, mostReason) };
}

/** Whether there is nothing to compare with: the candidate has all traffic, so only fixed thresholds judge it. */
export const isAlone = ({ plan, step }: Pick<Situation, 'plan' | 'step'>): boolean => plan.steps[step]!.percentage >= 100;

function failureFloor({ plan, recent }: Situation): Decided {
  if (recent.n < leastRecent) return null;
  const { lower } = wilsonInterval(recent.events, recent.n, certain);
  if (lower * 100 <= plan.max_failure_rate) return null;
  return ['rollback', `${recent.events} of the last ${recent.n} inferences failed: certainly more than ${plan.max_failure_rate} %`];
}

function harmOf({ plan, readings, candidate_events }: Situation, on_harm: 'rollback' | 'hold'): Decided {
  const found = readings.flatMap((reading, index) => {
    const guardrail = plan.guardrails[index]!;
    if (guardrail.on_harm !== on_harm || !reading.harm.refuted || candidate_events[index]! < leastEvents) return [];
    return [`${nameOf(reading)} is worse than the control's by more than ${guardrail.harm_margin} ${unitOf(reading)} (${whyOf(reading)})`];
  });
  return found.length ? [on_harm, found.join('; ')] : null;
}

function noData(situation: Situation): Decided {
  const { plan, silent_ms } = situation;
  const arms = isAlone(situation) ? (['candidate'] as const) : (['candidate', 'control'] as const);
  const silent = arms.filter((arm) => silent_ms[arm] >= plan.no_data_after_seconds * 1000);
  // A warning stands in what is still missing.
  if (silent.length === 0 || plan.on_no_data === 'warn') return null;
  return [plan.on_no_data, silentReason(silent, plan)];
}

function evidence(situation: Situation): Decided {
  if (missingOf(situation).length) return null;
  if (isAlone(situation)) return ['advance', 'nothing to compare with: the candidate stayed below max_failure_rate with all traffic'];
  return ['advance', 'every guardrail is shown to be within its promotion_margin'];
}

function maxDuration(situation: Situation): Decided {
  const { plan, age_ms } = situation;
  if (age_ms < plan.max_duration_seconds * 1000) return null;
  const undecided = `undecided after ${plan.max_duration_seconds} s: ${missingOf(situation).join('; ')}`;
  if (plan.on_inconclusive !== 'promote') return [plan.on_inconclusive, undecided];
  return tooEarly(situation).length ? ['hold', undecided] : ['advance', undecided];
}

/** What is still missing for an advance. */
function missingOf(situation: Situation): string[] {
  const { plan, readings, silent_ms } = situation;
  const missing = tooEarly(situation);
  if (isAlone(situation)) return missing;
  const open = readings
    .filter(({ promotion }) => !promotion.refuted)
    .map((reading) => nameOf(reading) + (hasNoLimit(reading) ? ' (the control has too few timings)' : ''));
  if (open.length) missing.push(`not shown yet to be within the promotion_margin: ${open.join(', ')}`);
  const silent = (['candidate', 'control'] as const).filter((arm) => silent_ms[arm] >= plan.no_data_after_seconds * 1000);
  if (silent.length) missing.push(silentReason(silent, plan));
  return missing;
}

function tooEarly({ plan, step, step_age_ms, step_samples }: Situation): string[] {
  const { min_duration_seconds, min_samples } = plan.steps[step]!;
  return [
    ...(step_age_ms < min_duration_seconds * 1000 ? [`the step lasts ${min_duration_seconds} s at least`] : []),
    ...(step_samples < min_samples ? [`${step_samples} of the step's ${min_samples} inferences`] : []),
  ];
}

const silentReason = (silent: readonly string[], { no_data_after_seconds }: RolloutPlan): string =>
  `no inferences of the ${silent.join(' and the ')} for ${no_data_after_seconds} s`;

const nameOf = ({ metric, error_type }: GuardrailReading): string => (error_type === null ? metric : `${metric} ${error_type}`);

const hasNoLimit = ({ metric, limit_ms }: GuardrailReading): boolean => metric.startsWith('latency_') && limit_ms === null;

const unitOf = ({ limit_ms }: GuardrailReading): string => (limit_ms === null ? 'points' : '%');

function whyOf({ harm: { method, log_e, log_threshold, lower, margin } }: GuardrailReading): string {
  return method === 'paired_ticks' && lower !== null
    ? `the difference is at least ${show(lower * 100)} points, above ${show(margin * 100)}`
    : `ln E ${show(log_e)} ≥ ${show(log_threshold)}`;
}

const show = (value: number): string => value.toFixed(2);

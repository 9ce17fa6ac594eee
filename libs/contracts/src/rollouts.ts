import { Bool, Decimal, Instant, Line, OneOf, Part, Parts, Text, Whole } from './fields.js';
import { Flag } from './flags.js';
import { Percentiles } from './metrics.js';
import { pageOf, PageRequest } from './page.js';
import { FlagKey, minOverrideReason, Model, ModelId, ModelRef, modelStatuses, type ModelStatus } from './registry.js';
import { request } from './request.js';

export const rolloutStatuses = ['starting', 'running', 'paused', 'completed', 'rolled_back', 'aborted', 'refused'] as const;
export type RolloutStatus = (typeof rolloutStatuses)[number];

export const guardrailMetrics = ['failure_rate', 'error_type', 'latency_p50', 'latency_p95', 'latency_p99'] as const;
export type GuardrailMetric = (typeof guardrailMetrics)[number];

export const harmActions = ['rollback', 'hold'] as const;
export const noDataActions = ['hold', 'rollback', 'warn'] as const;
export const inconclusiveActions = ['hold', 'promote', 'rollback'] as const;

const maxSteps = 20;
const maxGuardrails = 10;
export const maxRolloutSeconds = 30 * 86_400;

const RolloutId = (): PropertyDecorator =>
  Text({ max: 20, pattern: /^rollout_[0-9a-f]{12}$/, accepted: 'the `rollout_id` of a rollout, such as rollout_0a1b2c3d4e5f' });

const reason = `Why; kept in the audit.`;

export class RolloutRef {
  @RolloutId()
  rollout_id!: string;
}

export class RolloutStep {
  @Decimal({ min: 0.01, max: 100, description: 'Share of the flag’s traffic that the candidate has, in percent. Grows from step to step.' })
  percentage!: number;

  @Whole({ max: maxRolloutSeconds, description: 'How long the step lasts at least.' })
  min_duration_seconds!: number;

  @Whole({ description: 'How many inferences of the candidate the step needs at least.' })
  min_samples!: number;
}

const margins = 'Percentage points for failure_rate and error_type, percent of the control’s quantile for latencies.';

/** What the candidate is held against the control in. */
export class Guardrail {
  @OneOf(guardrailMetrics)
  metric!: GuardrailMetric;

  @Text({ max: 64, nullable: true, description: 'Of the metric error_type: which one’s share of all inferences. Else null.' })
  error_type!: string | null;

  @Decimal({ min: 0, max: 1_000, description: `How much worse the candidate may be before that counts as harm. ${margins}` })
  harm_margin!: number;

  @Decimal({ min: 0, max: 1_000, description: `How much worse it may be for a promotion: that it is not has to be shown. ${margins}` })
  promotion_margin!: number;

  @OneOf(harmActions, { description: 'What harm comes to: `hold` is for a metric that is watched and gives no reason to roll back.' })
  on_harm!: (typeof harmActions)[number];

  @Decimal({ min: 0.01, max: 100, description: 'Its part of `alpha`, in relation to the other guardrails that roll back.' })
  weight!: number;
}

export class NewGuardrail {
  @OneOf(guardrailMetrics)
  metric!: GuardrailMetric;

  @Text({ max: 64, optional: true, nullable: true, description: 'For error_type: which one’s share of all inferences.' })
  error_type?: string | null;

  @Decimal({ min: 0, max: 1_000, optional: true, description: `How much worse counts as harm. ${margins} Default 0, of latencies 10.` })
  harm_margin?: number;

  @Decimal({
    min: 0,
    max: 1_000,
    optional: true,
    description: `How much worse it is shown not to be for a promotion. ${margins} Default 2, of latencies 25.`,
  })
  promotion_margin?: number;

  @OneOf(harmActions, { optional: true, description: 'Default `rollback`.' })
  on_harm?: (typeof harmActions)[number];

  @Decimal({ min: 0.01, max: 100, optional: true, description: 'Its part of `alpha`, in relation to the others. Default 1.' })
  weight?: number;
}

/** How a rollout proceeds and what stops it. */
export class RolloutPlan {
  @Parts(() => RolloutStep, { min_items: 1, max_items: maxSteps })
  steps!: RolloutStep[];

  @Parts(() => Guardrail, { min_items: 1, max_items: maxGuardrails })
  guardrails!: Guardrail[];

  @Decimal({ min: 0.0001, max: 0.2, description: 'P(a rollback although nothing is worse), for the rollout as a whole.' })
  alpha!: number;

  @Decimal({ min: 0.0001, max: 0.2, description: 'P(evidence for a promotion although a guardrail is at its promotion_margin).' })
  promotion_alpha!: number;

  @Decimal({
    min: 1,
    max: 100,
    description: 'Percent: where more of the candidate’s last six ticks failed for certain, it is rolled back at once.',
  })
  max_failure_rate!: number;

  @Whole({ min: 1, max: maxRolloutSeconds, description: 'How long an arm may be silent.' })
  no_data_after_seconds!: number;

  @OneOf(noDataActions)
  on_no_data!: (typeof noDataActions)[number];

  @Whole({ min: 1, max: maxRolloutSeconds, description: 'How long it may take.' })
  max_duration_seconds!: number;

  @OneOf(inconclusiveActions, { description: 'What happens once it has taken so long.' })
  on_inconclusive!: (typeof inconclusiveActions)[number];

  @Decimal({
    min: 1,
    max: 1_000_000,
    description: 'How many inferences one targeting key makes on average: the sample-ratio check counts that many as one.',
  })
  inferences_per_unit!: number;
}

export class NewRollout {
  @FlagKey()
  flag_key!: string;

  @ModelId()
  candidate_model_id!: string;

  @Text({
    max: 64,
    pattern: /^[a-z0-9_]{1,64}$/,
    accepted: '1 to 64 of a-z, 0-9 and _, such as mlb_model_a1b2c3d4',
    optional: true,
    description: 'Default: the stable version of the candidate’s name.',
  })
  control_model_id?: string;

  @Parts(() => RolloutStep, {
    min_items: 1,
    max_items: maxSteps,
    optional: true,
    description: 'The last is 100 %. Default: 1, 5, 25, 50 and 100 %, each for 5 minutes and 100 inferences.',
  })
  steps?: RolloutStep[];

  @Parts(() => NewGuardrail, {
    min_items: 1,
    max_items: maxGuardrails,
    optional: true,
    description: 'Default: failure_rate, latency_p50, latency_p95 and latency_p99.',
  })
  guardrails?: NewGuardrail[];

  @Decimal({ min: 0.0001, max: 0.2, optional: true, description: 'P(a rollback although nothing is worse). Default 0.01.' })
  alpha?: number;

  @Decimal({ min: 0.0001, max: 0.2, optional: true, description: 'P(evidence for a promotion at the margin). Default 0.05.' })
  promotion_alpha?: number;

  @Decimal({ min: 1, max: 100, optional: true, description: 'Percent that may fail for certain. Default 25.' })
  max_failure_rate?: number;

  @Whole({ min: 1, max: maxRolloutSeconds, optional: true, description: 'How long an arm may be silent. Default 300.' })
  no_data_after_seconds?: number;

  @OneOf(noDataActions, { optional: true, description: 'Default `hold`.' })
  on_no_data?: (typeof noDataActions)[number];

  @Whole({ min: 1, max: maxRolloutSeconds, optional: true, description: 'How long it may take. Default 86,400.' })
  max_duration_seconds?: number;

  @OneOf(inconclusiveActions, { optional: true, description: 'Default `hold`.' })
  on_inconclusive?: (typeof inconclusiveActions)[number];

  @Decimal({ min: 1, max: 1_000_000, optional: true, description: 'How many inferences one targeting key makes. Default 1.' })
  inferences_per_unit?: number;

  @Bool({ optional: true, description: 'true: another attempt with a candidate that was rolled back. Default false.' })
  reenter?: boolean;

  @Bool({ optional: true, description: 'true: promote although the gate is not met, to canary and to stable. Default false.' })
  override?: boolean;

  @Line({ max: 1_000, description: `${reason} With \`override\` at least ${minOverrideReason} characters.` })
  reason!: string;
}

export const decisionActions = ['advance', 'hold', 'rollback'] as const;
export type DecisionAction = (typeof decisionActions)[number];

export const decisionRules = [
  'failure_floor',
  'guardrail_harm',
  'sample_ratio',
  'no_data',
  'signal_harm',
  'paused',
  'pending',
  'evidence',
  'max_duration',
  'collecting',
] as const;
export type DecisionRule = (typeof decisionRules)[number];

/** What one tick came to. */
export class Verdict {
  @OneOf(decisionActions)
  action!: DecisionAction;

  @OneOf(decisionRules, { description: 'The first rule that applied.' })
  rule!: DecisionRule;

  @Text({ max: 2_000 })
  reason!: string;
}

export class LastDecision extends Verdict {
  @Whole({ min: 1 })
  tick!: number;

  @Instant()
  at!: string;
}

const plannedChanges = ['start', 'advance', 'complete', 'release', 'rollback', 'abort'] as const;

/** A change that the registry is yet to make, or to refuse. */
export class PendingChange {
  @Whole({ min: 1, description: 'Numbers the changes of a rollout: the registry makes each once, and none after a later one.' })
  sequence!: number;

  @OneOf(plannedChanges)
  change!: (typeof plannedChanges)[number];

  @Instant()
  since!: string;

  @Text({ max: 1_000, nullable: true, description: 'Why it has not been made yet.' })
  last_error!: string | null;
}

/** A candidate on its way to all traffic of a flag. */
export class Rollout extends RolloutRef {
  @FlagKey()
  flag_key!: string;

  @ModelId()
  candidate_model_id!: string;

  @Text({ max: 128, description: 'The variant that is bound to it.' })
  candidate_variant!: string;

  @ModelId()
  control_model_id!: string;

  @Text({ max: 128 })
  control_variant!: string;

  @OneOf(rolloutStatuses)
  status!: RolloutStatus;

  @Whole({ description: 'Which of the steps, from 0.' })
  step!: number;

  @Decimal({ min: 0, max: 100, description: 'The candidate’s share of the flag’s traffic at present.' })
  percentage!: number;

  @Part(() => RolloutPlan)
  plan!: RolloutPlan;

  @Bool({ description: 'Whether the gates of promotions are passed without their evidence.' })
  override!: boolean;

  @Text({ max: 1_000 })
  reason!: string;

  @Part(() => LastDecision, { nullable: true })
  last_decision!: LastDecision | null;

  @Part(() => PendingChange, { nullable: true, description: 'null: the registry has all that was decided.' })
  pending!: PendingChange | null;

  @Text({ max: 2_000, nullable: true, description: 'Why it ended; null while it has not.' })
  outcome!: string | null;

  @Instant()
  created_at!: string;

  @Text({ max: 100 })
  created_by!: string;

  @Instant({ nullable: true, description: 'When the candidate got its first traffic.' })
  started_at!: string | null;

  @Instant({ nullable: true })
  step_started_at!: string | null;

  @Instant({ nullable: true })
  ended_at!: string | null;
}

/** A rollout after a change of it, and what changed along with it. */
export class RolloutChanged {
  @Part(() => Rollout)
  rollout!: Rollout;

  @Part(() => Flag, { nullable: true })
  flag!: Flag | null;

  @Parts(() => Model, { description: 'Those that the registry has changed by now.' })
  models!: Model[];
}

export const rolloutEndings = ['completed', 'rolled_back', 'aborted'] as const;
export type RolloutEnding = (typeof rolloutEndings)[number];

/** A fact about a rollout that ended, on the stream of facts under `emr.evt.rollouts.<event>`: once, but for what is sent again. */
export class RolloutEvent extends RolloutRef {
  @Text({ max: 200, description: 'Also its Nats-Msg-Id: what is sent again has the same.' })
  event_id!: string;

  @OneOf(rolloutEndings)
  event!: RolloutEnding;

  @Instant()
  at!: string;

  @FlagKey()
  flag_key!: string;

  @ModelId()
  candidate_model_id!: string;

  @ModelId()
  control_model_id!: string;

  @Text({ max: 2_000 })
  reason!: string;
}

export const subjectOfRollout = (event: RolloutEnding): string => `emr.evt.rollouts.${event}`;

export class RolloutFilter extends PageRequest {
  @OneOf(rolloutStatuses, { optional: true })
  status?: RolloutStatus;

  @FlagKey({ optional: true })
  flag_key?: string;
}

export class RolloutPage extends pageOf(Rollout) {}

export class RolloutAction extends RolloutRef {
  @Line({ max: 1_000, description: reason })
  reason!: string;
}

/** How a hypothesis on a difference stands. */
export class TestReading {
  @OneOf(['e_process', 'paired_ticks', 'none'], { description: 'What decides; `none`: nothing to compare yet.' })
  method!: 'e_process' | 'paired_ticks' | 'none';

  @Bool({ description: 'Whether it is refuted: harm is found, or that it is within the margin is shown.' })
  refuted!: boolean;

  @Decimal({ min: -1e300, max: 1e300, description: 'ln of the e-value …' })
  log_e!: number;

  @Decimal({ min: -1e300, max: 1e300, description: '… and where it refutes.' })
  log_threshold!: number;

  @Decimal({ min: -1, max: 1, nullable: true, description: 'Candidate less control, as a share of inferences.' })
  difference!: number | null;

  @Decimal({ min: -1e300, max: 1e300, nullable: true, description: 'One-sided bounds that hold at all times.' })
  lower!: number | null;

  @Decimal({ min: -1e300, max: 1e300, nullable: true })
  upper!: number | null;

  @Decimal({
    min: -1e3,
    max: 1e3,
    description: 'The margin of the hypothesis, in the same unit: 0 for latencies, whose margin moves the limit.',
  })
  margin!: number;
}

export class GuardrailReading {
  @OneOf(guardrailMetrics)
  metric!: GuardrailMetric;

  @Text({ max: 64, nullable: true })
  error_type!: string | null;

  @Decimal({
    min: 0,
    max: 1e7,
    nullable: true,
    description: 'Latencies: what is slow, by the control before the start; null: not known yet.',
  })
  limit_ms!: number | null;

  @Decimal({ min: 1, max: 1e300, description: 'By how much requests of a tick are more alike than independent ones.' })
  design_effect!: number;

  @Part(() => TestReading)
  harm!: TestReading;

  @Part(() => TestReading)
  promotion!: TestReading;
}

export class SampleRatio {
  @Decimal({ min: -1e300, max: 1e300, description: 'ln of the e-value against the shares that the flag gives.' })
  log_e!: number;

  @Decimal({ min: 0, max: 1e3 })
  log_threshold!: number;

  @Bool()
  mismatch!: boolean;
}

/** What an arm did in one tick. */
export class TickCounts {
  @Whole()
  inferences!: number;

  @Whole()
  failures!: number;
}

export class RolloutDecision extends LastDecision {
  @Whole()
  step!: number;

  @Decimal({ min: 0, max: 100 })
  percentage!: number;

  @Part(() => TickCounts)
  candidate!: TickCounts;

  @Part(() => TickCounts)
  control!: TickCounts;

  @Parts(() => GuardrailReading)
  guardrails!: GuardrailReading[];

  @Part(() => SampleRatio)
  sample_ratio!: SampleRatio;

  @OneOf(['comparison', 'threshold'], {
    description: '`threshold`: nothing to compare with, so only max_failure_rate was held against it.',
  })
  method!: 'comparison' | 'threshold';
}

export class RolloutDecisionPage extends pageOf(RolloutDecision) {}

export class RolloutDecisionsRequest extends PageRequest {
  @RolloutId()
  rollout_id!: string;
}

export class ArmAnalysis {
  @Text({ max: 128 })
  variant!: string;

  @ModelId()
  model_id!: string;

  @Whole()
  inferences!: number;

  @Whole()
  failures!: number;

  @Decimal({ min: 0, max: 100, description: 'Percent; 0 without inferences.' })
  success_rate!: number;

  @Decimal({ min: 0, max: 100, description: 'Wilson’s 95 % interval.' })
  success_rate_lower!: number;

  @Decimal({ min: 0, max: 100 })
  success_rate_upper!: number;

  @Decimal({ min: 0, max: 1e7 })
  average_timing_ms!: number;

  @Part(() => Percentiles)
  percentiles!: Percentiles;

  @Decimal({ min: 0, max: 1, description: 'P(its success rate is the better one), after a uniform prior.' })
  probability_best!: number;
}

/** The Mann–Whitney test of the arms' timings, for one look at the end: looked at often, it alarms more often than it says. */
export class TimingComparison {
  @Decimal({ min: 0, max: 1e300, description: 'The median of all ratios of a timing of the candidate and one of the control …' })
  ratio!: number;

  @Decimal({ min: 0, max: 1e300, description: '… with its 95 % interval.' })
  ratio_lower!: number;

  @Decimal({ min: 0, max: 1e300 })
  ratio_upper!: number;

  @Decimal({ min: 0, max: 1, description: 'P(a timing of the candidate is the longer one).' })
  probability_slower!: number;
}

/** How the arms compare, of all that was counted since the start. */
export class RolloutAnalysis extends RolloutRef {
  @OneOf(rolloutStatuses)
  status!: RolloutStatus;

  @Whole({ description: 'Ticks so far.' })
  ticks!: number;

  @Parts(() => ArmAnalysis, { description: 'The candidate, then the control.' })
  arms!: ArmAnalysis[];

  @Decimal({
    min: -100,
    max: 100,
    nullable: true,
    description: 'Success rate of the candidate less the control’s, in points, weighted by tick …',
  })
  success_difference!: number | null;

  @Decimal({
    min: -1e6,
    max: 1e6,
    nullable: true,
    description: '… with a 95 % confidence sequence: it holds at all times. null before the second tick.',
  })
  success_difference_lower!: number | null;

  @Decimal({ min: -1e6, max: 1e6, nullable: true })
  success_difference_upper!: number | null;

  @Part(() => TimingComparison, { nullable: true, description: 'null: too few timings.' })
  timings!: TimingComparison | null;

  @Parts(() => GuardrailReading)
  guardrails!: GuardrailReading[];

  @Part(() => SampleRatio)
  sample_ratio!: SampleRatio;

  @Parts(() => RolloutDecision, { description: 'The newest 20 decisions, newest first.' })
  decisions!: RolloutDecision[];
}

/** What is left out is as the rollout has it. */
export class RolloutSimulationRequest extends RolloutRef {
  @Parts(() => NewGuardrail, { min_items: 1, max_items: maxGuardrails, optional: true })
  guardrails?: NewGuardrail[];

  @Decimal({ min: 0.0001, max: 0.2, optional: true })
  alpha?: number;

  @Decimal({ min: 0.0001, max: 0.2, optional: true })
  promotion_alpha?: number;

  @Decimal({ min: 1, max: 100, optional: true })
  max_failure_rate?: number;
}

export class SimulatedDecision extends LastDecision {
  @Whole({ description: 'The step that the simulation was in.' })
  step!: number;
}

/** The stored ticks judged anew. The traffic is what it was: a simulated step changes only what is required of it. */
export class RolloutSimulation extends RolloutRef {
  @Whole({ description: 'Ticks replayed: the first 20,000 at the most.' })
  ticks!: number;

  @Bool({ description: 'Whether there were more.' })
  truncated!: boolean;

  @Parts(() => SimulatedDecision, {
    description: 'Where the decision or its rule changed, and every advance; it ends at a rollback. At most 1,000.',
  })
  decisions!: SimulatedDecision[];

  @Whole({ min: 1, nullable: true })
  rollback_at_tick!: number | null;

  @Whole({ description: 'Steps that it advanced.' })
  advances!: number;
}

/** What a rollout makes of one model. */
export class RolledModel extends ModelRef {
  @OneOf(modelStatuses)
  status!: ModelStatus;

  @Decimal({ min: 0, max: 100 })
  rollout_percentage!: number;
}

/**
 * A change that a rollout makes of its models: of all of them or, where one refuses, of none. `sequence` numbers the changes of a rollout: one
 * that was made already, or after which a later one was made, is answered and changes nothing, so it may be asked for again at any time.
 */
export class RolloutApplication extends RolloutRef {
  @Whole({ min: 1 })
  sequence!: number;

  @Parts(() => RolledModel, { min_items: 1, max_items: 2 })
  models!: RolledModel[];

  @Bool({ description: 'true: the rollout ends here, and its models are free. They stay as they are or go back, so no gate is asked.' })
  release!: boolean;

  @Bool({ description: 'true: the gate of a promotion is passed without its evidence, which the audit tells.' })
  override!: boolean;

  @Text({ max: 2_000 })
  reason!: string;
}

export class RolloutApplied {
  @Parts(() => Model, { description: 'As they are now.' })
  models!: Model[];
}

export const applyRollout = request('registry.apply_rollout', { input: RolloutApplication, output: RolloutApplied });

export const createRollout = request('flags.create_rollout', { input: NewRollout, output: RolloutChanged });
export const listRollouts = request('flags.list_rollouts', { input: RolloutFilter, output: RolloutPage });
export const getRollout = request('flags.get_rollout', { input: RolloutRef, output: Rollout });
export const pauseRollout = request('flags.pause_rollout', { input: RolloutAction, output: RolloutChanged });
export const resumeRollout = request('flags.resume_rollout', { input: RolloutAction, output: RolloutChanged });
export const promoteRollout = request('flags.promote_rollout', { input: RolloutAction, output: RolloutChanged });
export const abortRollout = request('flags.abort_rollout', { input: RolloutAction, output: RolloutChanged });
export const listRolloutDecisions = request('flags.list_rollout_decisions', {
  input: RolloutDecisionsRequest,
  output: RolloutDecisionPage,
});
export const analyseRollout = request('flags.analyse_rollout', { input: RolloutRef, output: RolloutAnalysis });
export const simulateRollout = request('flags.simulate_rollout', {
  input: RolloutSimulationRequest,
  output: RolloutSimulation,
  // Of a rollout that took weeks. That nobody listens is heard at once.
  timeout_ms: 15_000,
});

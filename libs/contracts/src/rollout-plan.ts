import { Bool, Decimal, Line, OneOf, Parts, Text, Whole } from './fields.js';
import { FlagKey, minOverrideReason, ModelId } from './registry.js';

export const guardrailMetrics = ['failure_rate', 'error_type', 'latency_p50', 'latency_p95', 'latency_p99'] as const;
export type GuardrailMetric = (typeof guardrailMetrics)[number];

export const harmActions = ['rollback', 'hold'] as const;
export const noDataActions = ['hold', 'rollback', 'warn'] as const;
export const inconclusiveActions = ['hold', 'promote', 'rollback'] as const;

const maxSteps = 20;
export const maxGuardrails = 10;
const maxRolloutSeconds = 30 * 86_400;

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

  @Line({ max: 1_000, description: `Why; kept in the audit. With \`override\` at least ${minOverrideReason} characters.` })
  reason!: string;
}

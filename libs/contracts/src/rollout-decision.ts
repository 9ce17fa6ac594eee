import { Bool, Decimal, Instant, OneOf, Part, Parts, Text, Whole } from './fields.js';
import { type GuardrailMetric, guardrailMetrics } from './rollout-plan.js';

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

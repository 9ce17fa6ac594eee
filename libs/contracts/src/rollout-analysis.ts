import { Bool, Decimal, OneOf, Part, Parts, Text, Whole } from './fields.js';
import { Percentiles } from './metrics.js';
import { pageOf, PageRequest } from './page.js';
import { ModelId } from './registry.js';
import { request } from './request.js';
import { GuardrailReading, LastDecision, RolloutDecision, SampleRatio } from './rollout-decision.js';
import { maxGuardrails, NewGuardrail } from './rollout-plan.js';
import { RolloutId, RolloutRef, type RolloutStatus, rolloutStatuses } from './rollouts.js';

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

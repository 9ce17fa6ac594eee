import { type FieldProblem, invalidInput } from '#contracts/errors.js';
import { type Guardrail, type NewGuardrail, type NewRollout, type RolloutPlan, type RolloutStep } from '#contracts/rollout-plan.js';

export const defaultSteps: RolloutStep[] = [1, 5, 25, 50, 100].map((percentage) => ({
  percentage,
  min_duration_seconds: 300,
  min_samples: 100,
}));

const defaultGuardrails: NewGuardrail[] = [
  { metric: 'failure_rate' },
  { metric: 'latency_p50' },
  { metric: 'latency_p95' },
  { metric: 'latency_p99' },
];

/** A plan with what was left out. Throws INVALID_INPUT where its parts do not fit together. */
export function planOf(input: Partial<NewRollout>): RolloutPlan {
  const steps = input.steps ?? defaultSteps;
  const problems = stepProblems(steps);
  if (problems.length) throw invalidInput(problems);
  return {
    steps,
    guardrails: guardrailsOf(input.guardrails ?? defaultGuardrails),
    alpha: input.alpha ?? 0.01,
    promotion_alpha: input.promotion_alpha ?? 0.05,
    max_failure_rate: input.max_failure_rate ?? 25,
    no_data_after_seconds: input.no_data_after_seconds ?? 300,
    on_no_data: input.on_no_data ?? 'hold',
    max_duration_seconds: input.max_duration_seconds ?? 86_400,
    on_inconclusive: input.on_inconclusive ?? 'hold',
    inferences_per_unit: input.inferences_per_unit ?? 1,
  };
}

/** Throws INVALID_INPUT where two are of the same thing, or an error type is missing or out of place. */
export function guardrailsOf(given: readonly NewGuardrail[]): Guardrail[] {
  const problems: FieldProblem[] = [];
  const seen = new Set<string>();
  for (const [index, { metric, error_type = null }] of given.entries()) {
    const field = `guardrails[${index}].error_type`;
    if (metric === 'error_type' && error_type === null) problems.push({ field, accepted: 'the error type whose share is held against it' });
    if (metric !== 'error_type' && error_type !== null) problems.push({ field, value: error_type, accepted: 'null, but for error_type' });
    const of = JSON.stringify([metric, error_type]);
    if (seen.has(of)) problems.push({ field: `guardrails[${index}].metric`, value: metric, accepted: 'one guardrail of a metric' });
    seen.add(of);
  }
  if (problems.length) throw invalidInput(problems);
  return given.map(({ metric, error_type = null, harm_margin, promotion_margin, on_harm = 'rollback', weight = 1 }) => {
    const latency = metric.startsWith('latency_');
    return {
      metric,
      error_type,
      harm_margin: harm_margin ?? (latency ? 10 : 0),
      promotion_margin: promotion_margin ?? (latency ? 25 : 2),
      on_harm,
      weight,
    };
  });
}

function stepProblems(steps: readonly RolloutStep[]): FieldProblem[] {
  const problems = steps.flatMap(({ percentage }, index) => {
    const before = index === 0 ? 0 : steps[index - 1]!.percentage;
    return percentage > before ? [] : [{ field: `steps[${index}].percentage`, value: percentage, accepted: `more than ${before}` }];
  });
  const last = steps.length - 1;
  if (steps[last]!.percentage !== 100) {
    problems.push({ field: `steps[${last}].percentage`, value: steps[last]!.percentage, accepted: '100, in the last step' });
  }
  return problems;
}

import { AppError } from '#contracts/errors.js';
import { type NewRollout } from '#contracts/rollout-plan.js';
import { planOf } from './plan.js';

const step = (percentage: number): { percentage: number; min_duration_seconds: number; min_samples: number } => ({
  percentage,
  min_duration_seconds: 0,
  min_samples: 0,
});

describe('the plan of a rollout', () => {
  it('has defaults for all that is left out', () => {
    const plan = planOf({});
    expect(plan.steps.map(({ percentage }) => percentage)).toEqual([1, 5, 25, 50, 100]);
    expect(plan.guardrails.map(({ metric, harm_margin, promotion_margin }) => [metric, harm_margin, promotion_margin])).toEqual([
      ['failure_rate', 0, 2],
      ['latency_p50', 10, 25],
      ['latency_p95', 10, 25],
      ['latency_p99', 10, 25],
    ]);
    expect(plan).toMatchObject({ alpha: 0.01, promotion_alpha: 0.05, on_no_data: 'hold', on_inconclusive: 'hold' });
  });

  it('keeps what is given', () => {
    const steps = [step(5), step(100)];
    expect(planOf({ steps, guardrails: [{ metric: 'error_type', error_type: 'timeout_error', weight: 3 }], alpha: 0.02 })).toMatchObject({
      steps,
      guardrails: [
        { metric: 'error_type', error_type: 'timeout_error', harm_margin: 0, promotion_margin: 2, on_harm: 'rollback', weight: 3 },
      ],
      alpha: 0.02,
    });
  });

  it.each<[string, Partial<NewRollout>]>([
    ['steps[1].percentage', { steps: [step(5), step(5), step(100)] }],
    ['steps[0].percentage', { steps: [step(50)] }],
    ['guardrails[0].error_type', { guardrails: [{ metric: 'error_type' }] }],
    ['guardrails[0].error_type', { guardrails: [{ metric: 'failure_rate', error_type: 'timeout_error' }] }],
    ['guardrails[1].metric', { guardrails: [{ metric: 'failure_rate' }, { metric: 'failure_rate' }] }],
  ])('is refused for %s', (field, input) => {
    let error: unknown;
    try {
      planOf(input);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(AppError);
    expect(error).toMatchObject({ code: 'INVALID_INPUT', details: { fields: [{ field }] } });
  });
});

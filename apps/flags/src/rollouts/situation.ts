import { type Analysis, readGuardrails, readSampleRatio } from './analysis.js';
import { type Situation } from './decision.js';
import { type RolloutPlan } from '#contracts/rollout-plan.js';

/** What a decision is made of besides the analysis. */
export type Circumstances = Pick<Situation, 'step' | 'silent_ms' | 'step_age_ms' | 'age_ms' | 'paused' | 'pending'>;

/** All that the tick which the analysis ends with is decided by. `percentage` (0..100) is the candidate's share of the traffic in it. */
export function situationOf(analysis: Analysis, plan: RolloutPlan, percentage: number, circumstances: Circumstances): Situation {
  return {
    ...circumstances,
    plan,
    readings: readGuardrails(analysis, plan),
    candidate_events: analysis.guardrails.map(({ harm }) => harm.candidate.events),
    recent: analysis.recent.reduce((sum, { n, events }) => ({ n: sum.n + n, events: sum.events + events }), { n: 0, events: 0 }),
    sample_ratio: readSampleRatio(analysis, percentage),
    step_samples: analysis.step_samples,
  };
}

import { type GateRequirement, type PromotionRequirement } from '#contracts/promotion.js';
import { type ModelStatus } from '#contracts/registry.js';
import { type FinishedRun } from '#contracts/validation.js';

export interface GatePolicy {
  /** How long ago the passed run may have started. */
  max_run_age_hours: number;
  canary: readonly PromotionRequirement[];
  stable: readonly PromotionRequirement[];
}

const hourMs = 3_600_000;

/** What a step of the workflow needs. Only a step up is a promotion: back from `stable` to `canary` nothing is asked. */
export function requirementsOf(from: ModelStatus, to: ModelStatus, policy: GatePolicy): readonly PromotionRequirement[] {
  if (to === 'stable') return policy.stable;
  return to === 'canary' && from !== 'stable' ? policy.canary : [];
}

/** Holds requirements against the newest finished run of the very version that is promoted; null: there is none. `now` is ms since 1970. */
export function judgeGate(
  requirements: readonly PromotionRequirement[],
  run: FinishedRun | null,
  { max_run_age_hours }: GatePolicy,
  now: number,
): GateRequirement[] {
  return requirements.map((requirement) => {
    const { met, reason } = run ? judges[requirement](run, max_run_age_hours, now) : noRun;
    return { requirement, met, reason, run_id: run?.run_id ?? null };
  });
}

interface Judgement {
  met: boolean;
  reason: string;
}

const noRun: Judgement = { met: false, reason: 'no run of this version has finished' };

const judges: Record<PromotionRequirement, (run: FinishedRun, max_run_age_hours: number, now: number) => Judgement> = {
  passed_run({ status, started_at }, max_run_age_hours, now) {
    if (status !== 'passed') return { met: false, reason: `the newest finished run of this version has the status ${status}` };
    const met = now - Date.parse(started_at) <= max_run_age_hours * hourMs;
    const age = `started at ${started_at}, ${met ? 'within' : 'longer ago than'} the ${max_run_age_hours} hours of the policy`;
    return { met, reason: `the newest finished run of this version passed and ${age}` };
  },
  no_high_regression({ regression_severity }) {
    return {
      met: regression_severity !== 'high',
      reason: `the newest finished run of this version has the regression severity ${regression_severity}`,
    };
  },
};

/** The requirements of a promotion that is made without knowing: validation did not answer. */
export const unknownGate = (requirements: readonly PromotionRequirement[]): GateRequirement[] =>
  requirements.map((requirement) => ({ requirement, met: false, reason: 'the validation service was not available', run_id: null }));

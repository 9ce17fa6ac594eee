import { Bool, Decimal, Instant, Line, OneOf, Part, Parts, Text, Whole } from './fields.js';
import { Flag } from './flags.js';
import { pageOf, PageRequest } from './page.js';
import { FlagKey, Model, ModelId, ModelRef, type ModelStatus, modelStatuses } from './registry.js';
import { request } from './request.js';
import { LastDecision } from './rollout-decision.js';
import { NewRollout, RolloutPlan } from './rollout-plan.js';

export const rolloutStatuses = ['starting', 'running', 'paused', 'completed', 'rolled_back', 'aborted', 'refused'] as const;
export type RolloutStatus = (typeof rolloutStatuses)[number];

export const RolloutId = (): PropertyDecorator =>
  Text({ max: 20, pattern: /^rollout_[0-9a-f]{12}$/, accepted: 'the `rollout_id` of a rollout, such as rollout_0a1b2c3d4e5f' });

export class RolloutRef {
  @RolloutId()
  rollout_id!: string;
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

export class RolloutFilter extends PageRequest {
  @OneOf(rolloutStatuses, { optional: true })
  status?: RolloutStatus;

  @FlagKey({ optional: true })
  flag_key?: string;
}

export class RolloutPage extends pageOf(Rollout) {}

export class RolloutAction extends RolloutRef {
  @Line({ max: 1_000, description: 'Why; kept in the audit.' })
  reason!: string;
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
/** Of what asks the registry in turn, which may ask validation: those have their own time. That nobody listens is heard at once. */
const timeout_ms = 6_000;

export const createRollout = request('flags.create_rollout', { input: NewRollout, output: RolloutChanged, timeout_ms });
export const listRollouts = request('flags.list_rollouts', { input: RolloutFilter, output: RolloutPage });
export const getRollout = request('flags.get_rollout', { input: RolloutRef, output: Rollout });
export const pauseRollout = request('flags.pause_rollout', { input: RolloutAction, output: RolloutChanged });
export const resumeRollout = request('flags.resume_rollout', { input: RolloutAction, output: RolloutChanged });
export const promoteRollout = request('flags.promote_rollout', { input: RolloutAction, output: RolloutChanged, timeout_ms });
export const abortRollout = request('flags.abort_rollout', { input: RolloutAction, output: RolloutChanged, timeout_ms });

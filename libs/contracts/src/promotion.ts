import { Bool, Instant, OneOf, Parts, Text, Texts, Whole } from './fields.js';
import { IfMatch, ModelRef, modelStatuses, type ModelStatus } from './registry.js';
import { NoInput, request } from './request.js';

/** What can be asked of a version before it is promoted; both are read off its newest finished run. */
export const promotionRequirements = ['passed_run', 'no_high_regression'] as const;
export type PromotionRequirement = (typeof promotionRequirements)[number];

export const maxRunAgeHours = 8_760;

const Requirements = (options: { optional?: boolean; description: string }): PropertyDecorator =>
  Texts({
    max: 40,
    max_items: promotionRequirements.length,
    pattern: /^(passed_run|no_high_regression)$/,
    accepted: promotionRequirements.join(' or '),
    ...options,
  });

/** What a promotion needs, of every model. */
export class PromotionPolicy {
  @Whole({ min: 1, max: maxRunAgeHours, description: 'How long ago the passed run may have started, in hours.' })
  max_run_age_hours!: number;

  @Requirements({ description: 'What a promotion to `canary` needs.' })
  canary!: PromotionRequirement[];

  @Requirements({ description: 'What a promotion to `stable` needs.' })
  stable!: PromotionRequirement[];

  @Instant()
  updated_at!: string;

  @Text({ max: 100, description: 'Name of the key that changed it last.' })
  updated_by!: string;

  @Whole({ min: 1, description: 'Grows by one with every change; the ETag.' })
  revision!: number;
}

export class PromotionPolicyChange {
  @Whole({ min: 1, max: maxRunAgeHours, optional: true, description: 'How long ago the passed run may have started, in hours.' })
  max_run_age_hours?: number;

  @Requirements({ optional: true, description: 'What a promotion to `canary` needs.' })
  canary?: PromotionRequirement[];

  @Requirements({ optional: true, description: 'What a promotion to `stable` needs.' })
  stable?: PromotionRequirement[];

  @Text({ max: 1000, description: 'Why; kept in the audit.' })
  reason!: string;

  @IfMatch()
  if_match?: number[];
}

/** One requirement as it stands now. */
export class GateRequirement {
  @OneOf(promotionRequirements)
  requirement!: PromotionRequirement;

  @Bool()
  met!: boolean;

  @Text({ max: 1000, description: 'What it was judged by, in words.' })
  reason!: string;

  @Text({ max: 120, nullable: true, description: 'The run it was judged by: the newest finished one of this version; null without one.' })
  run_id!: string | null;
}

export class Transition {
  @OneOf(modelStatuses)
  to!: ModelStatus;

  @Bool({ description: 'Whether every requirement is met.' })
  allowed!: boolean;

  @Parts(() => GateRequirement, { description: 'Empty: nothing is required.' })
  requirements!: GateRequirement[];
}

/** Where a model can go from here. Its `model_revision` is no ETag of this answer, which changes with every run too. */
export class ModelTransitions extends ModelRef {
  @OneOf(modelStatuses)
  status!: ModelStatus;

  @Whole({ min: 1, description: 'The `revision` of the model, for the `If-Match` of the change.' })
  model_revision!: number;

  @Parts(() => Transition)
  transitions!: Transition[];
}

export const getTransitions = request('registry.get_transitions', { input: ModelRef, output: ModelTransitions });
export const getPromotionPolicy = request('registry.get_promotion_policy', { input: NoInput, output: PromotionPolicy });
export const changePromotionPolicy = request('registry.change_promotion_policy', { input: PromotionPolicyChange, output: PromotionPolicy });

import { type Model, type ModelStatus } from '#contracts/registry.js';
import { type RolledModel, type Rollout, type RolloutRef } from '#contracts/rollouts.js';
import { type Split } from '#contracts/split.js';

/** Of a percent: the smallest share is 0.0001 %. */
const weightOfPercent = 10_000;
const totalWeight = 100 * weightOfPercent;

type Arms = Pick<Rollout, 'candidate_variant' | 'control_variant' | 'candidate_model_id' | 'control_model_id'>;

/**
 * The flag's split while the candidate has `percentage` (0..100). The sum of the weights is always the same, and so is the salt, so whoever gets the
 * candidate goes on getting it as its share grows. Each rollout has a salt of its own: it is not always the same who try first.
 */
export function splitAt({ rollout_id, candidate_variant, control_variant }: Arms & RolloutRef, percentage: number): Split {
  const weight = Math.round(percentage * weightOfPercent);
  return { algorithm: 'fractional', salt: rollout_id, weights: { [candidate_variant]: weight, [control_variant]: totalWeight - weight } };
}

/** What the models are while the candidate has `percentage`. */
export const onCanary = ({ candidate_model_id, control_model_id }: Arms, control: ModelStatus, percentage: number): RolledModel[] => [
  { model_id: candidate_model_id, status: 'canary', rollout_percentage: percentage },
  { model_id: control_model_id, status: control, rollout_percentage: rest(percentage) },
];

/** The candidate takes the control's place. Of another name the control stays what it is, without this flag's traffic. */
export const promoted = ({ candidate_model_id, control_model_id }: Arms, control: ModelStatus, same_name: boolean): RolledModel[] => [
  { model_id: candidate_model_id, status: 'stable', rollout_percentage: 100 },
  { model_id: control_model_id, status: same_name && control === 'stable' ? 'deprecated' : control, rollout_percentage: 0 },
];

/** The candidate gets nothing any more, and is back where its evidence is asked for anew. */
export const withdrawn = ({ candidate_model_id, control_model_id }: Arms, control: ModelStatus): RolledModel[] => [
  { model_id: candidate_model_id, status: 'development', rollout_percentage: 0 },
  { model_id: control_model_id, status: control, rollout_percentage: 100 },
];

/** 100 less it, without the digits that binary adds to 100 − 0.1. */
const rest = (percentage: number): number => (totalWeight - Math.round(percentage * weightOfPercent)) / weightOfPercent;

/** A model that may be a rollout's candidate: what has been stable or is retired is none. */
export const isCandidate = ({ status }: Model): boolean => status === 'development' || status === 'canary';

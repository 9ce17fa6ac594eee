import { AppError } from '#contracts/errors.js';
import { type Model, type ModelStatus } from '#contracts/registry.js';

/** Where a model may go from each status. */
export const allowedNext: Record<ModelStatus, readonly ModelStatus[]> = {
  development: ['canary', 'retired'],
  canary: ['stable', 'development', 'retired'],
  stable: ['deprecated', 'canary'],
  deprecated: ['stable', 'retired'],
  retired: [],
};

/** Throws STATUS_CHANGE_NOT_ALLOWED, naming what is allowed, unless a model may go from `from` to `to`. */
export function assertStatusChange(model_id: string, from: ModelStatus, to: ModelStatus): void {
  const allowed = allowedNext[from];
  if (allowed.includes(to)) return;
  const choice = allowed.length ? `allowed from ${from}: ${allowed.join(', ')}` : `${from} is final`;
  throw new AppError('STATUS_CHANGE_NOT_ALLOWED', `Model ${model_id} cannot go from ${from} to ${to}; ${choice}`, { from, to, allowed });
}

/** What a promotion needs depends on where it begins: one that was judged from another status than the model has now is not made. */
export function assertStatusStill(seen: Model, model: Model, to: ModelStatus): void {
  if (seen.status === model.status || (to !== 'canary' && to !== 'stable')) return;
  throw new AppError('STATUS_CHANGE_CONFLICT', `Model ${model.model_id} became ${model.status} while this request was under way`, {
    status: model.status,
  });
}

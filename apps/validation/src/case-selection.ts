import { type Scope } from '#contracts/access.js';
import { type Model } from '#contracts/registry.js';
import { type AppliesTo } from '#contracts/test-case.js';

/** Whether a case is for a model: every field that it names must be the model's. One that names none is for all. */
export function appliesTo(model: Model, { model_id, name, sport, model_type, status }: AppliesTo): boolean {
  return (
    (model_id ?? model.model_id) === model.model_id &&
    (name ?? model.name) === model.name &&
    (sport ?? model.sport) === model.sport &&
    (model_type ?? model.model_type) === model.model_type &&
    (status ?? model.status) === model.status
  );
}

/** Whether every model that a case can ever be for is in the scope, by the name and sport that it names alone. */
export function isWithin({ sports, names }: Scope, { name, sport }: AppliesTo): boolean {
  const covers = (accepted: string[] | null, value: string | null | undefined): boolean =>
    accepted === null || (typeof value === 'string' && accepted.includes(value));
  return covers(sports, sport) && covers(names, name);
}

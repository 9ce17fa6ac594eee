import { inScope, type Scope } from '#contracts/access.js';
import { type AlertScope } from '#contracts/alerts.js';
import { type Model } from '#contracts/registry.js';

const fields = ['model_id', 'name', 'sport', 'model_type', 'status'] as const;

/** Whether a rule is for the model. A retired one is meant only by a rule that says so. */
export function appliesTo(scope: AlertScope, model: Model): boolean {
  if (model.status === 'retired' && scope.status !== 'retired') return false;
  return fields.every((field) => (scope[field] ?? null) === null || scope[field] === model[field]);
}

/** Without what is null: it narrows nothing. */
export const withoutNull = <T extends object>(matchers: T): T =>
  Object.fromEntries(Object.entries(matchers).filter(([, value]) => value !== null && value !== undefined)) as T;

/** Whether a rule may be for a model that a narrowed key sees. `named`: the model of the rule's model_id, where it has one that exists. */
export function reaches(rule: AlertScope, key: Scope, named: Model | undefined): boolean {
  if (!key.sports && !key.names) return true;
  if (rule.model_id) return named !== undefined && inScope(key, named);
  return (!key.sports || !rule.sport || key.sports.includes(rule.sport)) && (!key.names || !rule.name || key.names.includes(rule.name));
}

/** Whether a rule is only for models that a narrowed key sees, so that its holder may change it. */
export function isConfined(rule: AlertScope, key: Scope, named: Model | undefined): boolean {
  if (rule.model_id) return reaches(rule, key, named);
  return (
    (!key.sports || (!!rule.sport && key.sports.includes(rule.sport))) && (!key.names || (!!rule.name && key.names.includes(rule.name)))
  );
}

import { type Alert, type Silence } from '#contracts/alerts.js';

/** Whether a silence keeps what becomes of the alert at `at` (RFC 3339) from being told. */
export function matches({ matchers, until }: Pick<Silence, 'matchers' | 'until'>, alert: Alert, at: string): boolean {
  if (Date.parse(until) <= Date.parse(at)) return false;
  const { model_id, rule_id, severity } = matchers;
  return (
    (!model_id || model_id === alert.model_id) && (!rule_id || rule_id === alert.rule_id) && (!severity || severity === alert.severity)
  );
}

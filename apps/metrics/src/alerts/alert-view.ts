import { type Alert } from '#contracts/alerts.js';

/** An alert as it is answered and told: without what only its evaluation needs. */
export function alertOf(alert: Alert): Alert {
  const { alert_id, rule_id, rule_name, model_id, model_name, model_version, metric, severity, state, reason, value, threshold } = alert;
  const { started_at, fired_at, resolved_at, acknowledged_at, acknowledged_by, acknowledge_reason, silenced } = alert;
  return {
    ...{ alert_id, rule_id, rule_name, model_id, model_name, model_version, metric, severity, state, reason, value, threshold },
    ...{ started_at, fired_at, resolved_at, acknowledged_at, acknowledged_by, acknowledge_reason, silenced },
  };
}

import { Bool, Decimal, Instant, OneOf, Part, Text, Whole } from './fields.js';
import { pageOf, PageRequest } from './page.js';
import { IfMatch, ModelId, modelStatuses, type ModelStatus, modelTypes, type ModelType, Sport } from './registry.js';
import { Removed, request } from './request.js';

export const alertMetrics = [
  'success_rate',
  'error_rate',
  'p50_ms',
  'p95_ms',
  'p99_ms',
  'average_timing_ms',
  'inferences_per_minute',
  'health_status',
  'burn_rate',
] as const;
export type AlertMetric = (typeof alertMetrics)[number];

export const comparisonKinds = ['fixed', 'baseline', 'stable_version'] as const;
export const comparisonOps = ['above', 'below'] as const;

export const alertSeverities = ['info', 'warning', 'critical'] as const;
export type AlertSeverity = (typeof alertSeverities)[number];

export const alertStates = ['pending', 'firing', 'recovering', 'resolved'] as const;
export type AlertState = (typeof alertStates)[number];

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** A server-made UUID in lower case. */
export const Uuid = (options: { optional?: boolean; nullable?: boolean; description?: string } = {}): PropertyDecorator =>
  Text({ max: 36, pattern: uuidPattern, accepted: 'a UUID in lower case', example: '01890a5d-ac96-774b-bcce-b302099a8057', ...options });

/** Which models a rule is for: all that fit every field given. */
export class AlertScope {
  @Text({ max: 64, optional: true, nullable: true })
  model_id?: string | null;

  @Text({ max: 200, optional: true, nullable: true })
  name?: string | null;

  @Sport({ optional: true, nullable: true })
  sport?: string | null;

  @OneOf(modelTypes, { optional: true, nullable: true })
  model_type?: ModelType | null;

  @OneOf(modelStatuses, { optional: true, nullable: true })
  status?: ModelStatus | null;
}

/** What a metric is held against. */
export class Comparison {
  @OneOf(comparisonKinds, {
    description:
      '`fixed`: `value`. `baseline`: `ratio` times the model’s own metric of the 24 hours before the window. `stable_version`: that of the ' +
      'stable version of the same name in the same window, times `ratio`, or plus `difference`.',
  })
  kind!: (typeof comparisonKinds)[number];

  @OneOf(comparisonOps, { description: 'The rule is breached while the metric is above, or below, it.' })
  op!: (typeof comparisonOps)[number];

  @Decimal({ min: 0, max: 1e9, optional: true, description: '`fixed`: in the metric’s own unit.' })
  value?: number;

  @Decimal({ min: 0.001, max: 1000, optional: true, description: '`baseline` and `stable_version`.' })
  ratio?: number;

  @Decimal({ min: -1e9, max: 1e9, optional: true, description: '`stable_version`, instead of `ratio`: in the metric’s own unit.' })
  difference?: number;
}

export class AlertRuleRef {
  @Uuid()
  rule_id!: string;
}

const Metric = (optional: boolean): PropertyDecorator =>
  OneOf(alertMetrics, {
    optional,
    description:
      'Rates in percent, timings in milliseconds. `health_status`: 0 healthy, 1 degraded, 2 unhealthy. `burn_rate`: how many times faster than ' +
      'the model’s success objective allows failures come, over the window and over its last twelfth, the smaller of both.',
  });
const WindowMinutes = (): PropertyDecorator =>
  Whole({ min: 1, max: 1440, optional: true, description: 'What the metric is taken over. Default 15.' });
const ForMinutes = (): PropertyDecorator =>
  Whole({ max: 1440, optional: true, description: 'How long it must be breached before it fires. Default 0.' });
const RecoveryMinutes = (): PropertyDecorator =>
  Whole({ max: 1440, optional: true, description: 'How long it must not be breached before it is resolved. Default 5.' });
const MinimumInferences = (): PropertyDecorator =>
  Whole({
    max: 1_000_000_000,
    optional: true,
    description: 'In the window; with fewer the metric has no value. Default 20. Not for `inferences_per_minute`.',
  });

export class NewAlertRule {
  @Text({ max: 200, example: 'p95 of canaries' })
  name!: string;

  @Part(() => AlertScope, { optional: true, description: 'Default: every model that is not retired.' })
  applies_to?: AlertScope;

  @Metric(false)
  metric!: AlertMetric;

  @Part(() => Comparison)
  comparison!: Comparison;

  @WindowMinutes()
  window_minutes?: number;

  @ForMinutes()
  for_minutes?: number;

  @RecoveryMinutes()
  recovery_minutes?: number;

  @MinimumInferences()
  minimum_inferences?: number;

  @OneOf(alertSeverities)
  severity!: AlertSeverity;

  @Bool({ optional: true, description: 'Default true.' })
  enabled?: boolean;
}

export class AlertRuleChange extends AlertRuleRef {
  @Text({ max: 200, optional: true })
  name?: string;

  @Part(() => AlertScope, { optional: true })
  applies_to?: AlertScope;

  @Metric(true)
  metric?: AlertMetric;

  @Part(() => Comparison, { optional: true })
  comparison?: Comparison;

  @WindowMinutes()
  window_minutes?: number;

  @ForMinutes()
  for_minutes?: number;

  @RecoveryMinutes()
  recovery_minutes?: number;

  @MinimumInferences()
  minimum_inferences?: number;

  @OneOf(alertSeverities, { optional: true })
  severity?: AlertSeverity;

  @Bool({ optional: true })
  enabled?: boolean;

  @IfMatch()
  if_match?: number[];
}

export class AlertRule extends AlertRuleRef {
  @Text({ max: 200 })
  name!: string;

  @Part(() => AlertScope)
  applies_to!: AlertScope;

  @OneOf(alertMetrics)
  metric!: AlertMetric;

  @Part(() => Comparison)
  comparison!: Comparison;

  @Whole()
  window_minutes!: number;

  @Whole()
  for_minutes!: number;

  @Whole()
  recovery_minutes!: number;

  @Whole()
  minimum_inferences!: number;

  @OneOf(alertSeverities)
  severity!: AlertSeverity;

  @Bool()
  enabled!: boolean;

  @Instant()
  created_at!: string;

  @Instant()
  updated_at!: string;

  @Text({ max: 100 })
  created_by!: string;

  @Whole({ min: 1 })
  revision!: number;
}

export class AlertRuleFilter extends PageRequest {}

export class AlertRulePage extends pageOf(AlertRule) {}

export class AlertRuleRemoval extends AlertRuleRef {
  @IfMatch()
  if_match?: number[];
}

export class AlertRef {
  @Uuid()
  alert_id!: string;
}

/** A rule that is, or was, breached by a model; one at a time for each rule and model. */
export class Alert extends AlertRef {
  @Uuid()
  rule_id!: string;

  @Text({ max: 200 })
  rule_name!: string;

  @ModelId()
  model_id!: string;

  @Text({ max: 200 })
  model_name!: string;

  @Text({ max: 200 })
  model_version!: string;

  @OneOf(alertMetrics)
  metric!: AlertMetric;

  @OneOf(alertSeverities)
  severity!: AlertSeverity;

  @OneOf(alertStates, { description: '`recovering`: firing, and no longer breached for less than `recovery_minutes`.' })
  state!: AlertState;

  @Text({ min: 0, max: 500, description: 'The latest finding in words.' })
  reason!: string;

  @Decimal({ min: -1e300, max: 1e300, nullable: true, description: 'The metric at the latest evaluation; null when it had no value.' })
  value!: number | null;

  @Decimal({ min: -1e300, max: 1e300, nullable: true, description: 'What it was held against.' })
  threshold!: number | null;

  @Instant({ description: 'When the breach began.' })
  started_at!: string;

  @Instant({ nullable: true })
  fired_at!: string | null;

  @Instant({ nullable: true })
  resolved_at!: string | null;

  @Instant({ nullable: true })
  acknowledged_at!: string | null;

  @Text({ max: 100, nullable: true })
  acknowledged_by!: string | null;

  @Text({ max: 1000, nullable: true })
  acknowledge_reason!: string | null;

  @Bool({ description: 'A silence kept its latest change from being told.' })
  silenced!: boolean;
}

export class AlertFilter extends PageRequest {
  @OneOf(alertStates, { optional: true, description: 'Default: all but `pending`.' })
  state?: AlertState;

  @Text({ max: 64, optional: true, description: 'Only alerts of this model.' })
  model_id?: string;

  @OneOf(alertSeverities, { optional: true })
  severity?: AlertSeverity;
}

export class AlertPage extends pageOf(Alert) {}

export class AlertAcknowledgement extends AlertRef {
  @Text({ max: 1000, description: 'Why, or what is being done.' })
  reason!: string;
}

/** Which alerts: all that fit every field given. */
export class SilenceMatchers {
  @Text({ max: 64, optional: true, nullable: true })
  model_id?: string | null;

  @Uuid({ optional: true, nullable: true })
  rule_id?: string | null;

  @OneOf(alertSeverities, { optional: true, nullable: true })
  severity?: AlertSeverity | null;
}

export class SilenceRef {
  @Uuid()
  silence_id!: string;
}

export class NewSilence {
  @Part(() => SilenceMatchers, { description: 'At least one of them.' })
  matchers!: SilenceMatchers;

  @Instant({ description: 'When it ends; at most a year ahead.' })
  until!: string;

  @Text({ max: 1000 })
  reason!: string;
}

export class Silence extends SilenceRef {
  @Part(() => SilenceMatchers)
  matchers!: SilenceMatchers;

  @Instant()
  until!: string;

  @Text({ max: 1000 })
  reason!: string;

  @Instant()
  created_at!: string;

  @Text({ max: 100 })
  created_by!: string;
}

export class SilenceFilter extends PageRequest {}

export class SilencePage extends pageOf(Silence) {}

export const listAlertRules = request('metrics.list_alert_rules', { input: AlertRuleFilter, output: AlertRulePage });
export const getAlertRule = request('metrics.get_alert_rule', { input: AlertRuleRef, output: AlertRule });
export const createAlertRule = request('metrics.create_alert_rule', { input: NewAlertRule, output: AlertRule });
export const changeAlertRule = request('metrics.change_alert_rule', { input: AlertRuleChange, output: AlertRule });
export const removeAlertRule = request('metrics.remove_alert_rule', { input: AlertRuleRemoval, output: Removed });
export const listAlerts = request('metrics.list_alerts', { input: AlertFilter, output: AlertPage });
export const acknowledgeAlert = request('metrics.acknowledge_alert', { input: AlertAcknowledgement, output: Alert });
export const listSilences = request('metrics.list_silences', { input: SilenceFilter, output: SilencePage });
export const createSilence = request('metrics.create_silence', { input: NewSilence, output: Silence });
export const removeSilence = request('metrics.remove_silence', { input: SilenceRef, output: Removed });

/** What becomes known of an alert. */
export const alertTransitions = ['firing', 'resolved', 'acknowledged'] as const;
export type AlertTransition = (typeof alertTransitions)[number];

/**
 * Facts that last, on JetStream for 7 days. Subject `emr.evt.alerts.<transition>`, body `{transition, at, alert}`, Nats-Msg-Id the delivery's
 * id: the same one for whatever is sent again.
 */
export const factStream = {
  name: 'EMR_FACTS',
  subjects: 'emr.evt.>',
  ofAlert: (transition: AlertTransition) => `emr.evt.alerts.${transition}`,
} as const;

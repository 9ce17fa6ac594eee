import { type AlertMetric, type AlertRule } from '#contracts/alerts.js';
import { type HealthStatus } from '#contracts/metrics.js';
import { quantileOf, type Stretch } from '../health/stretch.js';

/** What a rule is held against for one model. A stretch is missing where there were no inferences. */
export interface Evidence {
  window: Stretch | undefined;
  /** The last twelfth of the window. */
  short_window: Stretch | undefined;
  /** The 24 hours before the window. */
  baseline: Stretch | undefined;
  /** The window of the stable version of the same name; missing also for the stable version itself. */
  stable: Stretch | undefined;
  health_status: HealthStatus;
  /** The model's success objective in percent. */
  success_rate: number | null;
}

export interface Finding {
  /** null: the metric has no value, or nothing to be held against. */
  breached: boolean | null;
  value: number | null;
  threshold: number | null;
  reason: string;
}

type Rule = Pick<AlertRule, 'metric' | 'comparison' | 'window_minutes' | 'minimum_inferences'>;

const healthLevels: Record<HealthStatus, number | null> = { healthy: 0, degraded: 1, unhealthy: 2, unknown: null };

/** The short window of a burn rate tells that failures still come; a twelfth is the workbook's choice. */
export const shortMinutes = (window_minutes: number): number => Math.max(1, Math.round(window_minutes / 12));

/** Whether the model breaches the rule now, and the two numbers that say so. */
export function findingOf(rule: Rule, evidence: Evidence): Finding {
  const value = valueOf(rule, evidence);
  const threshold = thresholdOf(rule, evidence);
  const { metric, comparison, window_minutes } = rule;
  if (value === null) return { breached: null, value, threshold, reason: `${metric} has no value: ${whyNone(rule, evidence)}` };
  if (threshold === null)
    return { breached: null, value, threshold, reason: `${metric} ${tidy(value)} has no ${comparison.kind} to be held against` };
  const breached = comparison.op === 'above' ? value > threshold : value < threshold;
  const over = metric === 'health_status' ? '' : ` over ${window_minutes} min`;
  const relation = breached ? comparison.op : `not ${comparison.op}`;
  return { breached, value, threshold, reason: `${metric} ${tidy(value)}${over}, ${relation} ${tidy(threshold)}${ofWhat(rule)}` };
}

function valueOf(rule: Rule, { window, short_window, health_status, success_rate }: Evidence): number | null {
  if (rule.metric === 'health_status') return healthLevels[health_status];
  if (rule.metric === 'inferences_per_minute') return window ? measure(rule.metric, window) : 0;
  if (!window || window.total < Math.max(1, rule.minimum_inferences)) return null;
  if (rule.metric !== 'burn_rate') return measure(rule.metric, window);
  if (success_rate === null || !short_window?.total) return null;
  return Math.min(burnRate(window, success_rate), burnRate(short_window, success_rate));
}

function thresholdOf({ metric, comparison, minimum_inferences }: Rule, { baseline, stable }: Evidence): number | null {
  if (comparison.kind === 'fixed') return comparison.value ?? null;
  const against = comparison.kind === 'baseline' ? baseline : stable;
  if (!against || against.total < Math.max(1, minimum_inferences)) return null;
  const base = measure(metric, against);
  return comparison.difference === undefined ? base * (comparison.ratio ?? 1) : base + comparison.difference;
}

/** A metric that a stretch with at least one inference has by itself. */
function measure(metric: AlertMetric, stretch: Stretch): number {
  switch (metric) {
    case 'success_rate':
      return (stretch.successful / stretch.total) * 100;
    case 'error_rate':
      return (1 - stretch.successful / stretch.total) * 100;
    case 'p50_ms':
      return quantileOf(stretch, 0.5);
    case 'p95_ms':
      return quantileOf(stretch, 0.95);
    case 'p99_ms':
      return quantileOf(stretch, 0.99);
    case 'average_timing_ms':
      return stretch.sum_ms / stretch.total;
    case 'inferences_per_minute':
      return stretch.total / stretch.minutes;
    case 'health_status':
    case 'burn_rate':
      throw new Error(`${metric} is not a measure of a stretch alone`);
  }
}

/**
 * How many times faster than the objective allows failures come: (failed / total) / (1 − objective). At 1 the budget of a period is used up
 * at its end; at 14.4 a 30-day budget loses 2 % in an hour. A rule takes the smaller of the rate over a long window, which makes it
 * significant, and over a twelfth of it, which ends it soon after the failures do. Source: The Site Reliability Workbook (Google, O'Reilly
 * 2018), chapter 5, "Multiwindow, Multi-Burn-Rate Alerts": 14.4 over 1 h and 5 min, 6 over 6 h and 30 min.
 */
export const burnRate = ({ total, successful }: Stretch, success_rate: number): number =>
  (total - successful) / total / ((100 - success_rate) / 100);

function whyNone({ metric, minimum_inferences, window_minutes }: Rule, { window, success_rate }: Evidence): string {
  if (metric === 'health_status') return 'health is unknown';
  const total = window?.total ?? 0;
  if (total < Math.max(1, minimum_inferences))
    return `${total} inferences in ${window_minutes} min; ${Math.max(1, minimum_inferences)} are needed`;
  return success_rate === null ? 'the model states no success objective' : 'no inferences in the last twelfth of the window';
}

function ofWhat({ comparison: { kind, ratio, difference } }: Rule): string {
  if (kind === 'fixed') return '';
  const how = difference === undefined ? `${ratio} times` : `${difference} more than`;
  return `, ${how} that of ${kind === 'baseline' ? 'the day before' : 'the stable version'}`;
}

const tidy = (value: number): number => Math.round(value * 1000) / 1000;

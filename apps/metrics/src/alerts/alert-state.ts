import { type AlertRule, type AlertState } from '#contracts/alerts.js';

/** Where one rule and model stand. Times are RFC 3339. */
export interface Progress {
  state: AlertState;
  /** When the breach began. */
  started_at: string;
  fired_at: string | null;
  recovering_since: string | null;
  resolved_at: string | null;
  /** When the metric last had a value. */
  last_value_at: string;
}

export interface Step {
  /** null: nothing is open. */
  progress: Progress | null;
  transition: 'firing' | 'resolved' | null;
}

/** A firing alert whose metric has no value any more is resolved after so long: nobody may ever call the model again. */
export const resolvedWithoutValueMinutes = 60;

const hasPassed = (minutes: number, since: string, at: string): boolean => Date.parse(at) - Date.parse(since) >= minutes * 60_000;

/**
 * One evaluation: inactive (null) → pending → firing → recovering → resolved. `breached` null: the metric has no value, which ends a pending
 * alert and leaves a firing one as it is for `resolvedWithoutValueMinutes`. A breach while recovering is the same alert going on, not a new one.
 */
export function advance(
  progress: Progress | null,
  breached: boolean | null,
  rule: Pick<AlertRule, 'for_minutes' | 'recovery_minutes'>,
  at: string,
): Step {
  if (!progress || progress.state === 'resolved') return breached ? begin(rule, at) : { progress: null, transition: null };
  const seen = breached === null ? progress : { ...progress, last_value_at: at };
  if (seen.state === 'pending') {
    if (!breached) return { progress: null, transition: null };
    return hasPassed(rule.for_minutes, seen.started_at, at) ? fire(seen, at) : { progress: seen, transition: null };
  }
  if (breached === null) {
    return hasPassed(resolvedWithoutValueMinutes, seen.last_value_at, at) ? end(seen, at) : { progress: seen, transition: null };
  }
  if (breached) return { progress: { ...seen, state: 'firing', recovering_since: null }, transition: null };
  const since = seen.recovering_since ?? at;
  if (hasPassed(rule.recovery_minutes, since, at)) return end(seen, at);
  return { progress: { ...seen, state: 'recovering', recovering_since: since }, transition: null };
}

function begin(rule: Pick<AlertRule, 'for_minutes'>, at: string): Step {
  const pending: Progress = {
    state: 'pending',
    started_at: at,
    fired_at: null,
    recovering_since: null,
    resolved_at: null,
    last_value_at: at,
  };
  return rule.for_minutes === 0 ? fire(pending, at) : { progress: pending, transition: null };
}

const fire = (progress: Progress, at: string): Step => ({ progress: { ...progress, state: 'firing', fired_at: at }, transition: 'firing' });

/** The rule is gone or disabled, is no longer for the model, or the alert is over. */
export function end(progress: Progress, at: string): Step {
  if (progress.state === 'pending') return { progress: null, transition: null };
  return { progress: { ...progress, state: 'resolved', recovering_since: null, resolved_at: at }, transition: 'resolved' };
}

import { type HealthStatus, type Performance } from '#contracts/metrics.js';
import { type Health, type Judgement, judgeHealth, recentMinutes } from './health.js';
import { emptyStretch } from './stretch.js';

/** What is stored of a model that was counted or judged; without a status it was not judged yet. */
export interface HealthState {
  /** Inferences of its whole life. */
  total: number;
  health_status: HealthStatus | null;
  reasons: string[] | null;
  /** RFC 3339. */
  since: string | null;
}

/** Of a model without inferences. */
const nothingKnown: Judgement = judgeHealth(emptyStretch(recentMinutes), emptyStretch(recentMinutes), null);

/** As it is to be published. A status that was never stored is as old as the record that says so. */
export function healthOf(state: HealthState | undefined, published: Performance | undefined, now: string): Health {
  if (state?.health_status) {
    return { health_status: state.health_status, reasons: state.reasons ?? [], since: state.since ?? now };
  }
  return { ...nothingKnown, since: published?.health_status === nothingKnown.health_status ? published.since : now };
}

/** What differs between what is stored and what was published of a model: a status is published at once, figures in turn. */
export function differenceOf(state: HealthState | undefined, published: Performance | undefined): 'status' | 'figures' | null {
  const { health_status } = healthOf(state, published, '');
  if (published?.health_status !== health_status) return 'status';
  if (published.metrics.total_inferences !== (state?.total ?? 0)) return 'figures';
  const reasons = state?.health_status ? state.reasons : nothingKnown.reasons;
  return JSON.stringify(reasons) === JSON.stringify(published.reasons) ? null : 'figures';
}

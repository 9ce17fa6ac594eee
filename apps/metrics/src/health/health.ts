import { type HealthStatus } from '#contracts/metrics.js';
import { type Objectives } from '#contracts/registry.js';
import { wilsonInterval, z95 } from '#statistics/wilson.js';
import { quantileOf, type Stretch } from './stretch.js';

/** Health is judged over the inferences of this many minutes. */
export const recentMinutes = 15;
/** A model is compared with its own inferences of this many minutes before them. */
export const baselineMinutes = 24 * 60;
/** Fewer recent ones than this say too little. */
export const minimumInferences = 20;
/** Fewer earlier ones than this are nothing to compare with. */
export const minimumBaseline = 200;
/** The success rate, in percent, of a model that states no objective for it. */
export const defaultSuccessRate = 95;
/** Twice the failures that an objective allows are unhealthy. */
const unhealthyBudgets = 2;
/** Points of success rate below the model's own baseline. */
const droppedPoints = { degraded: 2, unhealthy: 10 };
/** Times a stated objective, and times the model's own baseline, that a percentile is degraded and unhealthy at. */
const ofObjective = { degraded: 1, unhealthy: 2 };
const ofBaseline = { degraded: 1.5, unhealthy: 3 };
/** Factors of less than a millisecond are noise. */
const leastSlowdownMs = 1;

export interface Judgement {
  health_status: HealthStatus;
  reasons: string[];
}

export interface Health extends Judgement {
  /** RFC 3339; when it became so. */
  since: string;
}

interface Finding {
  health_status: 'degraded' | 'unhealthy';
  reason: string;
}

/**
 * Judges a model's recent inferences against its objectives, and where it states none against `defaultSuccessRate` and its own baseline, the
 * time before. The worst finding decides. Nothing is found that chance alone would explain: proportions count by the end of their 95 % Wilson
 * interval that speaks for the model, see `surelyLonger` for percentiles.
 */
export function judgeHealth(recent: Stretch, baseline: Stretch, objectives: Objectives | null): Judgement {
  if (recent.total < minimumInferences) {
    return {
      health_status: 'unknown',
      reasons: [`${recent.total} inferences in the last ${recentMinutes} minutes; ${minimumInferences} are needed`],
    };
  }
  const comparable = baseline.total >= minimumBaseline ? baseline : null;
  const findings = [
    belowSuccessRate(recent, objectives?.success_rate ?? defaultSuccessRate),
    (objectives?.success_rate ?? null) === null && comparable ? droppedBelow(recent, comparable) : null,
    tooLong(recent, comparable, 'p95', 0.95, objectives?.p95_ms),
    tooLong(recent, comparable, 'p99', 0.99, objectives?.p99_ms),
  ].filter((finding) => finding !== null);
  if (findings.length === 0) return { health_status: 'healthy', reasons: [observed(recent)] };
  const health_status = findings.some((finding) => finding.health_status === 'unhealthy') ? 'unhealthy' : 'degraded';
  return { health_status, reasons: findings.map(({ reason }) => reason) };
}

const percent = (share: number): string => `${(share * 100).toFixed(2)} %`;
const observed = ({ successful, total }: Stretch): string =>
  `success rate ${percent(successful / total)} of ${total} inferences in the last ${recentMinutes} minutes`;

/** The upper end of the success rate's Wilson interval, in percent, is below the objective, or below what twice its failures would leave. */
function belowSuccessRate(recent: Stretch, objective: number): Finding | null {
  const highest = wilsonInterval(recent.successful, recent.total, z95).upper * 100;
  const unhealthyBelow = 100 - unhealthyBudgets * (100 - objective);
  const reason = (below: number): string => `${observed(recent)}, surely below ${tidy(below)} %`;
  if (highest < unhealthyBelow) return { health_status: 'unhealthy', reason: reason(unhealthyBelow) };
  return highest < objective ? { health_status: 'degraded', reason: reason(objective) } : null;
}

/** The two Wilson intervals lie more than `droppedPoints` apart. */
function droppedBelow(recent: Stretch, baseline: Stretch): Finding | null {
  const highest = wilsonInterval(recent.successful, recent.total, z95).upper * 100;
  const before = wilsonInterval(baseline.successful, baseline.total, z95).lower * 100;
  const reason = `${observed(recent)}, surely below its ${percent(baseline.successful / baseline.total)} of the day before`;
  if (highest < before - droppedPoints.unhealthy) return { health_status: 'unhealthy', reason };
  return highest < before - droppedPoints.degraded ? { health_status: 'degraded', reason } : null;
}

function tooLong(recent: Stretch, baseline: Stretch | null, name: string, q: number, objective: number | null | undefined): Finding | null {
  const found = (limit: number, text: string): string =>
    `${name} ${tidy(quantileOf(recent, q))} ms of ${recent.total} inferences, surely above ${text} (${tidy(limit)} ms)`;
  const steps = stepsOf(baseline, q, objective);
  for (const { health_status, limit_ms, text } of steps) {
    if (surelyLonger(recent, q, limit_ms)) return { health_status, reason: found(limit_ms, text) };
  }
  return null;
}

interface Step {
  health_status: 'degraded' | 'unhealthy';
  limit_ms: number;
  text: string;
}

/** The limits that a percentile is held against, the worst first. */
function stepsOf(baseline: Stretch | null, q: number, objective: number | null | undefined): Step[] {
  if (typeof objective === 'number') {
    return (['unhealthy', 'degraded'] as const).map((health_status) => {
      const times = ofObjective[health_status];
      return { health_status, limit_ms: objective * times, text: times === 1 ? 'its objective' : `${times} times its objective` };
    });
  }
  if (!baseline) return [];
  const before = quantileOf(baseline, q);
  return (['unhealthy', 'degraded'] as const).map((health_status) => {
    const times = ofBaseline[health_status];
    return { health_status, limit_ms: Math.max(before * times, before + leastSlowdownMs), text: `${times} times that of the day before` };
  });
}

/**
 * Whether the q-quantile is above `limit_ms` beyond chance. It is above exactly when more than a share 1 − q of all inferences takes longer
 * than the limit; k of n recent ones did, a binomial count, so it is sure once the lower end of the 95 % Wilson interval of k / n is above
 * 1 − q. Source of the order-statistic argument: David and Nagaraja, "Order Statistics", 3rd edition, 7.1.
 */
export function surelyLonger({ timings }: Pick<Stretch, 'timings'>, q: number, limit_ms: number): boolean {
  return wilsonInterval(timings.countAbove(limit_ms), timings.count, z95).lower > 1 - q;
}

/** Three significant decimals at most: more is noise. */
const tidy = (value: number): number => Math.round(value * 1000) / 1000;

import { wilsonInterval, z95 } from '#statistics/wilson.js';
import { type HealthStatus } from '#contracts/metrics.js';

/** Health is judged over the inferences of this many minutes. */
export const recentMinutes = 15;
/** Fewer than this say too little. */
export const minimumInferences = 20;
/** A success rate surely below this, in percent, is degraded. */
export const degradedBelow = 95;
/** A success rate surely below this, in percent, is unhealthy. */
export const unhealthyBelow = 90;

export interface RecentCounts {
  total: number;
  successful: number;
}

/**
 * Health from the recent success rate. "Surely below" a threshold means that the upper end of the rate's 95 % Wilson interval is, so that a
 * few failures among few inferences do not make a model ill.
 */
export function judgeHealth({ total, successful }: RecentCounts): { health_status: HealthStatus; reasons: string[] } {
  if (total < minimumInferences) {
    return {
      health_status: 'unknown',
      reasons: [`${total} inferences in the last ${recentMinutes} minutes; ${minimumInferences} are needed`],
    };
  }
  const highest = wilsonInterval(successful, total, z95).upper * 100;
  const rate = ((successful / total) * 100).toFixed(2);
  const reason = `success rate ${rate} % of ${total} inferences in the last ${recentMinutes} minutes`;
  if (highest < unhealthyBelow) return { health_status: 'unhealthy', reasons: [`${reason}, surely below ${unhealthyBelow} %`] };
  if (highest < degradedBelow) return { health_status: 'degraded', reasons: [`${reason}, surely below ${degradedBelow} %`] };
  return { health_status: 'healthy', reasons: [reason] };
}

import { type HealthStatus } from '#contracts/metrics.js';

/** So many evaluations in a row must find a model worse before it is called so, or better, or too little used to tell. */
export const worsensAfter = 2;
export const recoversAfter = 3;

export interface HeldHealth {
  health_status: HealthStatus;
  /** RFC 3339; when it became so. */
  since: string;
  /** What the evaluations since the last one that agreed all bear out; null when the last one agreed. */
  pending_status: HealthStatus | null;
  /** How many those are. */
  streak: number;
}

const badness = { healthy: 0, degraded: 1, unhealthy: 2 } as const;

type Direction = 'worse' | 'better' | 'unknown';

function directionOf(from: HealthStatus, to: HealthStatus): Direction {
  if (from === 'unknown' || to === 'unknown') return 'unknown';
  return badness[to] > badness[from] ? 'worse' : 'better';
}

/** Of two statuses on the same side of the present one, the one nearer to it: what both bear out. */
function nearer(direction: Direction, one: HealthStatus, other: HealthStatus): HealthStatus {
  if (one === 'unknown' || other === 'unknown') return other;
  const oneIsWorse = badness[one] > badness[other];
  return (direction === 'worse') === oneIsWorse ? other : one;
}

/**
 * The status after one more evaluation. It moves only when `worsensAfter` or `recoversAfter` evaluations in a row lie on the same side of it,
 * and only as far as all of them do, so that a model at the edge of a limit does not flap. What was unknown is called what it is found to be at once.
 */
export function hold(held: HeldHealth | null, found: HealthStatus, at: string): HeldHealth {
  const settled = (health_status: HealthStatus, since: string): HeldHealth => ({ health_status, since, pending_status: null, streak: 0 });
  if (!held) return settled(found, at);
  if (found === held.health_status) return settled(held.health_status, held.since);
  if (held.health_status === 'unknown') return settled(found, at);

  const direction = directionOf(held.health_status, found);
  const goesOn = held.pending_status !== null && directionOf(held.health_status, held.pending_status) === direction;
  const pending_status = goesOn && held.pending_status ? nearer(direction, held.pending_status, found) : found;
  const streak = goesOn ? held.streak + 1 : 1;
  if (streak >= (direction === 'worse' ? worsensAfter : recoversAfter)) return settled(pending_status, at);
  return { ...held, pending_status, streak };
}

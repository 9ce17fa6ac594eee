import { type BreakerState } from '#contracts/selection.js';
import { wilsonInterval } from '#statistics/wilson.js';

/** Failures without a success between that open a breaker. */
export const failuresInRow = 5;
/** A failure rate counts once so many inferences have been seen of the last minute or so; the same is asked of peers. */
export const leastRequests = 100;
/** So many standard deviations above the mean of the peers a failure rate may be. */
export const peerDeviations = 1.9;
/** And by so much it has to be above it: where the peers hardly ever fail, any failure is beyond their deviations. */
const leastDifference = 0.05;
/** How sure it has to be that the rate is above that: 4 standard errors, 3 in 100,000 by chance. */
const sureDeviations = 4;
/** How many inferences a half-open model is tried with, and how many of them may fail. */
export const probes = 5;
const failedProbesAllowed = 1;
/** A count of inferences fades to 1/e in this time. */
const recentMs = 60_000;
/** Of several breakers that open at once none comes back at the same time: up to this share of its time later. */
const jitterShare = 0.1;

export interface BreakerSettings {
  /** How long the first opening lasts; each further one so much longer. */
  open_ms: number;
  /** No opening lasts longer, and a breaker that was closed for so long starts from the first one again. */
  longest_ms: number;
}

/** Envoy's own: `base_ejection_time` and `max_ejection_time`. */
export const envoySettings: BreakerSettings = { open_ms: 30_000, longest_ms: 300_000 };

export interface Counted {
  total: number;
  failures: number;
}

/** What is kept of one model from tick to tick; times in epoch milliseconds. */
export interface Breaker {
  state: BreakerState;
  /** When the state began; a half-open one begins anew when its probes have led to nothing. */
  since_ms: number;
  /** Open: when it becomes half-open. Half-open: when it begins anew. Closed: 0. */
  until_ms: number;
  /** Openings without a long closed time between them. */
  openings: number;
  /** Closed: failures since the last success, as far as counters tell. */
  in_row: number;
  /** Closed: what was counted, fading. Half-open: the results of the probes. Open: nothing. */
  recent: Counted;
  /** The time of the last step, to which `recent` has faded. */
  at_ms: number;
  /** Why the state is what it is. */
  reason: string;
}

const nothing: Counted = { total: 0, failures: 0 };

export const closedBreaker = (now_ms: number): Breaker => ({
  state: 'closed',
  since_ms: now_ms,
  until_ms: 0,
  openings: 0,
  in_row: 0,
  recent: nothing,
  at_ms: now_ms,
  reason: 'no failures yet',
});

/** The failure rates, 0..1, of those that are closed and have `leastRequests`: what another one is compared with. */
export const peerRates = (breakers: readonly Breaker[], now_ms: number): number[] =>
  breakers.flatMap((breaker) => {
    const { total, failures } = faded(breaker, now_ms);
    return breaker.state === 'closed' && total >= leastRequests ? [failures / total] : [];
  });

function faded({ recent, at_ms }: Breaker, now_ms: number): Counted {
  const kept = Math.exp(-Math.max(0, now_ms - at_ms) / recentMs);
  return { total: recent.total * kept, failures: recent.failures * kept };
}

interface Step {
  /** What was counted since the step before. */
  seen: Counted;
  /** Of other models of the same kind, as `peerRates` says. Asked only where it matters. */
  peers: () => readonly number[];
  now_ms: number;
  /** 0..1, at random. */
  jitter: number;
}

/**
 * One step of a circuit breaker, with the numbers of Envoy's outlier detection: closed → open after 5 failures in a row or a failure rate that is
 * surely worse than the mean of the peers and 1.9 of their standard deviations, over 100 inferences at the least; open → half-open after 30 s
 * times the openings so far, 300 s at most, with jitter; half-open → closed when 4 of 5 probes succeeded, → open when 2 failed.
 *
 * It sees counters and not their order: failures are known to be in a row where nothing but failures was counted since the last success, so that
 * a tick in which both were begins anew. "Surely" is the lower end of the rate's Wilson interval at 4 standard errors, and 5 points at the least:
 * 1.9 deviations alone are passed by chance every few minutes where there are two or three peers, or peers that do not fail.
 */
export function stepBreaker(before: Breaker, step: Step, settings: BreakerSettings): Breaker {
  if (before.state === 'open') {
    return step.now_ms < before.until_ms ? before : halfOpen(before, step.now_ms, 'its time is over: it is tried', settings);
  }
  return before.state === 'half_open' ? stepHalfOpen(before, step, settings) : stepClosed(before, step, settings);
}

function stepClosed(before: Breaker, step: Step, settings: BreakerSettings): Breaker {
  const { seen, now_ms } = step;
  const recent = faded(before, now_ms);
  const after: Breaker = {
    ...before,
    openings: now_ms - before.since_ms >= settings.longest_ms ? 0 : before.openings,
    in_row: seen.failures < seen.total ? 0 : before.in_row + seen.failures,
    recent: { total: recent.total + seen.total, failures: recent.failures + seen.failures },
    at_ms: now_ms,
  };
  if (seen.failures === 0) return after;
  if (after.in_row >= failuresInRow) return open(after, step, `${after.in_row} failures in a row`, settings);
  // Nobody's peers are compared with who is not above the least that the limit can be.
  if (after.recent.total < leastRequests || !isSurelyAbove(after.recent, leastDifference)) return after;
  const limit = limitByPeers(step.peers());
  if (limit === null || !isSurelyAbove(after.recent, limit)) return after;
  const rate = after.recent.failures / after.recent.total;
  return open(after, step, `failure rate ${percent(rate)} of the last minute, surely worse than its peers (${percent(limit)})`, settings);
}

function stepHalfOpen(before: Breaker, step: Step, settings: BreakerSettings): Breaker {
  const { seen, now_ms } = step;
  const recent = { total: before.recent.total + seen.total, failures: before.recent.failures + seen.failures };
  const result = `${recent.failures} of ${recent.total} probes failed`;
  if (recent.total >= probes && recent.failures <= recent.total * (failedProbesAllowed / probes)) {
    return { ...before, state: 'closed', since_ms: now_ms, until_ms: 0, in_row: 0, recent: nothing, at_ms: now_ms, reason: result };
  }
  if (recent.failures > failedProbesAllowed) return open(before, step, result, settings);
  if (now_ms >= before.until_ms)
    return halfOpen(before, now_ms, `${recent.total} of ${probes} probes were reported: it is tried again`, settings);
  return { ...before, recent, at_ms: now_ms };
}

function open(before: Breaker, { now_ms, jitter }: Step, reason: string, { open_ms, longest_ms }: BreakerSettings): Breaker {
  const openings = before.openings + 1;
  const lasts_ms = Math.min(open_ms * openings, longest_ms) * (1 + jitterShare * jitter);
  return { state: 'open', since_ms: now_ms, until_ms: now_ms + lasts_ms, openings, in_row: 0, recent: nothing, at_ms: now_ms, reason };
}

const halfOpen = (before: Breaker, now_ms: number, reason: string, { open_ms }: BreakerSettings): Breaker => ({
  ...before,
  state: 'half_open',
  since_ms: now_ms,
  until_ms: now_ms + open_ms,
  in_row: 0,
  recent: nothing,
  at_ms: now_ms,
  reason,
});

/** The failure rate, 0..1, above which one is worse than its peers; null without any. */
function limitByPeers(peers: readonly number[]): number | null {
  if (peers.length === 0) return null;
  const mean = peers.reduce((sum, rate) => sum + rate, 0) / peers.length;
  const variance = peers.reduce((sum, rate) => sum + (rate - mean) ** 2, 0) / peers.length;
  return mean + Math.max(leastDifference, peerDeviations * Math.sqrt(variance));
}

// Faded counts are no whole numbers: rounded so that the rate is not the higher for it.
const isSurelyAbove = ({ total, failures }: Counted, rate: number): boolean =>
  wilsonInterval(Math.floor(failures), Math.ceil(total), sureDeviations).lower > rate;

const percent = (rate: number): string => `${(rate * 100).toFixed(1)} %`;

import { type ArmCounters } from '#contracts/metrics.js';
import { type Model } from '#contracts/registry.js';
import { type CircuitBreaker, type ForcedState } from '#contracts/selection.js';
import { type Breaker, type BreakerSettings, closedBreaker, stepBreaker } from '#evaluation/selection/breaker.js';
import { type Evidence, expectedSuccess, faded, noEvidence, withinObjective, withInferences } from '#evaluation/selection/posterior.js';
import { Sketch } from '#statistics/sketch.js';

/** What metrics had counted of a model since ever when it was last read. */
export interface Counters {
  total: number;
  failures: number;
  /** Those that took longer than `limit_ms`. */
  slow: number;
  limit_ms: number;
}

/** What is kept of a model from tick to tick. */
export interface ModelState {
  model_id: string;
  /** Null: not read yet. */
  counters: Counters | null;
  breaker: Breaker;
  evidence: Evidence;
  forced: ForcedState | null;
  forced_by: string | null;
  forced_reason: string | null;
  /** As it was last told to gateways. */
  expected_success: number;
  revision: number;
}

/** How long a call may take where neither objectives nor `serving` say anything: the default of `serving.timeout_ms`. */
const defaultLimitMs = 5_000;
/** What was counted before a model was first looked at counts as so many inferences at the most. */
const mostOfThePast = 100;
/** A change of the expected success that gateways are told of. */
const worthTelling = 0.01;

export const newState = (model_id: string, now_ms: number): ModelState => ({
  model_id,
  counters: null,
  breaker: closedBreaker(now_ms),
  evidence: noEvidence(now_ms),
  forced: null,
  forced_by: null,
  forced_reason: null,
  expected_success: expectedSuccess(noEvidence(now_ms)),
  revision: 1,
});

/** A model's latency objective in milliseconds: what it states for 95 %, else for 99 %, else how long a call may take. */
export const latencyLimit = ({ objectives, serving }: Model): number =>
  objectives?.p95_ms ?? objectives?.p99_ms ?? serving?.timeout_ms ?? defaultLimitMs;

export function countersOf({ total_inferences, successful_inferences, sketch }: ArmCounters, limit_ms: number): Counters {
  const timings = Sketch.parse(Buffer.from(sketch, 'base64'));
  return { total: total_inferences, failures: total_inferences - successful_inferences, slow: timings.countAbove(limit_ms), limit_ms };
}

/**
 * What came in between two readings. Of a model that was not read before its whole past counts, as 100 inferences at the most. Where the
 * objective was changed in between, or the counters began anew, nothing is said of what was slow, or of anything.
 */
export function countedSince(before: Counters | null, now: Counters): Omit<Counters, 'limit_ms'> {
  if (!before) {
    const share = Math.min(1, mostOfThePast / Math.max(1, now.total));
    return { total: now.total * share, failures: now.failures * share, slow: now.slow * share };
  }
  const [total, failures] = [now.total - before.total, now.failures - before.failures];
  if (total < 0 || failures < 0) return { total: 0, failures: 0, slow: 0 };
  const slow = before.limit_ms === now.limit_ms ? Math.max(0, now.slow - before.slow) : 0;
  return { total, failures, slow };
}

interface ModelTick {
  /** Null: nothing was counted since the tick before. */
  counters: Counters | null;
  peers: () => readonly number[];
  now_ms: number;
  /** 0..1, at random. */
  jitter: number;
}

/**
 * One tick of one model. While its breaker is not closed its evidence stands still: what it is tried with says whether it works again, and how
 * good it was when it worked is still the best that is known.
 */
export function stepModel(before: ModelState, { counters, peers, now_ms, jitter }: ModelTick, settings: BreakerSettings): ModelState {
  const seen = counters ? countedSince(before.counters, counters) : { total: 0, failures: 0, slow: 0 };
  const breaker = stepBreaker(before.breaker, { seen, peers, now_ms, jitter }, settings);
  const good = withinObjective(seen.total, seen.failures, seen.slow);
  return told(before, {
    ...before,
    counters: counters ?? before.counters,
    breaker,
    evidence: evidenceOf(before, breaker, { good, bad: seen.total - good }, now_ms),
  });
}

function evidenceOf(before: ModelState, { state }: Breaker, seen: { good: number; bad: number }, now_ms: number): Evidence {
  if (before.breaker.state !== 'closed') return { ...before.evidence, at_ms: now_ms };
  return state === 'closed' ? withInferences(before.evidence, seen.good, seen.bad, now_ms) : faded(before.evidence, now_ms);
}

/** Gateways are told of a new state at once and of a new success rate once it differs by a point. */
function told(before: ModelState, after: ModelState): ModelState {
  const expected = expectedSuccess(after.evidence);
  const isNew = before.breaker.since_ms !== after.breaker.since_ms || before.breaker.state !== after.breaker.state;
  if (!isNew && Math.abs(expected - before.expected_success) < worthTelling) return after;
  return { ...after, expected_success: expected, revision: before.revision + 1 };
}

const instantOf = (ms: number): string => new Date(ms).toISOString();

export const breakerOf = ({
  model_id,
  breaker,
  forced,
  forced_by,
  forced_reason,
  expected_success,
  revision,
}: ModelState): CircuitBreaker => ({
  model_id,
  state: breaker.state,
  forced,
  forced_by,
  reason: forced_reason ?? breaker.reason,
  since: instantOf(breaker.since_ms),
  until: breaker.state === 'closed' ? null : instantOf(breaker.until_ms),
  openings: breaker.openings,
  expected_success,
  revision,
});

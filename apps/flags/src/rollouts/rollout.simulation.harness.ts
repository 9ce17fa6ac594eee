import { type Verdict } from '#contracts/rollout-decision.js';
import { type RolloutPlan } from '#contracts/rollout-plan.js';
import { seededRandom } from '#statistics/seeded-random.js';
import { Sketch } from '#statistics/sketch.js';
import { type Analysis, analysisOfNextStep, analysisWith, type ArmsTick, limitsOf, newAnalysis } from './analysis.js';
import { decide } from './decision.js';
import { situationOf } from './situation.js';

/** One tick's requests in the simulation, of both arms together, and its length. */
const requestsATick = 300;
const tickMs = 10_000;
const median_ms = 100;

/** Lognormal timings. */
interface Timings {
  /** The candidate's in relation to the control's. */
  factor: number;
  /** Of the logarithm of a timing. */
  log_sd: number;
  /** By how much both arms' are longer in a tick (from 1); absent: 1. */
  drift?: (tick: number) => number;
  /** Standard deviation of the logarithm of each arm's own median from tick to tick. */
  spread?: number;
}

/** How the two arms of a simulated rollout behave. */
export interface World {
  ticks: number;
  /** The candidate's share of the requests in a tick (from 1), in percent. */
  percentage: (tick: number) => number;
  /** Failure rates, 0..1. */
  candidate: (tick: number) => number;
  control: (tick: number) => number;
  /** Standard deviation of the logarithm of each arm's own rate from tick to tick. */
  spread?: number;
  /** Absent: nobody looks at timings. */
  latency?: Timings;
}

// Looked up once: a test runner's sandbox makes each look-up slow.
const { ceil, cos, exp, log, log1p, PI, sqrt } = Math;

class Random {
  private readonly next: () => number;

  constructor(seed: number) {
    this.next = seededRandom(seed);
  }

  uniform(): number {
    return (this.next() + 0.5) / 2 ** 32;
  }

  normal(): number {
    return sqrt(-2 * log(this.uniform())) * cos(2 * PI * this.uniform());
  }

  /** Events among n of probability p: by the distances between them. */
  binomial(n: number, p: number): number {
    if (p <= 0) return 0;
    if (p > 0.5) return n - this.binomial(n, 1 - p);
    const logarithm = log1p(-p);
    let events = 0;
    for (let at = ceil(log(this.uniform()) / logarithm); at <= n; at += ceil(log(this.uniform()) / logarithm)) events += 1;
    return events;
  }
}

/** The ticks of one run, the same for the same seed. */
export function* ticksOf(world: World, seed: number): Generator<ArmsTick & { percentage: number }> {
  const random = new Random(seed);
  const { spread = 0, latency } = world;
  const rate = (mean: number): number => Math.min(0.99, mean * exp(spread * random.normal() - spread ** 2 / 2));
  const arm = (tick: number, inferences: number, mean: number, factor: number): ArmsTick['candidate'] => {
    const timings = new Sketch();
    if (latency) {
      const own = latency.spread ? exp(latency.spread * random.normal()) : 1;
      const usual = median_ms * factor * own * (latency.drift?.(tick) ?? 1);
      for (let i = 0; i < inferences; i++) timings.add(usual * exp(latency.log_sd * random.normal()));
    }
    return { inferences, failures: random.binomial(inferences, rate(mean)), error_types: {}, timings };
  };
  for (let tick = 1; tick <= world.ticks; tick++) {
    const percentage = world.percentage(tick);
    const candidates = Math.round((requestsATick * percentage) / 100);
    const candidate = arm(tick, candidates, world.candidate(tick), latency?.factor ?? 1);
    const control = arm(tick, requestsATick - candidates, world.control(tick), 1);
    yield { candidate, control, percentage };
  }
}

/** What somebody who watches a rollout says after a tick; null: nothing. */
export type Judge = (tick: ArmsTick & { percentage: number }) => 'rollback' | 'advance' | null;

/** Our own decisions, by the very code that the service runs. A step has no minimum here, so that only evidence counts. */
export function ourJudge(plan: RolloutPlan, latency?: World['latency']): Judge {
  let analysis: Analysis = { ...newAnalysis(plan), limits: latency ? controlLimits(latency.log_sd) : null };
  let before: number | null = null;
  return (tick) => {
    const { percentage } = tick;
    if (before !== null && before !== percentage) analysis = analysisOfNextStep(analysis, before);
    before = percentage;
    analysis = analysisWith(analysis, plan, percentage, tick);
    const { action } = verdictOn(analysis, plan, percentage);
    return action === 'hold' ? null : action;
  };
}

function verdictOn(analysis: Analysis, plan: RolloutPlan, percentage: number): Verdict {
  const age_ms = analysis.ticks * tickMs;
  const circumstances = { step: 0, silent_ms: { candidate: 0, control: 0 }, step_age_ms: age_ms, age_ms, paused: false, pending: false };
  return decide(situationOf(analysis, plan, percentage, circumstances));
}

/** As they are known from before the rollout, by a sample of the control's timings that is not of the run. */
export function controlLimits(log_sd: number): Analysis['limits'] {
  const random = new Random(0);
  const timings = new Sketch();
  for (let i = 0; i < 20_000; i++) timings.add(median_ms * Math.exp(log_sd * random.normal()));
  return limitsOf(timings);
}

/** At which tick a judge first says something; Infinity where it never does. */
export function firstTick(world: World, seed: number, judge: Judge, says: 'rollback' | 'advance'): number {
  let at = 0;
  for (const tick of ticksOf(world, seed)) {
    at += 1;
    if (judge(tick) === says) return at;
  }
  return Infinity;
}

/** In how many of the runs a judge said it, as a share, and the median tick over all runs. */
export interface Outcome {
  share: number;
  median: number;
}

export function outcomeOf(runs: number, seed: number, world: World, judge: () => Judge, says: 'rollback' | 'advance'): Outcome {
  const ticks = Array.from({ length: runs }, (_, run) => firstTick(world, seed * 1_000_003 + run, judge(), says)).sort((a, b) => a - b);
  return { share: ticks.filter(Number.isFinite).length / runs, median: ticks[Math.floor((runs - 1) / 2)]! };
}

const constant = (value: number) => (): number => value;

/** Base: the failure rate of a production API, 3.8 %; the candidate has a tenth of the traffic, for 40 minutes. */
export const base: World = { ticks: 240, percentage: constant(10), candidate: constant(0.038), control: constant(0.038) };

/** Both arms' rates go from 2 % to 6 % while the candidate goes from 1 % to 50 % of the traffic. */
const drift = (tick: number): number => 0.02 + (0.04 * tick) / 240;
export const drifting: World = {
  ...base,
  candidate: drift,
  control: drift,
  percentage: (tick) => [1, 5, 10, 25, 50][Math.min(4, Math.floor((tick - 1) / 48))]!,
};

export const overdispersed: World = { ...base, spread: 0.6 };

export const worseBy = (points: number): World => ({ ...base, candidate: constant(0.038 + points / 100) });
export const failing = (candidate: number, control: number): World => ({
  ...base,
  candidate: constant(candidate),
  control: constant(control),
});
export const slowerBy = (factor: number, log_sd = 0.5): World => ({ ...base, latency: { factor, log_sd } });

/** Both arms' timings double while the candidate goes from 1 to 50 % of the traffic, as where more load comes at the same time. */
export const slowingBy = (factor: number): World => ({
  ...drifting,
  latency: { factor, log_sd: 0.5, drift: (tick) => 1 + tick / 240 },
});

/** Each arm's median is another one in each tick. */
export const unsteadyBy = (factor: number, spread = 0.1): World => ({ ...base, latency: { factor, log_sd: 0.5, spread } });

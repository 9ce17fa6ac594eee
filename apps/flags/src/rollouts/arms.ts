import { type ArmAnalysis, type TimingComparison } from '#contracts/rollout-analysis.js';
import { mannWhitney } from '#statistics/mann-whitney.js';
import { probabilitiesOfBest } from '#statistics/probability-of-best.js';
import { wilsonInterval, z95 } from '#statistics/wilson.js';
import { type ArmTick } from './analysis.js';

/** An arm with all that it did since the start. */
export interface Arm extends ArmTick {
  variant: string;
  model_id: string;
  /** Of its timings, in milliseconds. */
  sum_timing_ms: number;
}

/** How arms compare by what they did: in their order. */
export function compareArms(arms: readonly Arm[]): ArmAnalysis[] {
  const best = probabilitiesOfBest(arms.map(({ inferences, failures }) => ({ alpha: 1 + inferences - failures, beta: 1 + failures })));
  return arms.map(({ variant, model_id, inferences, failures, timings, sum_timing_ms }, index) => {
    const successes = inferences - failures;
    const { lower, upper } = wilsonInterval(successes, inferences, z95);
    return {
      variant,
      model_id,
      inferences,
      failures,
      success_rate: inferences === 0 ? 0 : (100 * successes) / inferences,
      success_rate_lower: 100 * lower,
      success_rate_upper: 100 * upper,
      average_timing_ms: inferences === 0 ? 0 : Math.max(0, sum_timing_ms) / inferences,
      percentiles: { p50: timings.quantile(0.5), p95: timings.quantile(0.95), p99: timings.quantile(0.99) },
      probability_best: best[index]!,
    };
  });
}

/** null where either has too few timings. */
export function compareTimings(candidate: ArmTick, control: ArmTick): TimingComparison | null {
  const comparison = mannWhitney(candidate.timings, control.timings);
  if ('reason' in comparison) return null;
  const { effect, interval, superiority } = comparison;
  return { ratio: effect, ratio_lower: interval.lower, ratio_upper: interval.upper, probability_slower: superiority };
}

/** How much of what was seen still counts a minute later. */
export const keptOfMinute = 0.97;

/** What is known of how often a model succeeds within its latency objective; of older inferences less. */
export interface Evidence {
  good: number;
  bad: number;
  /** The time that the counts are faded to, in epoch milliseconds. */
  at_ms: number;
}

export const noEvidence = (now_ms: number): Evidence => ({ good: 0, bad: 0, at_ms: now_ms });

/**
 * What the evidence is worth at a later time: counts fade by 0.97 a minute, so that a model that was good for long and fails now is found out
 * within minutes, and one that failed is tried again. Source: discounted Thompson sampling, Raj and Kalyani, "Taming non-stationary bandits:
 * a Bayesian approach", arXiv 1707.09727, 2017.
 */
export function faded({ good, bad, at_ms }: Evidence, now_ms: number): Evidence {
  const kept = keptOfMinute ** (Math.max(0, now_ms - at_ms) / 60_000);
  return { good: good * kept, bad: bad * kept, at_ms: now_ms };
}

export function withInferences(before: Evidence, good: number, bad: number, now_ms: number): Evidence {
  const kept = faded(before, now_ms);
  return { ...kept, good: kept.good + good, bad: kept.bad + bad };
}

/** Beta(1 + good, 1 + bad): the uniform prior with what was seen. */
export const posteriorOf = ({ good, bad }: Evidence): { alpha: number; beta: number } => ({ alpha: 1 + good, beta: 1 + bad });

/** The mean of the posterior, 0..1. */
export const expectedSuccess = ({ good, bad }: Evidence): number => (1 + good) / (2 + good + bad);

/**
 * How many of some inferences succeeded within the objective, as far as counters tell: those that took longer are known, and those that failed,
 * but not which ones are both. Failures are taken to be among the slow ones, as timeouts are.
 */
export const withinObjective = (total: number, failures: number, slow: number): number => Math.max(0, total - Math.max(failures, slow));

import { seededRandom } from '#statistics/seeded-random.js';
import { expectedSuccess, noEvidence, withInferences } from './posterior.js';

/** Chooses one of some arms for each request and is told what came of it. */
export interface Learner {
  choose: (targeting_key: string, now_ms: number) => number;
  learn: (arm: number, good: boolean, now_ms: number) => void;
}

/** Numbers in 0..1, without its ends. */
export function uniform(seed: number): () => number {
  const next = seededRandom(seed);
  return () => (next() + 0.5) / 2 ** 32;
}

/** Thompson sampling on Bernoulli rewards as it is in textbooks: a draw of each posterior for each request, and nothing is ever forgotten. */
export function plainThompson(arms: number, seed: number): Learner {
  const random = uniform(seed);
  const seen = Array.from({ length: arms }, () => ({ good: 0, bad: 0 }));
  return {
    choose: () => largest(seen.map(({ good, bad }) => betaDraw(1 + good, 1 + bad, random))),
    learn: (arm, good) => {
      seen[arm]![good ? 'good' : 'bad'] += 1;
    },
  };
}

/** One request in ten goes anywhere, the others to the arm that has succeeded most often. */
export function epsilonGreedy(arms: number, seed: number): Learner {
  const random = uniform(seed);
  const seen = Array.from({ length: arms }, () => noEvidence(0));
  return {
    choose: () => (random() < 0.1 ? Math.floor(random() * arms) : largest(seen.map(expectedSuccess))),
    learn: (arm, good) => {
      seen[arm] = withInferences(seen[arm]!, Number(good), Number(!good), 0);
    },
  };
}

const largest = (values: number[]): number => values.indexOf(Math.max(...values));

/** X/(X + Y) of two gamma draws. */
function betaDraw(alpha: number, beta: number, random: () => number): number {
  const x = gammaDraw(alpha, random);
  return x / (x + gammaDraw(beta, random));
}

/** Source: Marsaglia and Tsang, "A simple method for generating gamma variables", ACM TOMS 26, 2000; shape ≥ 1. */
function gammaDraw(shape: number, random: () => number): number {
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const normal = Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random());
    const v = (1 + c * normal) ** 3;
    if (v > 0 && Math.log(random()) < (normal * normal) / 2 + d - d * v + d * Math.log(v)) return d * v;
  }
}

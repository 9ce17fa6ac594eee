import { type Share } from './two-proportions.js';

/** What is kept of one arm's ticks so far. Plain JSON. */
export interface Dispersion {
  ticks: number;
  n: number;
  events: number;
  /** Σ events²/n over the ticks. */
  squares: number;
}

/** Degrees of freedom from which on the ticks themselves say how much they differ; the guess before that. */
const enoughDegrees = 10;
const guess = 1.5;

/** Before the first tick. */
export const noDispersion: Dispersion = { ticks: 0, n: 0, events: 0, squares: 0 };

/** With one tick more; one without requests says nothing. */
export function dispersionWith(dispersion: Dispersion, { n, events }: Share): Dispersion {
  if (n === 0) return dispersion;
  return {
    ticks: dispersion.ticks + 1,
    n: dispersion.n + n,
    events: dispersion.events + events,
    squares: dispersion.squares + events ** 2 / n,
  };
}

/**
 * By how much the counts of ticks differ more than independent requests of one rate would make them: Pearson's χ² of each arm's ticks over its
 * degrees of freedom, all arms together, and at least 1. 1.5 until there are 10 degrees of freedom. A rate that drifts counts too, which makes
 * whoever divides by it more careful than he need be. Source: Rao, Scott, "A simple method for the analysis of clustered binary data",
 * Biometrics 48, 1992.
 */
export function designEffect(arms: readonly Dispersion[]): number {
  let chiSquare = 0;
  let degrees = 0;
  for (const { ticks, n, events, squares } of arms) {
    if (ticks < 2) continue;
    degrees += ticks - 1;
    const p = events / n;
    // Σ (y − n·p)²/(n·p·(1 − p)), multiplied out. Without or with nothing but events all ticks are alike.
    if (events > 0 && events < n) chiSquare += (squares - p * events) / (p * (1 - p));
  }
  return degrees < enoughDegrees ? guess : Math.max(1, chiSquare / degrees);
}

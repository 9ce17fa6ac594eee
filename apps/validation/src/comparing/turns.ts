import { setImmediate } from 'node:timers/promises';
import { type Steps } from '#statistics/steps.js';

const turnMs = 15;

/** Runs long work to its end, and lets everything else have its turn every 15 ms. */
export async function inTurns<Result>(steps: Steps<Result>): Promise<Result> {
  for (let began = performance.now(); ;) {
    const { done, value } = steps.next();
    if (done) return value;
    if (performance.now() - began < turnMs) continue;
    await setImmediate();
    began = performance.now();
  }
}

import { type Measured } from '#contracts/case-result.js';
import { type Comparison, type Unmeasurable } from '#statistics/comparison.js';
import { mannWhitney } from '#statistics/mann-whitney.js';
import { compareQuantiles } from '#statistics/quantile-ratio.js';
import { Sketch } from '#statistics/sketch.js';
import { compareShares } from '#statistics/two-proportions.js';

const sketchOf = ({ sketch }: Measured): Sketch => Sketch.parse(Buffer.from(sketch, 'base64'));

/** The times of the requests that were answered. */
export const compareLatency = (candidate: Measured, baseline: Measured): Comparison | Unmeasurable =>
  mannWhitney(sketchOf(candidate), sketchOf(baseline));

/** How slow the slowest are: 0.95, 0.99. */
export const compareTails = (candidate: Measured, baseline: Measured, quantile: number): Comparison | Unmeasurable =>
  compareQuantiles(sketchOf(candidate), sketchOf(baseline), quantile);

/** The shares of requests without a good answer. */
export const compareErrors = (candidate: Measured, baseline: Measured): Comparison | Unmeasurable =>
  compareShares({ events: candidate.errors, n: candidate.requests }, { events: baseline.errors, n: baseline.requests });

import { type Tick } from './margin-e-process.js';

/**
 * What is kept of the differences D = yc/nc − ys/ns of the ticks so far, each weighted by its information w = nc·ns/(nc + ns). Plain JSON.
 */
export interface PairedTicks {
  /** In which both arms had requests. */
  ticks: number;
  /** Of both arms. */
  events: number;
  n: number;
  /** Σ w of the first 20 ticks. */
  first_weights: number;
  /** Σ w, Σ w·D, Σ w², Σ w²·D, Σ w²·D². */
  w: number;
  wd: number;
  ww: number;
  wwd: number;
  wwdd: number;
}

/** Ticks whose information is the unit of time, and how many, at equal weights, it takes before their spread is known. */
export const ticksToKnow = 20;
/** The bound is narrowest after so many ticks as the first ones. */
const tunedTo = 60;

/** Before the first tick. */
export const noPairedTicks: PairedTicks = { ticks: 0, events: 0, n: 0, first_weights: 0, w: 0, wd: 0, ww: 0, wwd: 0, wwdd: 0 };

/** With one tick more; one in which an arm has no requests says nothing. */
export function pairedWith(sums: PairedTicks, { candidate, control }: Tick): PairedTicks {
  if (candidate.n === 0 || control.n === 0) return sums;
  const w = (candidate.n * control.n) / (candidate.n + control.n);
  const d = candidate.events / candidate.n - control.events / control.n;
  return {
    ticks: sums.ticks + 1,
    events: sums.events + candidate.events + control.events,
    n: sums.n + candidate.n + control.n,
    first_weights: sums.first_weights + (sums.ticks < ticksToKnow ? w : 0),
    w: sums.w + w,
    wd: sums.wd + w * d,
    ww: sums.ww + w * w,
    wwd: sums.wwd + w * w * d,
    wwdd: sums.wwdd + w * w * d * d,
  };
}

/** (Σ w)²/Σ w²: to how many ticks of equal weight these come. Once it is 20 their spread is known well enough. Source: Kish, 1965. */
export const effectiveTicks = ({ w, ww }: PairedTicks): number => (ww === 0 ? 0 : (w * w) / ww);

/** The mean difference and its one-sided bounds, each of which holds at all times with probability 1 − alpha. */
export interface PairedBounds {
  difference: number;
  lower: number;
  upper: number;
}

/**
 * The asymptotic confidence sequence of the difference of two rates, from one observation a tick: what requests of a tick have in common (one
 * bad host, retries) cannot deceive it. null before the second tick.
 *
 * With t = Σ w in units of the first 20 ticks' mean and s² = SE²·t, where SE² = Σ w²(D − mean)²/(Σ w)² (robust: nothing is assumed of the ticks'
 * spread), corrected for the effective number of ticks, the half-width is √(s²·2(tρ² + 1)/(tρ)² · ln(1 + √(tρ² + 1)/(2·alpha))).
 * Source: Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, "Time-uniform central limit theory and asymptotic confidence sequences", Annals of
 * Statistics 52, 2024 (arXiv 2103.06476), eq. 134 and 161, as GrowthBook has it; the weights are ours. At equal weights t is the number of ticks.
 *
 * s² is never less than independent requests have at the pooled rate, or at `leastRate` where that is more: ticks without any event would
 * otherwise seem to know the difference exactly. `leastRate` 0..1 is a rate that the hypothesis to be refuted says the events at least have.
 */
export function pairedBounds(sums: PairedTicks, alpha: number, leastRate = 0): PairedBounds | null {
  const effective = effectiveTicks(sums);
  if (sums.ticks < 2 || effective <= 1) return null;
  const difference = sums.wd / sums.w;
  const unit = sums.first_weights / Math.min(sums.ticks, ticksToKnow);
  const time = sums.w / unit;
  const spread = Math.max(0, sums.wwdd - 2 * difference * sums.wwd + difference ** 2 * sums.ww);
  const variance = (spread / sums.w ** 2) * (effective / (effective - 1)) * time;
  const rate = Math.min(0.5, Math.max(leastRate, (sums.events + 1) / (sums.n + 2)));
  const half = pairedHalfWidth(Math.max(variance, (rate * (1 - rate)) / unit), time, alpha);
  return { difference, lower: difference - half, upper: difference + half };
}

/** The half-width at a variance (of one unit of time) after `time` units, one-sided at `alpha` (0 < alpha < 1). */
export function pairedHalfWidth(variance: number, time: number, alpha: number): number {
  const level = -2 * Math.log(2 * alpha);
  const rho2 = (level + Math.log(level + 1)) / tunedTo;
  const grown = time * rho2 + 1;
  return Math.sqrt(((variance * 2 * grown) / (time * time * rho2)) * Math.log(1 + Math.sqrt(grown) / (2 * alpha)));
}

import { type Dispersion, dispersionWith, noDispersion } from './design-effect.js';
import { logEvidence, type MarginEvidence, type MarginTest, noEvidence, type Tick, withTick } from './margin-e-process.js';
import { effectiveTicks, noPairedTicks, pairedBounds, type PairedTicks, pairedWith, ticksToKnow } from './paired-ticks.js';

/** All that is kept to test one hypothesis on two rates, tick by tick. Plain JSON. */
export interface Watch {
  evidence: MarginEvidence;
  paired: PairedTicks;
  candidate: Dispersion;
  control: Dispersion;
}

export type WatchMethod = 'e_process' | 'paired_ticks';

/** What a watch says at present. */
export interface Reading {
  method: WatchMethod;
  /** Whether the hypothesis is refuted at the level asked for. */
  refuted: boolean;
  /** Of the e-process, whichever method decides, and where it would refute. */
  log_e: number;
  log_threshold: number;
  /** θc − θs with the one-sided bounds of the paired ticks; null before the second tick. */
  difference: number | null;
  lower: number | null;
  upper: number | null;
}

/** Events of each arm from which on their mean is near enough to normal for the paired ticks. */
const enoughEvents = 30;

/** Before the first tick. */
export const newWatch: Watch = { evidence: noEvidence, paired: noPairedTicks, candidate: noDispersion, control: noDispersion };

/** With one tick more. `designEffect` is what the ticks before say of it: see `withTick`. */
export function watchWith({ evidence, paired, candidate, control }: Watch, tick: Tick, test: MarginTest, designEffect: number): Watch {
  return {
    evidence: withTick(evidence, tick, test, designEffect),
    paired: pairedWith(paired, tick),
    candidate: dispersionWith(candidate, tick.candidate),
    control: dispersionWith(control, tick.control),
  };
}

/**
 * Whether `test`'s hypothesis is refuted at level `alpha`, at any time: by the e-process on counts divided by their design effect at first; by
 * the paired ticks once there are 20 ticks' worth of them with 30 events and 30 other requests in either arm, without which their bounds are
 * not to be trusted. Each has half of alpha, so the level holds whichever decides and whenever that changes.
 */
export function readWatch(watch: Watch, test: MarginTest, alpha: number): Reading {
  const { evidence, paired, candidate, control } = watch;
  const bounds = pairedBounds(paired, alpha / 2, test.direction === 'below' ? Math.max(0, test.margin) : 0);
  const enough = [candidate, control].every(({ n, events }) => Math.min(events, n - events) >= enoughEvents);
  // Rounding leaves twenty equal weights a little below 20.
  const known = bounds !== null && enough && effectiveTicks(paired) >= ticksToKnow * (1 - 1e-9);
  const log_e = logEvidence(evidence);
  const log_threshold = Math.log(2 / alpha);
  const outside = bounds !== null && (test.direction === 'above' ? bounds.lower > test.margin : bounds.upper < test.margin);
  return {
    method: known ? 'paired_ticks' : 'e_process',
    refuted: known ? outside : log_e >= log_threshold,
    log_e,
    log_threshold,
    difference: bounds?.difference ?? null,
    lower: bounds?.lower ?? null,
    upper: bounds?.upper ?? null,
  };
}

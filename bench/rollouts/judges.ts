import { type Analysis } from '#flags/rollouts/analysis.js';
import { type Judge } from '#flags/rollouts/rollout.simulation.harness.js';
import { logEvidence, noEvidence, withTick } from '#statistics/margin-e-process.js';

const ticksAMinute = 6;
/** One-sided 0.01. */
const z99 = 2.326;

interface Sums {
  n: number;
  failures: number;
}

const add = (sums: Sums, arm: { inferences: number; failures: number }): void => {
  sums.n += arm.inferences;
  sums.failures += arm.failures;
};
const none = (): Sums => ({ n: 0, failures: 0 });

/** A two-proportion z-test of everything so far, looked at each tick as if it were the only look. */
export function naivePeeking(): Judge {
  const [candidate, control] = [none(), none()];
  return (tick) => {
    add(candidate, tick.candidate);
    add(control, tick.control);
    if (candidate.failures < 5) return null;
    const pooled = (candidate.failures + control.failures) / (candidate.n + control.n);
    const deviation = Math.sqrt(pooled * (1 - pooled) * (1 / candidate.n + 1 / control.n));
    const z = deviation === 0 ? 0 : (candidate.failures / candidate.n - control.failures / control.n) / deviation;
    return z > z99 ? 'rollback' : null;
  };
}

/** Flagger's and Argo's way: a check a minute, failed below 95 % success; the fifth failed one rolls back. */
export function threshold(): Judge {
  let minute = none();
  let ticks = 0;
  let failed = 0;
  return (tick) => {
    add(minute, tick.candidate);
    if (++ticks % ticksAMinute) return null;
    if (minute.n > 0 && minute.failures / minute.n > 0.05) failed += 1;
    minute = none();
    return failed >= 5 ? 'rollback' : null;
  };
}

/**
 * Kayenta's NetflixACAJudge on failure rates by the minute, judged anew every ten minutes: high where the 98 % interval of the Hodges–Lehmann
 * shift lies above a quarter of the shift, and the means' ratio is at least 1.
 */
export function kayentaStyle(): Judge {
  const [candidates, controls]: [number[], number[]] = [[], []];
  let [candidate, control] = [none(), none()];
  let ticks = 0;
  return (tick) => {
    add(candidate, tick.candidate);
    add(control, tick.control);
    if (++ticks % ticksAMinute) return null;
    if (candidate.n > 0) candidates.push(candidate.failures / candidate.n);
    if (control.n > 0) controls.push(control.failures / control.n);
    [candidate, control] = [none(), none()];
    if (ticks % (10 * ticksAMinute)) return null;
    const [n, m] = [candidates.length, controls.length];
    const shifts = candidates.flatMap((x) => controls.map((y) => x - y)).sort((a, b) => a - b);
    const shift = shifts[Math.floor(shifts.length / 2)]!;
    const lower = shifts[Math.max(0, Math.floor((n * m) / 2 - z99 * Math.sqrt((n * m * (n + m + 1)) / 12)))]!;
    const mean = (rates: number[]): number => rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
    return lower > 0.25 * Math.abs(shift) && mean(candidates) >= mean(controls) ? 'rollback' : null;
  };
}

/** Bins by which the candidate's timings may be longer: 10 %, rounded up. */
const harmBins = 5;

/** The blocked e-process of timings by itself: counts as they are, all of alpha (0.01) for it, a third for each of three quantiles. */
export function bareEProcess(limits: NonNullable<Analysis['limits']>): Judge {
  const bins = Object.values(limits) as number[];
  const evidence = bins.map(() => noEvidence);
  return ({ candidate, control }) => {
    for (const [index, bin] of bins.entries()) {
      const tick = {
        candidate: { events: candidate.timings.countAboveBin(bin + harmBins), n: candidate.timings.count },
        control: { events: control.timings.countAboveBin(bin), n: control.timings.count },
      };
      evidence[index] = withTick(evidence[index]!, tick, { direction: 'above', margin: 0 });
    }
    return evidence.some((one) => logEvidence(one) >= Math.log(bins.length / 0.01)) ? 'rollback' : null;
  };
}

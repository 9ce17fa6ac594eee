import { compareAuc } from './auc.js';
import { f1 } from './classification.js';
import { type Comparison, relativeTo, type Unmeasurable } from './comparison.js';
import { type Case, defaultBands, judge } from './difference.js';
import { binomialAtMost } from './distributions.js';
import { mannWhitney } from './mann-whitney.js';
import { mcnemar } from './mcnemar.js';
import { PairedBootstrap } from './paired-bootstrap.js';
import { type NumberRow, rmse } from './regression.js';
import { seededRandom } from './seeded-random.js';
import { signFlip } from './sign-flip.js';
import { Sketch } from './sketch.js';
import { compareShares } from './two-proportions.js';
import { wilcoxonSignedRank } from './wilcoxon.js';

// The figures in docs/statistics.md: SIMULATION_RUNS=10000 npm test -- simulation. The seed is SIMULATION_SEED, 1 if not given.
const runs = Number(process.env.SIMULATION_RUNS ?? 80);
const seed = Number(process.env.SIMULATION_SEED ?? 1);
const alpha = 0.05;
const timeout_ms = 30_000 + 200 * runs;

class Sampler {
  readonly next: () => number;

  constructor(from: number) {
    this.next = seededRandom(from);
  }

  uniform(): number {
    return (this.next() + 0.5) / 2 ** 32;
  }

  normal(): number {
    return Math.sqrt(-2 * Math.log(this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }

  chance(p: number): boolean {
    return this.uniform() < p;
  }
}

/** How much worse the candidate of a simulated run is than its baseline. */
interface Worse {
  /** Of accuracy, in points: so many right answers turn wrong. */
  accuracy: number;
  /** Factor of the errors' spread. */
  errors: number;
  /** Factor of the latencies. */
  latency: number;
  /** Points of failed requests. */
  failures: number;
  /** Of the distance between the scores of the two classes, which is 1.5 standard deviations. */
  scores: number;
}

const nothing: Worse = { accuracy: 0, errors: 1, latency: 1, failures: 0, scores: 0 };

/** Both models share part of what makes a row hard, as retrained models do. */
function outcomes(random: Sampler, accuracy: number, lost: number): { candidate: boolean; baseline: boolean } {
  const hard = random.chance(0.5);
  const baseline = hard ? random.chance(2 * accuracy - 1) : true;
  const candidate = (hard ? random.chance(2 * accuracy - 1) : true) && !random.chance(lost / accuracy);
  return { candidate, baseline };
}

/** Errors with long tails, of which both models share a part: what a bootstrap of few rows finds hardest. */
function longTailedErrors(
  random: Sampler,
  worse: Worse,
  rows: number,
): { bootstrap: PairedBootstrap<NumberRow>; differences: Float64Array } {
  const bootstrap = new PairedBootstrap(rmse, random.next());
  const differences = Float64Array.from({ length: rows }, () => {
    const common = random.normal();
    const error = (factor: number): number => factor * (common + random.normal()) * Math.exp(random.normal() / 3);
    const [candidate, baseline] = [error(worse.errors), error(1)];
    bootstrap.add({ actual: 0, predicted: candidate }, { actual: 0, predicted: baseline });
    return candidate ** 2 - baseline ** 2;
  });
  return { bootstrap, differences };
}

const cases: Record<string, (random: Sampler, worse: Worse, rows: number) => Comparison | Unmeasurable> = {
  mcnemar(random, worse, rows) {
    const counts = { both: 0, only_candidate: 0, only_baseline: 0, neither: 0 };
    for (let i = 0; i < 2 * rows; i++) {
      const { candidate, baseline } = outcomes(random, 0.85, worse.accuracy);
      counts[candidate ? (baseline ? 'both' : 'only_candidate') : baseline ? 'only_baseline' : 'neither'] += 1;
    }
    return mcnemar(counts);
  },

  bootstrap_f1(random, worse, rows) {
    const bootstrap = new PairedBootstrap(f1('p'), random.next());
    for (let i = 0; i < rows; i++) {
      const [actual, other] = random.chance(0.3) ? ['p', 'n'] : ['n', 'p'];
      const { candidate, baseline } = outcomes(random, 0.9, worse.accuracy);
      bootstrap.add({ actual, predicted: candidate ? actual : other }, { actual, predicted: baseline ? actual : other });
    }
    return bootstrap.compare({ resamples: 500 });
  },

  rmse(random, worse, rows) {
    const { bootstrap, differences } = longTailedErrors(random, worse, rows);
    const flips = signFlip(differences, random.next());
    const comparison = bootstrap.compare({ scale: 'ratio', resamples: 500 });
    return 'reason' in flips ? flips : { ...comparison, ...flips };
  },

  wilcoxon(random, worse, rows) {
    let total = 0;
    const differences = Float64Array.from({ length: rows }, () => {
      const common = random.normal();
      const baseline = Math.abs(common + random.normal());
      total += baseline;
      return worse.errors * Math.abs(common + random.normal()) - baseline;
    });
    const comparison = wilcoxonSignedRank(differences);
    return 'reason' in comparison ? comparison : relativeTo(total / rows, comparison);
  },

  wilcoxon_small(random, worse) {
    return wilcoxonSignedRank(Float64Array.from({ length: 20 }, () => random.normal() + (worse.errors - 1) * 5));
  },

  mann_whitney(random, worse, rows) {
    const sketch = (factor: number): Sketch => {
      const latencies = new Sketch();
      for (let i = 0; i < 2 * rows; i++) latencies.add(factor * 20 * Math.exp(0.5 * random.normal()));
      return latencies;
    };
    return mannWhitney(sketch(worse.latency), sketch(1));
  },

  shares(random, worse, rows) {
    const failed = (p: number): number => Array.from({ length: 4 * rows }, () => random.chance(p)).filter(Boolean).length;
    return compareShares({ events: failed(0.01 + worse.failures), n: 4 * rows }, { events: failed(0.01), n: 4 * rows });
  },

  auc(random, worse, rows) {
    const positive = Uint8Array.from({ length: rows }, () => Number(random.chance(0.3)));
    const score = (distance: number): Float64Array => Float64Array.from(positive, (flag) => flag * distance + random.normal());
    return compareAuc(score(1.5 - worse.scores), score(1.5), positive);
  },
};

const reading: Record<string, Pick<Case, 'worse' | 'bands'>> = {
  mcnemar: { worse: 'lower', bands: defaultBands.share },
  bootstrap_f1: { worse: 'lower', bands: defaultBands.share },
  rmse: { worse: 'higher', bands: defaultBands.error },
  wilcoxon: { worse: 'higher', bands: defaultBands.error },
  wilcoxon_small: { worse: 'higher', bands: defaultBands.error },
  mann_whitney: { worse: 'higher', bands: defaultBands.latency },
  shares: { worse: 'higher', bands: defaultBands.failures },
  auc: { worse: 'lower', bands: defaultBands.share },
};

interface Counted {
  /** Runs with any adjusted p value ≤ alpha. */
  significant: number;
  /** Runs with any regression or improvement. */
  different: number;
  /** By case: p ≤ alpha on its own, interval without the neutral effect, and found to be a regression. */
  alone: Record<string, number>;
  outside: Record<string, number>;
  regressions: Record<string, number>;
}

function simulate(worse: Worse, rows: number, from: number): Counted {
  const counted: Counted = { significant: 0, different: 0, alone: {}, outside: {}, regressions: {} };
  const random = new Sampler(from);
  const names = Object.keys(cases);
  const count = (figures: Record<string, number>, name: string, yes: boolean): void =>
    void (figures[name] = (figures[name] ?? 0) + Number(yes));
  for (let run = 0; run < runs; run++) {
    const family = names.map((name) => ({ comparison: cases[name]!(random, worse, rows), ...reading[name]! }));
    // What could not be measured (one class among few rows, for instance) raises no alarm.
    const judged = judge(family);
    counted.significant += Number(judged.some((one) => one.outcome !== 'not_measured' && one.p_adjusted <= alpha));
    counted.different += Number(judged.some(({ outcome }) => outcome === 'regression' || outcome === 'improvement'));
    names.forEach((name, i) => {
      const { comparison } = family[i]!;
      if ('reason' in comparison) return;
      const { p, scale, interval } = comparison;
      const neutral = scale === 'ratio' ? 1 : 0;
      count(counted.alone, name, p <= alpha);
      count(counted.outside, name, interval.lower > neutral || interval.upper < neutral);
      count(counted.regressions, name, judged[i]!.outcome === 'regression');
    });
  }
  return counted;
}

/** The number of alarms that a rate of exactly `rate` exceeds in less than one of 1,000 simulations. */
function mostAlarms(rate: number): number {
  let most = 0;
  while (binomialAtMost(most, runs, rate) < 0.999) most++;
  return most;
}

const report = (text: string, counted: Counted): void => {
  if (!process.env.SIMULATION_RUNS) return;
  const share = (figures: Record<string, number>): string =>
    Object.entries(figures)
      .map(([name, n]) => `${name} ${(n / runs).toFixed(4)}`)
      .join(', ');
  process.stdout.write(
    `${text}, ${runs} runs, seed ${seed}: significant ${counted.significant / runs}, different ${counted.different / runs}\n` +
      `  p <= ${alpha} alone: ${share(counted.alone)}\n  outside: ${share(counted.outside)}\n  regressions: ${share(counted.regressions)}\n`,
  );
};

describe('a run of eight cases', () => {
  it(
    'raises a false alarm in no more than alpha of the runs where nothing differs',
    () => {
      const counted = simulate(nothing, 200, seed);
      report('no difference, 200 rows', counted);
      expect(counted.significant).toBeLessThanOrEqual(mostAlarms(alpha));
      expect(counted.different).toBeLessThanOrEqual(counted.significant);
      for (const alarms of Object.values(counted.alone)) expect(alarms).toBeLessThanOrEqual(mostAlarms(alpha));
    },
    timeout_ms,
  );

  it(
    'raises none either with few rows',
    () => {
      const counted = simulate(nothing, 25, seed + 1);
      report('no difference, 25 rows', counted);
      expect(counted.significant).toBeLessThanOrEqual(mostAlarms(alpha));
    },
    timeout_ms,
  );

  it(
    'finds a candidate that is worse in everything',
    () => {
      const counted = simulate({ accuracy: 0.08, errors: 1.3, latency: 1.25, failures: 0.04, scores: 0.6 }, 200, seed + 2);
      report('worse, 200 rows', counted);
      for (const [name, atLeast] of Object.entries({ mcnemar: 0.5, mann_whitney: 0.9, shares: 0.5, wilcoxon: 0.5, rmse: 0.4 })) {
        expect(counted.regressions[name]! / runs).toBeGreaterThan(atLeast);
      }
    },
    timeout_ms,
  );
});

describe('the sign-flip test of long-tailed squared errors', () => {
  it.each([25, 50])(
    'keeps its level with %d rows, where the bootstrap does not',
    (rows) => {
      const random = new Sampler(seed);
      let alarms = 0;
      let bootstrapped = 0;
      for (let run = 0; run < runs; run++) {
        const { bootstrap, differences } = longTailedErrors(random, nothing, rows);
        const flips = signFlip(differences, random.next());
        alarms += Number('p' in flips && flips.p <= alpha);
        if (!process.env.SIMULATION_RUNS) continue;
        const resampled = bootstrap.compare({ scale: 'ratio', resamples: 500 });
        bootstrapped += Number('p' in resampled && resampled.p <= alpha);
      }
      expect(alarms).toBeLessThanOrEqual(mostAlarms(alpha));
      if (process.env.SIMULATION_RUNS)
        process.stdout.write(`RMSE alone, ${rows} rows: sign flip ${alarms / runs}, bootstrap ${bootstrapped / runs}\n`);
    },
    timeout_ms,
  );
});

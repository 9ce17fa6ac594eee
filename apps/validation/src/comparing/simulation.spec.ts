import { type Baseline } from '#contracts/baseline.js';
import { type Measured } from '#contracts/case-result.js';
import { type ComparisonRules } from '#contracts/policy.js';
import { defaultBands, defaultPolicy } from '#statistics/difference.js';
import { binomialAtMost } from '#statistics/distributions.js';
import { seededRandom } from '#statistics/seeded-random.js';
import { Sketch } from '#statistics/sketch.js';
import { atOnce } from '#statistics/steps.js';
import { type RowOutcome } from '../judging/rows.js';
import { compareErrors, compareLatency, compareTails } from './compare-load.js';
import { compareMetricSteps, type Pairs } from './compare-rows.js';
import { type ComparedCase, type ComparedMetric, compareRun, type RunComparison } from './compare-run.js';

// The figures in docs/statistics.md: SIMULATION_RUNS=2000 npm test -- apps/validation/src/comparing/simulation. SIMULATION_SEED is 1 if not given.
const runs = Number(process.env.SIMULATION_RUNS ?? 8);
const seed = Number(process.env.SIMULATION_SEED ?? 1);
const policy: ComparisonRules = { ...defaultPolicy, bands: defaultBands, cases: { medium: 0.1, high: 0.25 } };
const rows = 200;
const requests = 400;
const timeout_ms = 30_000 + 1_000 * runs;

const next = seededRandom(seed);
const uniform = (): number => (next() + 0.5) / 2 ** 32;
const normal = (): number => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());

/** Both models share part of what makes a row hard; the candidate sees `blur` times as much noise of its own. */
function labels(blur: number): Pairs {
  return pairs(() => {
    const latent = 1.5 * normal();
    const label = latent + normal() > 0;
    const common = normal() / 2;
    return (row, candidate): RowOutcome => {
      const p = 1 / (1 + Math.exp(-1.5 * (latent + common + (candidate ? blur : 1) * 0.7 * normal())));
      return { row, label, prediction: p > 0.5, score: Math.max(p, 1 - p) };
    };
  });
}

/** Errors with long tails, which a row's difficulty makes larger for both. */
function numbers(blur: number): Pairs {
  return pairs(() => {
    const [label, difficulty, common] = [100 + 20 * normal(), Math.exp(normal() / 2), normal()];
    return (row, candidate) => ({ row, label, prediction: label + (candidate ? blur : 1) * difficulty * (common + normal()) });
  });
}

function pairs(draw: () => (row: number, candidate: boolean) => RowOutcome): Pairs {
  const drawn: Pairs = { candidate: [], baseline: [] };
  for (let row = 1; row <= rows; row++) {
    const answer = draw();
    drawn.candidate.push(answer(row, true));
    drawn.baseline.push(answer(row, false));
  }
  return drawn;
}

function load(slower: number, failing: number): Measured {
  const sketch = new Sketch();
  for (let i = 0; i < requests; i++) sketch.add(20 * slower * Math.exp(0.5 * normal()));
  const errors = Array.from({ length: requests }, () => uniform() < failing).filter(Boolean).length;
  return { requests, errors, sketch: Buffer.from(sketch.serialise()).toString('base64') } as Measured;
}

/** One run of three cases with all metrics; `worse` is 0 where the two models do not differ. */
function simulated(worse: 0 | 1): RunComparison {
  const [ofLabels, ofNumbers] = [labels(1 + 2 * worse), numbers(1 + 0.4 * worse)];
  const of = (pair: Pairs, names: string[]): ComparedMetric[] =>
    names.map((metric) => ({ metric, comparison: atOnce(compareMetricSteps(metric, pair)) }));
  const [slow, fast] = [load(1 + 0.25 * worse, 0.01 + 0.04 * worse), load(1, 0.01)];
  const metrics = [
    of(ofLabels, ['accuracy', 'precision', 'recall', 'f1', 'log_loss', 'brier', 'auc', 'calibration_error']),
    of(ofNumbers, ['mae', 'rmse', 'mape', 'r2']),
    [
      { metric: 'latency', comparison: compareLatency(slow, fast) },
      { metric: 'p95_ms', comparison: compareTails(slow, fast, 0.95) },
      { metric: 'p99_ms', comparison: compareTails(slow, fast, 0.99) },
      { metric: 'error_rate', comparison: compareErrors(slow, fast) },
    ],
  ];
  const baseline: Omit<Baseline, 'test_case_id'> = {
    ...{ name: 'Any', type: 'regression', revision: 1, data_set_id: null, run_id: 'validation_a_1', model_id: 'a' },
    ...{ run_started_at: '', stored_at: '', pinned_at: null, pinned_by: null, pin_reason: null },
  };
  return compareRun(
    metrics.map((all, index): ComparedCase => {
      const test_case_id = `case_${index}`;
      return { result: { test_case_id, outcome: 'passed', revision: 1 }, baseline: { ...baseline, test_case_id }, metrics: all };
    }),
    policy,
  );
}

/** The number of alarms that a rate of exactly alpha exceeds in less than one of 1,000 simulations. */
function mostAlarms(): number {
  let most = 0;
  while (binomialAtMost(most, runs, policy.alpha) < 0.999) most++;
  return most;
}

function simulate(worse: 0 | 1): { significant: number; detected: number; of: Record<string, number>; alone: Record<string, number> } {
  const counted = { significant: 0, detected: 0, of: {} as Record<string, number>, alone: {} as Record<string, number> };
  for (let run = 0; run < runs; run++) {
    const { comparisons, regression_detected } = simulated(worse);
    counted.significant += Number(comparisons.some(({ p_adjusted }) => p_adjusted !== null && p_adjusted <= policy.alpha));
    counted.detected += Number(regression_detected);
    for (const { metric, verdict, p } of comparisons) {
      counted.of[metric] = (counted.of[metric] ?? 0) + Number(verdict === 'regressed') / runs;
      counted.alone[metric] = (counted.alone[metric] ?? 0) + Number(p !== null && p <= policy.alpha) / runs;
    }
  }
  if (process.env.SIMULATION_RUNS)
    process.stdout.write(`worse ${worse}, ${runs} runs, seed ${seed}: ${JSON.stringify(counted, null, 1)}\n`);
  return counted;
}

describe('a run of three cases with sixteen figures', () => {
  it(
    'raises a false alarm in no more than alpha of the runs where nothing differs',
    () => {
      const { significant, detected, alone } = simulate(0);
      expect(significant).toBeLessThanOrEqual(mostAlarms());
      expect(detected).toBeLessThanOrEqual(significant);
      for (const share of Object.values(alone)) expect(share * runs).toBeLessThanOrEqual(mostAlarms() + 1e-6);
    },
    timeout_ms,
  );

  it(
    'finds a candidate that is worse in everything',
    () => {
      const { detected, of } = simulate(1);
      expect(detected).toBe(runs);
      for (const metric of ['brier', 'auc', 'mae', 'rmse', 'latency']) expect(of[metric]).toBeGreaterThan(0.4);
    },
    timeout_ms,
  );
});

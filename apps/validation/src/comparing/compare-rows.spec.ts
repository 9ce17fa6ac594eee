import { fc } from '#testing/property.js';
import { dataMetrics } from '#contracts/test-case.js';
import { type Comparison } from '#statistics/comparison.js';
import { seededRandom } from '#statistics/seeded-random.js';
import { atOnce } from '#statistics/steps.js';
import { type RowOutcome } from '../judging/rows.js';
import { compareMetricSteps, paired, type Pairs } from './compare-rows.js';
import { inTurns } from './turns.js';

const compared = (name: string, pairs: Pairs): Comparison => {
  const comparison = atOnce(compareMetricSteps(name, pairs));
  if ('reason' in comparison) throw new Error(comparison.reason);
  return comparison;
};

const numbered = (rows: Omit<RowOutcome, 'row'>[]): RowOutcome[] => rows.map((row, index) => ({ row: index + 1, ...row }));

/** A label is true with the chance of its latent figure; the candidate sees it through more noise the larger `blur` is. */
function simulated(n: number, blur: number, seed: number): Pairs {
  const next = seededRandom(seed);
  const uniform = (): number => (next() + 0.5) / 2 ** 32;
  const normal = (): number => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  const pairs: Pairs = { candidate: [], baseline: [] };
  for (let row = 1; row <= n; row++) {
    const latent = 2 * normal();
    const label = latent + normal() > 0;
    const seen = (noise: number): RowOutcome => {
      const p = 1 / (1 + Math.exp(-latent - noise * normal()));
      return { row, label, prediction: p > 0.5, score: Math.max(p, 1 - p) };
    };
    pairs.candidate.push(seen(blur));
    pairs.baseline.push(seen(0.5));
  }
  return pairs;
}

/** The same for a number. */
function simulatedNumbers(n: number, spread: number, seed: number): Pairs {
  const next = seededRandom(seed);
  const normal = (): number => Math.sqrt(-2 * Math.log((next() + 0.5) / 2 ** 32)) * Math.cos(2 * Math.PI * ((next() + 0.5) / 2 ** 32));
  const pairs: Pairs = { candidate: [], baseline: [] };
  for (let row = 1; row <= n; row++) {
    const label = 50 + 10 * normal();
    pairs.candidate.push({ row, label, prediction: label + spread * normal() });
    pairs.baseline.push({ row, label, prediction: label + normal() });
  }
  return pairs;
}

describe('pairing', () => {
  it('takes the rows that both have, by their numbers', () => {
    const all = numbered(Array.from({ length: 10 }, () => ({ label: 1, prediction: 1 })));
    const [ours, theirs] = [all.filter(({ row }) => row % 2 === 0), all.filter(({ row }) => row % 3 === 0 || row > 8)];
    const { candidate, baseline } = paired(ours, theirs);
    expect(candidate.map(({ row }) => row)).toEqual([6, 10]);
    expect(baseline.map(({ row }) => row)).toEqual([6, 10]);
    const subset = fc.subarray(all);
    fc.assert(
      fc.property(subset, subset, (some, others) => {
        const pairs = paired(some, others);
        expect(pairs.candidate.map(({ row }) => row)).toEqual(pairs.baseline.map(({ row }) => row));
        expect(pairs.candidate).toHaveLength(some.filter((row) => others.includes(row)).length);
      }),
    );
  });
});

describe('comparing the metrics of two models', () => {
  it.each([
    ['accuracy', 'mcnemar_mid_p', 'difference', -1],
    ['precision', 'paired_bootstrap', 'difference', -1],
    ['recall', 'paired_bootstrap', 'difference', -1],
    ['f1', 'paired_bootstrap', 'difference', -1],
    ['log_loss', 'paired_bootstrap', 'ratio', 1],
    ['brier', 'paired_bootstrap', 'ratio', 1],
    ['auc', 'delong', 'difference', -1],
    ['calibration_error', 'paired_bootstrap', 'difference', 1],
  ])('%s by %s: a candidate with more noise is worse', (name, test, scale, sign) => {
    const comparison = compared(name, simulated(1_500, 4, 1));
    expect(comparison).toMatchObject({ test, scale, n: 1_500 });
    expect(Math.sign(comparison.statistic)).toBe(sign);
    expect(comparison.p).toBeLessThan(0.01);
    expect(Math.sign(comparison.effect - (scale === 'ratio' ? 1 : 0))).toBe(sign);
  });

  it.each([
    ['mae', 'wilcoxon_normal', 'difference', 1],
    ['mape', 'wilcoxon_normal', 'difference', 1],
    ['rmse', 'sign_flip', 'ratio', 1],
    ['r2', 'sign_flip', 'difference', -1],
  ])('%s by %s: a candidate with larger errors is worse', (name, test, scale, sign) => {
    const comparison = compared(name, simulatedNumbers(500, 1.4, 2));
    expect(comparison).toMatchObject({ test, scale, n: 500 });
    expect([Math.sign(comparison.statistic), comparison.p < 1e-3]).toEqual([sign, true]);
  });

  it('finds no difference between a model and itself, by any metric', () => {
    const [{ baseline: labels }, { baseline: numbers }] = [simulated(200, 1, 3), simulatedNumbers(200, 1, 3)];
    for (const name of dataMetrics) {
      const own = ['mae', 'rmse', 'mape', 'r2'].includes(name) ? numbers : labels;
      const { p, effect, scale } = compared(name, { candidate: own, baseline: own });
      expect([name, p, effect]).toEqual([name, 1, scale === 'ratio' ? 1 : 0]);
    }
  });

  it('gives no figure without grounds', () => {
    const none = { candidate: [], baseline: [] };
    for (const name of dataMetrics) expect(atOnce(compareMetricSteps(name, none))).toHaveProperty('reason');
    const zeros = numbered([{ label: 0, prediction: 1 }]);
    expect(atOnce(compareMetricSteps('mape', { candidate: zeros, baseline: zeros }))).toEqual({ reason: 'all_actuals_zero' });
    const perfect = numbered([{ label: 4, prediction: 4 }]);
    expect(atOnce(compareMetricSteps('mae', { candidate: zeros, baseline: perfect }))).toEqual({ reason: 'baseline_is_zero' });
  });

  it('lets everything else have its turn, with 100,000 rows', async () => {
    const pairs = simulatedNumbers(100_000, 1.05, 4);
    let longest = 0;
    let last = performance.now();
    const ticking = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 1);
    expect(await inTurns(compareMetricSteps('mae', pairs))).toMatchObject({ test: 'wilcoxon_normal', n: 100_000 });
    clearInterval(ticking);
    // Of a machine that is busy with other tests; on its own it is a tenth of it.
    expect(longest).toBeLessThan(1_000);
  });
});

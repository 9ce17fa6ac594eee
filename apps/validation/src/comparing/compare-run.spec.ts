import { fc } from '#testing/property.js';
import { type Baseline } from '#contracts/baseline.js';
import { type CaseOutcome } from '#contracts/case-result.js';
import { severities, type Severity } from '#contracts/comparison.js';
import { type ComparisonRules } from '#contracts/policy.js';
import { type Comparison } from '#statistics/comparison.js';
import { defaultBands, defaultPolicy } from '#statistics/difference.js';
import { type ComparedCase, type ComparedMetric, compareRun } from './compare-run.js';
import { policyProblems } from './policy-rules.js';

const policy: ComparisonRules = { ...defaultPolicy, bands: defaultBands, cases: { medium: 0.1, high: 0.25 } };

const baselineOf = (test_case_id: string, more: Partial<Baseline> = {}): Baseline => ({
  ...{ name: 'Any', test_case_id, type: 'unit', revision: 1, data_set_id: null, run_id: 'validation_a_1', model_id: 'a' },
  ...{ run_started_at: '2026-11-27T00:00:00Z', stored_at: '2026-11-27T00:00:00Z', pinned_at: null, pinned_by: null, pin_reason: null },
  ...more,
});

const compared = (outcome: CaseOutcome, index = 0, metrics: ComparedMetric[] = [], more: Partial<Baseline> = {}): ComparedCase => {
  const test_case_id = `case_${index}`;
  return { result: { test_case_id, outcome, revision: 1 }, baseline: baselineOf(test_case_id, more), metrics };
};

const times = (count: number, outcome: CaseOutcome, from = 0): ComparedCase[] =>
  Array.from({ length: count }, (_, index) => compared(outcome, from + index));

const accuracy = (effect: number, p: number, n = 1_000): ComparedMetric => ({
  metric: 'accuracy',
  comparison: {
    ...{ test: 'mcnemar_mid_p', statistic: -3, p, scale: 'difference', effect, confidence: 0.95, n },
    interval: { lower: effect - 0.005, upper: effect + 0.005 },
  } satisfies Comparison,
});

describe('cases that passed before', () => {
  it.each<[number, number, Severity]>([
    [0, 20, 'none'],
    [1, 20, 'low'],
    [2, 20, 'low'],
    [3, 20, 'medium'],
    [5, 20, 'medium'],
    [6, 20, 'high'],
    [1, 1, 'high'],
    [1, 1000, 'low'],
  ])('%d of %d that no longer do are %s', (lost, all, severity) => {
    const { regression_severity, regression_detected, comparisons } = compareRun(
      [...times(lost, 'failed'), ...times(all - lost, 'passed', lost)],
      policy,
    );
    expect({ regression_severity, regression_detected }).toEqual({ regression_severity: severity, regression_detected: lost > 0 });
    expect(comparisons.filter(({ verdict }) => verdict === 'regressed')).toHaveLength(lost);
    expect(comparisons[0]).toMatchObject({ metric: 'outcome', test: null, p: null, n: all, effect: lost / all });
  });

  it('have regressed also when they could not be judged, by the shares of the policy', () => {
    const cases = [compared('error'), ...times(9, 'passed', 1)];
    expect(compareRun(cases, policy)).toMatchObject({ regression_severity: 'low', regressed_test_case_ids: ['case_0'] });
    expect(compareRun(cases, { ...policy, cases: { medium: 0, high: 0.05 } }).regression_severity).toBe('high');
  });

  it('are not compared without a baseline, nor with one of another revision', () => {
    const changed = compared('failed', 0, [], { revision: 2 });
    const fresh: ComparedCase = { ...compared('failed', 1), baseline: null };
    const { comparisons, ...run } = compareRun([changed, fresh], policy);
    expect(run).toEqual({ regression_detected: false, regression_severity: 'none', baseline_run_id: null, regressed_test_case_ids: [] });
    expect(comparisons.map(({ verdict, baseline_run_id }) => [verdict, baseline_run_id])).toEqual([
      ['not_compared', 'validation_a_1'],
      ['not_compared', null],
    ]);
    expect(comparisons[0]!.reason).toBe('the baseline judged revision 2 of case_0, this run revision 1');
  });

  it('name their baseline run where there is one only', () => {
    expect(compareRun(times(2, 'passed'), policy).baseline_run_id).toBe('validation_a_1');
    const two = [compared('passed'), compared('passed', 1, [], { run_id: 'validation_a_2' })];
    expect(compareRun(two, policy).baseline_run_id).toBeNull();
  });
});

describe('metrics', () => {
  const judged = (...metrics: ComparedMetric[]) => compareRun([compared('passed', 0, metrics)], policy);

  it.each<[string, ComparedMetric, string, Severity]>([
    ['significant and large', accuracy(-0.05, 0.001), 'regressed', 'medium'],
    ['significant and very large', accuracy(-0.2, 0.001), 'regressed', 'high'],
    ['significant and small', accuracy(-0.009, 0.001), 'no_difference', 'none'],
    ['large and not significant', accuracy(-0.05, 0.06, 100_000), 'no_difference', 'none'],
    ['large, of a handful of rows', accuracy(-0.5, 0.001, 10), 'too_little_data', 'none'],
    ['better', accuracy(0.05, 0.001), 'improved', 'none'],
  ])('a difference that is %s', (_, metric, verdict, severity) => {
    const run = judged(metric);
    expect(run.comparisons[1]).toMatchObject({ metric: 'accuracy', verdict, severity });
    expect(run).toMatchObject({ regression_detected: verdict === 'regressed', regression_severity: severity });
  });

  it('are one family: what is significant alone may not be among others', () => {
    const [alone, among] = [judged(accuracy(-0.05, 0.04)), judged(accuracy(-0.05, 0.04), accuracy(0, 1))];
    expect([alone.regression_detected, among.regression_detected]).toEqual([true, false]);
    expect(among.comparisons[1]!.p_adjusted).toBe(0.08);
  });

  it('say why there is no figure, and of how many rows there would be', () => {
    const { comparisons } = judged(
      { metric: 'auc', comparison: { reason: 'one_class_only' } },
      { metric: 'latency', comparison: { reason: 'too_few_rows' } },
      { metric: 'mae', comparison: { not_compared: 'the baseline judged another data set' } },
      accuracy(-0.5, 0.001, 10),
    );
    expect(comparisons.slice(1).map(({ verdict, reason }) => [verdict, reason])).toEqual([
      ['not_compared', 'all rows have the same label'],
      ['too_little_data', 'there are too few rows for this figure to be defined'],
      ['not_compared', 'the baseline judged another data set'],
      ['too_little_data', 'n is 10; a worsening of the smallest band (share) would be found with about 20, among 3 comparisons'],
    ]);
  });

  it('make the run as bad as the worst of them; fewer alarms with a smaller alpha and wider bands', () => {
    const effect = fc.double({ min: -0.3, max: 0.3, noNaN: true });
    const metric = fc.tuple(effect, fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 1, max: 5_000 }));
    fc.assert(
      fc.property(fc.array(metric, { maxLength: 8 }), (all) => {
        const run = judged(...all.map((one) => accuracy(...one)));
        const worst = Math.max(...run.comparisons.map(({ severity }) => severities.indexOf(severity)));
        expect(run.regression_severity).toBe(severities[worst]);
        expect(run.regression_detected).toBe(worst > 0);
        expect(run.regressed_test_case_ids).toEqual(worst > 0 ? ['case_0'] : []);
        for (const { severity, verdict, p, p_adjusted } of run.comparisons) {
          expect(severity !== 'none').toBe(verdict === 'regressed');
          expect((p_adjusted ?? 1) >= (p ?? 0)).toBe(true);
        }
        const share = { low: 0.02, medium: 0.06, high: 0.2 };
        const strict = compareRun(
          [
            compared(
              'passed',
              0,
              all.map((one) => accuracy(...one)),
            ),
          ],
          {
            ...policy,
            alpha: 0.01,
            bands: { ...policy.bands, share },
          },
        );
        expect(severities.indexOf(strict.regression_severity)).toBeLessThanOrEqual(worst);
      }),
    );
  });
});

describe('the bands of a policy', () => {
  it('do not fall', () => {
    expect(policyProblems(policy)).toEqual([]);
    const bands = { ...policy.bands, error: { low: 0.2, medium: 0.1, high: 0.05 } };
    expect(policyProblems({ bands, cases: { medium: 0.5, high: 0.4 } }).map(({ field }) => field)).toEqual([
      'bands.error.medium',
      'bands.error.high',
      'cases.high',
    ]);
  });
});

import { type Baseline } from '#contracts/baseline.js';
import { type CaseResult } from '#contracts/case-result.js';
import { type CaseComparison, type Severity } from '#contracts/comparison.js';
import { type ComparisonRules } from '#contracts/policy.js';
import { type Comparison, type Reason, reasons, type Unmeasurable } from '#statistics/comparison.js';
import { type Case, judge, type Judged } from '#statistics/difference.js';

/** One metric of a case that both runs have: what a test said, or why there is none. */
export interface ComparedMetric {
  metric: string;
  comparison: Comparison | Unmeasurable | { not_compared: string };
}

/** A case of the run, its baseline, and what was compared of them. */
export interface ComparedCase {
  result: Pick<CaseResult, 'test_case_id' | 'outcome' | 'revision'>;
  baseline: Baseline | null;
  metrics: ComparedMetric[];
}

export interface RunComparison {
  regression_detected: boolean;
  regression_severity: Severity;
  baseline_run_id: string | null;
  regressed_test_case_ids: string[];
  comparisons: CaseComparison[];
}

const readings: Record<string, { worse: Case['worse']; bands: keyof ComparisonRules['bands'] }> = {
  accuracy: { worse: 'lower', bands: 'share' },
  precision: { worse: 'lower', bands: 'share' },
  recall: { worse: 'lower', bands: 'share' },
  f1: { worse: 'lower', bands: 'share' },
  auc: { worse: 'lower', bands: 'share' },
  r2: { worse: 'lower', bands: 'share' },
  calibration_error: { worse: 'higher', bands: 'share' },
  log_loss: { worse: 'higher', bands: 'error' },
  brier: { worse: 'higher', bands: 'error' },
  mae: { worse: 'higher', bands: 'error' },
  rmse: { worse: 'higher', bands: 'error' },
  mape: { worse: 'higher', bands: 'error' },
  latency: { worse: 'higher', bands: 'latency' },
  p95_ms: { worse: 'higher', bands: 'latency' },
  p99_ms: { worse: 'higher', bands: 'latency' },
  error_rate: { worse: 'higher', bands: 'failures' },
};

/** Effects that are a difference in units of the baseline's mean. */
const relative = new Set(['mae', 'mape']);

/** There is data, and not enough of it for the test. */
const tooFew = new Set<Reason>(['no_rows', 'too_few_rows', 'too_sparse']);

/** Why a case cannot be held against its baseline at all, or null. */
export function notComparable({ test_case_id, revision }: ComparedCase['result'], baseline: Baseline | null): string | null {
  if (!baseline) return 'the case has no baseline: no stable version of the name has passed it, and none is pinned';
  const judged = revision ?? 1;
  if (judged === baseline.revision) return null;
  return `the baseline judged revision ${baseline.revision} of ${test_case_id}, this run revision ${judged}`;
}

/**
 * All comparisons of a run, in the order of its cases: of each first whether it passed, then its metrics. A case that passed before and does not
 * now has regressed, by itself; a metric has where the difference is significant in the whole run (Holm) and at least as large as the policy's
 * smallest band. The severity of the run is the worst of them. Of the cases that no longer pass it is their share among those compared.
 */
export function compareRun(cases: readonly ComparedCase[], policy: ComparisonRules): RunComparison {
  const outcomes = cases.filter(({ result, baseline }) => notComparable(result, baseline) === null);
  const lost = outcomes.filter(({ result }) => result.outcome !== 'passed').length;
  const share = outcomes.length ? lost / outcomes.length : 0;
  const outcomeSeverity = severityOfShare(share, policy);
  const tested = cases.flatMap(({ metrics }) => metrics.flatMap((metric) => ('not_compared' in metric.comparison ? [] : [metric])));
  const family = tested.map(({ metric, comparison }) => ({
    comparison: comparison as Comparison | Unmeasurable,
    worse: readings[metric]!.worse,
    bands: policy.bands[readings[metric]!.bands],
  }));
  const judged = new Map(judge(family, policy).map((verdict, index) => [tested[index], verdict]));

  const comparisons = cases.flatMap(({ result, baseline, metrics }) => {
    const head = {
      ...unknown,
      test_case_id: result.test_case_id,
      baseline_run_id: baseline?.run_id ?? null,
      baseline_model_id: baseline?.model_id ?? null,
    };
    const reason = notComparable(result, baseline);
    const outcome: CaseComparison =
      reason !== null
        ? { ...head, metric: 'outcome', reason }
        : result.outcome === 'passed'
          ? { ...head, ...ofOutcomes, effect: 0, n: outcomes.length, verdict: 'no_difference' }
          : { ...head, ...ofOutcomes, effect: share, n: outcomes.length, verdict: 'regressed', severity: outcomeSeverity };
    return [outcome, ...metrics.map((metric) => ({ ...head, metric: metric.metric, ...shown(metric, judged.get(metric), family.length) }))];
  });

  const regressed = comparisons.filter(({ verdict }) => verdict === 'regressed');
  const runs = new Set(outcomes.map(({ baseline }) => baseline!.run_id));
  return {
    regression_detected: regressed.length > 0,
    regression_severity: worst(regressed.map(({ severity }) => severity)),
    baseline_run_id: runs.size === 1 ? [...runs][0]! : null,
    regressed_test_case_ids: [...new Set(regressed.map(({ test_case_id }) => test_case_id))],
    comparisons,
  };
}

const unknown: Omit<CaseComparison, 'test_case_id' | 'metric'> = {
  ...{ baseline_run_id: null, baseline_model_id: null, test: null, statistic: null, p: null, p_adjusted: null },
  ...{ effect: null, effect_kind: null, confidence_interval: null, n: null, severity: 'none', verdict: 'not_compared', reason: '' },
};

const ofOutcomes = { metric: 'outcome', effect_kind: 'share_of_cases' } as const;

function severityOfShare(share: number, { cases }: ComparisonRules): Severity {
  if (share === 0) return 'none';
  if (share <= cases.medium) return 'low';
  return share <= cases.high ? 'medium' : 'high';
}

const order: Severity[] = ['none', 'low', 'medium', 'high'];

const worst = (severities: Severity[]): Severity => order[Math.max(0, ...severities.map((severity) => order.indexOf(severity)))]!;

function shown(
  { metric, comparison }: ComparedMetric,
  judged: ReturnType<typeof judge>[number] | undefined,
  comparisons: number,
): Partial<CaseComparison> {
  if ('not_compared' in comparison) return { reason: comparison.not_compared };
  if ('reason' in comparison || !judged || judged.outcome === 'not_measured') {
    const { reason } = comparison as Unmeasurable;
    return { verdict: tooFew.has(reason) ? 'too_little_data' : 'not_compared', reason: reasons[reason] };
  }
  const { test, statistic, p, scale, effect, interval, n } = comparison;
  const { bands } = readings[metric]!;
  return {
    ...{ test, statistic, p, p_adjusted: judged.p_adjusted, effect, n, severity: judged.severity },
    effect_kind: relative.has(metric) ? 'relative' : scale,
    confidence_interval: [interval.lower, interval.upper],
    verdict: verdictOf[judged.outcome],
    reason: judged.outcome === 'too_little_data' ? needed(n, judged.n_needed, comparisons, bands) : '',
  };
}

const verdictOf = {
  regression: 'regressed',
  improvement: 'improved',
  no_difference: 'no_difference',
  too_little_data: 'too_little_data',
} as const satisfies Record<Judged['outcome'], CaseComparison['verdict']>;

const needed = (n: number, wanted: number, comparisons: number, bands: string): string =>
  `n is ${n}; a worsening of the smallest band (${bands}) would be found with about ${wanted}, among ${comparisons} comparisons`;

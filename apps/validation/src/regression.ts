import type { CaseOutcome } from '#contracts/case-result.js';
import type { NightlyResult, RegressionReport, Severity, Trend } from '#contracts/validation.js';

/** The recent runs of a report: the newest third, but at least this many. */
export const minRecentRuns = 3;

const dayMs = 86_400_000;

export interface RunCounts {
  passed_tests: number;
  failed_tests: number;
  error_tests: number;
}

/** `failed` when a case failed, else `error` when one could not be judged or there was none, else `passed`. */
export function runStatus({ passed_tests, failed_tests, error_tests }: RunCounts): CaseOutcome {
  if (failed_tests > 0) return 'failed';
  return error_tests > 0 || passed_tests === 0 ? 'error' : 'passed';
}

/** A finished run, as far as a report needs it. */
export interface ReportedRun {
  /** RFC 3339. */
  started_at: string;
  regression_detected: boolean;
  regression_severity: Severity;
}

const countRegressions = (runs: readonly ReportedRun[]): number => runs.filter(({ regression_detected }) => regression_detected).length;

/** 0..1, rounded to 4 decimals; 0 of nothing is 0. */
const rate = (part: number, whole: number): number => (whole === 0 ? 0 : Math.round((part / whole) * 10_000) / 10_000);

/**
 * The report over the finished runs that started in the last `days` days: now − days × 24 h < started_at ≤ now; `now` in epoch
 * milliseconds. Recent is the newest third of them, rounded up, at least 3 runs, at most all. Rates are shares 0..1 of 4 decimals.
 * The trend compares the recent share with that of all runs before rounding: larger is degrading, smaller improving, equal stable.
 * last_validation is when the newest run started, null without runs.
 */
export function regressionReport(
  runs: readonly ReportedRun[],
  { now, days }: { now: number; days: number },
): Omit<RegressionReport, 'model_id' | 'period_days' | 'last_run_id' | 'last_comparisons'> {
  const startOf = ({ started_at }: ReportedRun): number => Date.parse(started_at);
  const counted = runs.filter((run) => startOf(run) > now - days * dayMs && startOf(run) <= now).sort((a, b) => startOf(b) - startOf(a));
  const recent = counted.slice(0, Math.max(minRecentRuns, Math.ceil(counted.length / 3)));
  const regressions = countRegressions(counted);
  const recentRegressions = countRegressions(recent);
  const withSeverity = (severity: Severity): number => counted.filter(({ regression_severity }) => regression_severity === severity).length;

  // Cross-multiplied: whole numbers compare exactly.
  const change = Math.sign(recentRegressions * counted.length - regressions * recent.length);
  const trend: Trend = change > 0 ? 'degrading' : change < 0 ? 'improving' : 'stable';
  return {
    total_validation_runs: counted.length,
    runs_with_regression: regressions,
    regression_rate: rate(regressions, counted.length),
    recent_regression_rate: rate(recentRegressions, recent.length),
    trend,
    last_validation: counted[0]?.started_at ?? null,
    severity_breakdown: { high: withSeverity('high'), medium: withSeverity('medium'), low: withSeverity('low') },
  };
}

/** One finished run per model, counted as the API document's answer to a nightly run. */
export function nightlySummary(runs: readonly { status: CaseOutcome; regression_detected: boolean }[]): NightlyResult {
  const withStatus = (wanted: CaseOutcome): number => runs.filter(({ status }) => status === wanted).length;
  return {
    models_processed: runs.length,
    results_summary: {
      passed: withStatus('passed'),
      failed: withStatus('failed'),
      errors: withStatus('error'),
      regressions_detected: runs.filter(({ regression_detected }) => regression_detected).length,
    },
  };
}

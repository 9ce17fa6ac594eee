import type { CaseOutcome } from '#contracts/case-result.js';
import type { Severity } from '#contracts/validation.js';
import { nightlySummary, regressionReport, type ReportedRun, runStatus } from './regression.js';

const times = (count: number, outcome: CaseOutcome): CaseOutcome[] => Array.from({ length: count }, () => outcome);

describe('status of a run', () => {
  it.each<[number, number, number, CaseOutcome]>([
    [3, 0, 0, 'passed'],
    [3, 1, 0, 'failed'],
    [3, 0, 1, 'error'],
    [0, 1, 5, 'failed'],
    [0, 0, 0, 'error'],
  ])('with %d passed, %d failed and %d errors is %s', (passed_tests, failed_tests, error_tests, status) => {
    expect(runStatus({ passed_tests, failed_tests, error_tests })).toBe(status);
  });
});

describe('regression report', () => {
  const now = Date.parse('2026-11-24T12:00:00Z');
  const hoursAgo = (hours: number): string => new Date(now - hours * 3_600_000).toISOString();

  /** Runs six hours apart, newest first. */
  const runs = (severities: Severity[]): ReportedRun[] =>
    severities.map((regression_severity, index) => ({
      started_at: hoursAgo(index * 6),
      regression_detected: regression_severity !== 'none',
      regression_severity,
    }));
  const clean = (count: number): Severity[] => Array.from({ length: count }, () => 'none');
  const report = (severities: Severity[], days = 7): ReturnType<typeof regressionReport> =>
    regressionReport(runs(severities), { now, days });

  it('has the fields of the API document for seven clean runs', () => {
    expect(report(clean(7))).toEqual({
      total_validation_runs: 7,
      runs_with_regression: 0,
      regression_rate: 0,
      recent_regression_rate: 0,
      trend: 'stable',
      last_validation: '2026-11-24T12:00:00.000Z',
      severity_breakdown: { high: 0, medium: 0, low: 0 },
    });
  });

  it('is zero, stable and without a last validation when there are no runs', () => {
    expect(report([])).toEqual({
      total_validation_runs: 0,
      runs_with_regression: 0,
      regression_rate: 0,
      recent_regression_rate: 0,
      trend: 'stable',
      last_validation: null,
      severity_breakdown: { high: 0, medium: 0, low: 0 },
    });
  });

  it('counts severities and rounds rates to four decimals', () => {
    expect(report(['high', 'none', 'low', 'low', 'medium', 'none', 'none'])).toMatchObject({
      runs_with_regression: 4,
      regression_rate: 0.5714,
      recent_regression_rate: 0.6667,
      severity_breakdown: { high: 1, medium: 1, low: 2 },
    });
  });

  it('takes the newest third, rounded up, as recent, and never fewer than three', () => {
    expect(report(['low', 'low', 'low', ...clean(7)]).recent_regression_rate).toBe(0.75);
    expect(report(['low', 'low', 'low', ...clean(6)]).recent_regression_rate).toBe(1);
    expect(report(['low', ...clean(3)]).recent_regression_rate).toBe(0.3333);
    expect(report(['low', 'none']).recent_regression_rate).toBe(0.5);
  });

  it('is degrading when the recent share is larger, improving when smaller, stable when equal', () => {
    expect(report(['low', ...clean(8)]).trend).toBe('degrading');
    expect(report([...clean(8), 'low']).trend).toBe('improving');
    expect(report(['low', 'none', 'none', 'low', 'none', 'none', 'low', 'none', 'none']).trend).toBe('stable');
    expect(report(['low', 'low']).trend).toBe('stable');
  });

  it('compares the shares before rounding', () => {
    const rare = runs([...clean(10_000), 'low', ...clean(9_999), 'low', ...clean(9_999)]);
    expect(regressionReport(rare, { now, days: 10_000 })).toMatchObject({
      regression_rate: 0.0001,
      recent_regression_rate: 0,
      trend: 'improving',
    });
    const equal = { regression_rate: 0, recent_regression_rate: 0, trend: 'improving' };
    expect(regressionReport(runs([...clean(25_000), 'low']), { now, days: 10_000 })).toMatchObject(equal);
  });

  it('looks at the runs of the period only, whatever their order', () => {
    const at = (started_at: string, regression_severity: Severity): ReportedRun => ({
      started_at,
      regression_detected: regression_severity !== 'none',
      regression_severity,
    });
    const mixed = [
      at(hoursAgo(24), 'high'),
      at(hoursAgo(23.9), 'low'),
      at(hoursAgo(-1), 'high'),
      at(hoursAgo(1), 'none'),
      at(hoursAgo(30), 'high'),
    ];
    expect(regressionReport(mixed, { now, days: 1 })).toMatchObject({
      total_validation_runs: 2,
      runs_with_regression: 1,
      last_validation: hoursAgo(1),
      severity_breakdown: { high: 0, medium: 0, low: 1 },
    });
    expect(mixed[0]?.started_at).toBe(hoursAgo(24));
  });
});

describe('nightly summary', () => {
  it('counts the runs by status as in the API document', () => {
    const run = (status: CaseOutcome, regression_detected = false): { status: CaseOutcome; regression_detected: boolean } => ({
      status,
      regression_detected,
    });
    expect(nightlySummary([...times(10, 'passed').map((status) => run(status)), run('failed', true), run('error')])).toEqual({
      models_processed: 12,
      results_summary: { passed: 10, failed: 1, errors: 1, regressions_detected: 1 },
    });
    expect(nightlySummary([])).toEqual({
      models_processed: 0,
      results_summary: { passed: 0, failed: 0, errors: 0, regressions_detected: 0 },
    });
  });
});

import { type ModelHealth } from '#contracts/metrics.js';
import { countsLine, metricsTable, percentilesLine, type Replayed, validationTable } from './report.js';

const published = Array.from({ length: 100 }, (_, index) => index + 1);

const replayed = (before: number, total_inferences: number): Replayed => ({
  before,
  published,
  after: {
    name: 'Prop Predictor',
    version: '2.1.0',
    status: 'stable',
    health_status: 'healthy',
    total_inferences,
    success_rate: 99.7,
    percentiles: { p50: 50.25, p95: 94.05, p99: 99 },
  } as ModelHealth,
});

describe('metricsTable', () => {
  it('shows how far each percentile is from the exact one of a model that had nothing before', () => {
    const [head, row] = metricsTable([replayed(0, 100)]).split('\n');
    expect(head).toMatch(/^ {2}model +status +inferences +success +p50 ms +p95 ms +p99 ms +health$/);
    expect(row).toBe('  Prop Predictor 2.1.0  stable  100         99.70 %  50.3 (+0.50 %)  94.0 (-1.00 %)  99.0 (+0.00 %)  healthy');
  });

  it('compares nothing where earlier inferences are counted in', () => {
    const table = metricsTable([replayed(7, 107)]);
    expect(table).toContain('50.3    94.0    99.0');
    expect(table).not.toContain('(');
  });
});

describe('countsLine', () => {
  it('says exact when every model grew by what was published to it', () => {
    expect(countsLine([replayed(0, 100), replayed(7, 107)])).toBe('counts: exact (200 published, each counted once)');
  });

  it.each([
    [99, 'counts: Prop Predictor 2.1.0 grew by 99, published were 100'],
    [101, 'counts: Prop Predictor 2.1.0 grew by 101, published were 100'],
  ])('names the model that grew by %d', (grown, line) => {
    expect(countsLine([replayed(0, 100), replayed(5, 5 + grown)])).toBe(line);
  });
});

describe('percentilesLine', () => {
  it('explains the brackets when there are some', () => {
    expect(percentilesLine([replayed(0, 100), replayed(7, 107)])).toContain('exact nearest-rank');
  });

  it('says why there are none after an earlier replay', () => {
    expect(percentilesLine([replayed(7, 107)])).toContain('all replays so far');
  });
});

describe('validationTable', () => {
  it('has a line for each run with its outcome', () => {
    const run = {
      run_id: 'run_1',
      status: 'failed' as const,
      total_tests: 3,
      passed_tests: 2,
      failed_tests: 1,
      error_tests: 0,
      regression_detected: true,
      regression_severity: 'high' as const,
    };
    const row = validationTable([{ model: { name: 'Prop Predictor', version: '2.1.0' }, protocol: 'oip_v2', run }]).split('\n')[1];
    expect(row?.trim().split(/ {2,}/)).toEqual(['Prop Predictor 2.1.0', 'oip_v2', 'failed', '2 of 3 passed', 'high']);
  });
});

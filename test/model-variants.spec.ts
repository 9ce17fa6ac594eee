import { type Baseline } from '#contracts/baseline.js';
import { type CaseResult } from '#contracts/case-result.js';
import { type DataSet } from '#contracts/data-set.js';
import { type Model } from '#contracts/registry.js';
import { type NewTestCase } from '#contracts/test-case.js';
import { type Run, type RunResult } from '#contracts/validation.js';
import { heldOutRows } from '../examples/model-server/long-answers.mjs';
import { type ModelServer, startModelServer, type Variant } from '../examples/model-server/server.mjs';
import { type Api, eventually, type ReachableSuite } from './api.harness.js';
import { storySuite } from './story-suite.harness.js';

const name = 'Long answers';
const applies_to = { name };
/** The OIP v2 request about one prompt. */
const about = (context_tokens: unknown): object[] => [{ name: 'features', datatype: 'FP64', shape: [1, 1], data: [context_tokens] }];
const says = (long: boolean): NewTestCase['expectations'] => [{ path: '$.outputs[0].data[0]', op: 'equals', value: long }];

const casesOn = (data_set_id: string): NewTestCase[] => [
  { test_case_id: 'long_answers_smoke', type: 'smoke', applies_to, input: about(1_000) },
  { test_case_id: 'long_answers_unit', type: 'unit', applies_to, input: about(300), expectations: says(false) },
  {
    test_case_id: 'long_answers_performance',
    type: 'performance',
    applies_to,
    input: about(1_000),
    load: { concurrency: 8, requests: 40, limits: { p50_ms: 400 } },
  },
  {
    test_case_id: 'long_answers_regression',
    type: 'regression',
    applies_to,
    input: about({ $from: 'row', path: '$.context_tokens' }),
    data: {
      data_set_id,
      label_path: '$.long',
      prediction_path: '$.outputs[0].data[0]',
      score_path: '$.outputs[1].data[0]',
      metrics: ['accuracy', 'brier', 'auc'],
      concurrency: 20,
      max_rows: 100,
    },
  },
];

let suite: ReachableSuite;
let api: Api;
let data_set_id: string;
let cases: NewTestCase[];
const servers: ModelServer[] = [];

beforeAll(async () => {
  suite = await storySuite();
  api = suite.api;
  const headers = { 'content-type': 'application/x-ndjson' };
  const dataSet = await api.data<DataSet>('/validation/datasets?name=held-out', { method: 'POST', body: heldOutRows(), headers });
  expect(dataSet).toMatchObject({ rows: 5_366, columns: ['context_tokens', 'long'] });
  ({ data_set_id } = dataSet);
  cases = casesOn(data_set_id);
  for (const body of cases) await api.data('/validation/cases', { method: 'POST', body });
});
afterAll(() => Promise.all(servers.map((server) => server.close())));

async function version(number: string, variant: Variant): Promise<Model> {
  const server = await startModelServer({ variant });
  servers.push(server);
  return api.register({ name, version: number, serving: { protocol: 'oip_v2', url: server.url, model_name: 'long-answers' } });
}

async function validated({ model_id }: Model): Promise<Run> {
  // Others have made cases for every model.
  const body = { model_id, test_case_ids: cases.map(({ test_case_id }) => test_case_id) };
  const { run_id } = await api.data<RunResult>('/validation/run', { method: 'POST', body });
  return api.data(`/validation/runs/${run_id}`);
}

/** Outcomes by type of case. */
const outcomesOf = ({ results }: Run): Record<string, CaseResult['outcome']> =>
  Object.fromEntries(results.map(({ type = 'unit', outcome }) => [type, outcome]));

const move = ({ model_id }: Model, to: string): { path: string; request: object } => ({
  path: `/registry/${model_id}/status`,
  request: { method: 'POST', body: { to, reason: 'a story' } },
});

/** The share of the held-out rows that a run's model was right about. */
const accuracyIn = ({ results }: Run): number => Number(results.find(({ type }) => type === 'regression')?.metrics?.accuracy);

describe('a model trained on real requests', () => {
  it('passes every type of case as its good version, and becomes stable through the gate', async () => {
    const good = await version('1.0.0', 'good');
    const run = await validated(good);
    expect(run.results.map(({ reason }) => reason)).toEqual(['', '', '', '']);
    expect(run).toMatchObject({ status: 'passed', total_tests: 4, passed_tests: 4, regression_severity: 'none' });
    expect(accuracyIn(run)).toBeGreaterThan(0.9);
    for (const to of ['canary', 'stable']) {
      const { path, request } = move(good, to);
      expect(await api.data(path, request)).toMatchObject({ status: to });
    }
    await eventually(
      () => api.data<Baseline[]>(`/validation/baselines?name=${encodeURIComponent(name)}`),
      (baselines) => baselines.filter(({ run_id }) => run_id === run.run_id).length === cases.length,
      15_000,
    );
  });

  it('is caught by the performance case alone as a slower version, and not promoted', async () => {
    const slow = await version('1.1.0', 'slow');
    const run = await validated(slow);
    expect(outcomesOf(run)).toEqual({ smoke: 'passed', unit: 'passed', performance: 'failed', regression: 'passed' });
    const { measured, reason } = run.results.find(({ type }) => type === 'performance')!;
    expect(measured?.p50_ms).toBeGreaterThan(490);
    expect(reason).toContain('p50_ms');
    expect(run).toMatchObject({
      status: 'failed',
      regression_detected: true,
      regression_severity: 'high',
      regressed_test_case_ids: ['long_answers_performance'],
    });
    const latency = run.comparisons.find(({ metric }) => metric === 'latency');
    expect(latency).toMatchObject({ test: 'mann_whitney', effect_kind: 'ratio', verdict: 'regressed', severity: 'high' });
    const { path, request } = move(slow, 'canary');
    expect(await api.failure(path, request)).toMatchObject({ status: 422, code: 'GATE_NOT_PASSED' });
  });

  it('is caught by the smoke and unit cases as a failing version, though its health is well, and not promoted', async () => {
    const failing = await version('1.2.0', 'failing');
    const run = await validated(failing);
    expect(outcomesOf(run)).toEqual({ smoke: 'error', unit: 'error', performance: 'error', regression: 'error' });
    for (const { reason } of run.results) expect(reason).toContain('500');
    expect(run).toMatchObject({ status: 'error', error_tests: 4, regression_detected: true, regression_severity: 'high' });
    const { path, request } = move(failing, 'canary');
    expect(await api.failure(path, request)).toMatchObject({ status: 422, code: 'GATE_NOT_PASSED' });
  });

  it('is told by the rows of the regression case as a less accurate version, whose answers are quick and well formed', async () => {
    const inaccurate = await version('1.3.0', 'inaccurate');
    const run = await validated(inaccurate);
    expect(outcomesOf(run)).toEqual({ smoke: 'passed', unit: 'passed', performance: 'passed', regression: 'passed' });
    expect(accuracyIn(run)).toBeLessThan(0.7);
    expect(run).toMatchObject({
      status: 'passed',
      regression_detected: true,
      regression_severity: 'high',
      // A machine that other tests keep busy can be slower now than it was for the baseline.
      regressed_test_case_ids: expect.arrayContaining(['long_answers_regression']) as string[],
    });
    const accuracy = run.comparisons.find(({ metric }) => metric === 'accuracy');
    expect(accuracy).toMatchObject({ effect_kind: 'difference', n: 100, verdict: 'regressed', severity: 'high' });
    const [canary, stable] = [move(inaccurate, 'canary'), move(inaccurate, 'stable')];
    await api.data(canary.path, canary.request);
    expect(await api.failure(stable.path, stable.request)).toMatchObject({
      code: 'GATE_NOT_PASSED',
      details: { requirements: [{ requirement: 'no_high_regression', met: false }] },
    });
  });
});

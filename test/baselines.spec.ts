import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { type AuditEntry } from '#contracts/audit.js';
import { type Baseline, type Unpinned } from '#contracts/baseline.js';
import { type CaseComparison } from '#contracts/comparison.js';
import { type DataSet } from '#contracts/data-set.js';
import { type ValidationPolicy } from '#contracts/policy.js';
import { type Model } from '#contracts/registry.js';
import { type RegressionReport, type Run, type RunResult } from '#contracts/validation.js';
import { type Api, eventually } from './api.harness.js';
import { TestSuite } from './suite.harness.js';

// Of its own: in the shared one there are cases that apply to every model, and nights that judge every stable one.
let suite: TestSuite;
let api: Api;
let server: Server;
let url: string;

/** How a version answers: what it says of row x (a label is x % 2 === 0, a number 100 + x), and after how many milliseconds. */
interface Answers {
  wrong: (x: number) => boolean;
  off: number;
  after_ms: number;
}
const versions = new Map<string, Answers>();

/** So many of each hundred rows, spread over them; the first ones are the same however many. */
const ofHundred = (wrong: number) => (x: number) => (x * 37) % 100 < wrong;

beforeAll(async () => {
  suite = await TestSuite.start();
  api = suite.api;
  server = createServer((asked, response) => {
    void (async () => {
      let text = '';
      for await (const chunk of asked) text += String(chunk);
      const { x = 0 } = JSON.parse(text) as { x?: number };
      const { wrong, off, after_ms } = versions.get(asked.url ?? '')!;
      const out = (x % 2 === 0) !== wrong(x);
      const number = 100 + x + off * (1 + (x % 7)) * (x % 2 === 0 ? 1 : -1);
      const answer = JSON.stringify({ out, p: 0.6 + 0.3 * Math.abs(Math.sin(x)), number });
      setTimeout(() => response.writeHead(200, { 'content-type': 'application/json' }).end(answer), after_ms * (1 + (x % 3) / 10));
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await suite.close();
});

const served = (path: string, answers: Partial<Answers> = {}): { serving: { protocol: 'http_json'; url: string } } => {
  versions.set(path, { wrong: ofHundred(8), off: 1, after_ms: 0, ...answers });
  return { serving: { protocol: 'http_json', url: url + path } };
};

async function upload(rows: number, salt: string): Promise<string> {
  const lines = Array.from({ length: rows }, (_, x) => `${x},${x % 2 === 0},${100 + x},${salt}`);
  const { status, body } = await api.send('/validation/datasets', {
    method: 'POST',
    body: `x,out,number,salt\n${lines.join('\n')}\n`,
    headers: { 'content-type': 'text/csv' },
  });
  if (status !== 200) throw new Error(JSON.stringify(body));
  return (body as { data: DataSet }).data.data_set_id;
}

const addCase = (test_case_id: string, name: string, more: object): Promise<unknown> =>
  api.data('/validation/cases', { method: 'POST', body: { test_case_id, applies_to: { name }, ...more } });

const rowsCase = (data_set_id: string, metrics: string[], field: 'out' | 'number' = 'out'): object => ({
  type: 'regression',
  input: { x: { $from: 'row', path: '$.x' } },
  data: {
    ...{ data_set_id, label_path: `$.${field}`, prediction_path: `$.${field}`, metrics, concurrency: 8 },
    ...(field === 'out' && { score_path: '$.p' }),
  },
});

async function run({ model_id }: Model, test_case_ids?: string[]): Promise<Run> {
  const { run_id } = await api.data<RunResult>('/validation/run', {
    method: 'POST',
    body: { model_id, ...(test_case_ids && { test_case_ids }) },
  });
  return api.data(`/validation/runs/${run_id}`);
}

const baselinesOf = (name: string, as = api): Promise<Baseline[]> => as.data(`/validation/baselines?name=${encodeURIComponent(name)}`);

const storedRun = (name: string, run_id: string): Promise<Baseline[]> =>
  eventually(
    () => baselinesOf(name),
    (found) => found.length > 0 && found.every((baseline) => baseline.run_id === run_id),
  );

const of = (judged: Run, metric: string): CaseComparison => judged.comparisons.find((comparison) => comparison.metric === metric)!;

describe('a labelled data set', () => {
  const name = 'Judged by rows';
  let stable: Model;
  let baseline: Run;

  beforeAll(async () => {
    const data_set_id = await upload(400, 'rows');
    stable = await api.registerAs('stable', { name, version: '1.0.0', ...served('/rows-1') });
    await addCase('rows', name, rowsCase(data_set_id, ['accuracy', 'f1', 'brier', 'auc']));
    await addCase('numbers', name, rowsCase(data_set_id, ['mae', 'rmse', 'r2', 'mape'], 'number'));
    baseline = await run(stable);
    await storedRun(name, baseline.run_id);
  });

  it('gives the figures of its metrics; the first run of the stable version is compared with nothing, and becomes the baseline', async () => {
    expect(baseline).toMatchObject({ status: 'passed', regression_detected: false, baseline_run_id: null, policy_revision: 1 });
    const [rows, numbers] = [
      baseline.results.find(({ test_case_id }) => test_case_id === 'rows')!,
      baseline.results.find(({ test_case_id }) => test_case_id === 'numbers')!,
    ];
    expect(rows.metrics).toMatchObject({ accuracy: 0.92, f1: expect.closeTo(0.92, 2) as number });
    expect(Object.keys(rows.metrics!).sort()).toEqual(['accuracy', 'auc', 'brier', 'f1']);
    expect(numbers.metrics!.mae).toBeCloseTo(4, 1);
    expect(numbers.not_measured).toEqual({});
    expect(baseline.comparisons.map(({ metric, verdict }) => [metric, verdict])).toEqual([
      ['outcome', 'not_compared'],
      ['outcome', 'not_compared'],
    ]);
    expect(await baselinesOf(name)).toMatchObject([
      { name, test_case_id: 'numbers', model_id: stable.model_id, run_id: baseline.run_id, revision: 1, pinned_at: null },
      { name, test_case_id: 'rows', type: 'regression' },
    ]);
  });

  it('shows a candidate that is less accurate as a regression, with test, p, effect, interval, n and severity', async () => {
    const candidate = await api.register({ name, version: '1.1.0', ...served('/rows-worse', { wrong: ofHundred(13), off: 1.2 }) });
    const judged = await run(candidate);
    expect(judged).toMatchObject({
      status: 'passed',
      regression_detected: true,
      regression_severity: 'high',
      baseline_run_id: baseline.run_id,
    });
    expect(judged.regressed_test_case_ids.sort()).toEqual(['numbers', 'rows']);
    const accuracy = of(judged, 'accuracy');
    expect(accuracy).toMatchObject({
      ...{ test_case_id: 'rows', baseline_run_id: baseline.run_id, baseline_model_id: stable.model_id, test: 'mcnemar_exact' },
      ...{
        effect: expect.closeTo(-0.05, 10) as number,
        effect_kind: 'difference',
        n: 400,
        severity: 'medium',
        verdict: 'regressed',
        reason: '',
      },
    });
    expect(accuracy.statistic).toBeCloseTo(-Math.sqrt(20), 10);
    expect(accuracy.p).toBeLessThan(1e-5);
    expect(accuracy.p_adjusted).toBeGreaterThan(accuracy.p!);
    const report = await api.data<RegressionReport>(`/validation/regression-report/${candidate.model_id}`);
    expect([report.last_run_id, report.last_comparisons]).toEqual([judged.run_id, judged.comparisons]);
    const [lower, upper] = accuracy.confidence_interval!;
    expect([lower! < -0.05, upper! > -0.05, upper! < 0]).toEqual([true, true, true]);
    // Of all figures the worst counts: a Brier score moves further than an accuracy.
    expect(of(judged, 'brier')).toMatchObject({ test: 'paired_bootstrap', effect_kind: 'ratio', severity: 'high' });
    expect(of(judged, 'mae')).toMatchObject({ test: 'wilcoxon_normal', effect_kind: 'relative', verdict: 'regressed', severity: 'medium' });
    expect(of(judged, 'rmse')).toMatchObject({
      test: 'sign_flip',
      effect: expect.closeTo(1.2, 6) as number,
      effect_kind: 'ratio',
      severity: 'medium',
    });
    expect(judged.comparisons.filter(({ metric }) => metric === 'outcome').map(({ verdict }) => verdict)).toEqual([
      'no_difference',
      'no_difference',
    ]);
  });

  it('shows an equal candidate as no regression, and a better one as improved', async () => {
    const equal = await run(await api.register({ name, version: '1.2.0', ...served('/rows-equal') }));
    expect(equal).toMatchObject({ regression_detected: false, regression_severity: 'none', regressed_test_case_ids: [] });
    expect(new Set(equal.comparisons.map(({ verdict }) => verdict))).toEqual(new Set(['no_difference']));
    const better = await run(await api.register({ name, version: '1.3.0', ...served('/rows-better', { wrong: ofHundred(2), off: 0.5 }) }));
    expect(better.regression_detected).toBe(false);
    expect([of(better, 'accuracy').verdict, of(better, 'mae').verdict]).toEqual(['improved', 'improved']);
  });

  it('says what cannot be measured, and that a handful of rows is too little', async () => {
    const small = 'Judged by few rows';
    const data_set_id = await upload(8, 'few');
    await addCase('few_rows', small, rowsCase(data_set_id, ['accuracy', 'mae']));
    const first = await run(await api.registerAs('stable', { name: small, version: '1.0.0', ...served('/few-1') }));
    await storedRun(small, first.run_id);
    const judged = await run(await api.register({ name: small, version: '1.1.0', ...served('/few-2', { wrong: (x) => x < 4 }) }));
    expect(judged).toMatchObject({ regression_detected: false, regression_severity: 'none' });
    expect(judged.results[0]!.not_measured).toEqual({ mae: 'a value is not a finite number' });
    expect(of(judged, 'accuracy')).toMatchObject({ verdict: 'too_little_data', n: 8, severity: 'none' });
    expect(of(judged, 'accuracy').reason).toContain('n is 8');
    expect(of(judged, 'mae')).toMatchObject({ verdict: 'not_compared', reason: 'a value is not a finite number', p: null });
  });

  it('is not compared with what judged another revision of the case', async () => {
    const other = 'Judged by a changed case';
    await addCase('changing', other, { input: {}, expectations: [{ path: '$.number', op: 'exists' }] });
    const first = await run(await api.registerAs('stable', { name: other, version: '1.0.0', ...served('/changing-1') }));
    await storedRun(other, first.run_id);
    await api.data('/validation/cases/changing', { method: 'PATCH', body: { expectations: [{ path: '$.nothing', op: 'exists' }] } });
    const judged = await run(await api.register({ name: other, version: '1.1.0', ...served('/changing-2') }));
    expect(judged).toMatchObject({ status: 'failed', regression_detected: false });
    expect(judged.comparisons[0]).toMatchObject({
      verdict: 'not_compared',
      reason: expect.stringContaining('revision 1 of changing') as string,
    });
  });
});

describe('a performance case', () => {
  it('shows a slower candidate as a regression', async () => {
    const name = 'Judged by speed';
    await addCase('speed', name, { type: 'performance', input: {}, load: { concurrency: 20, requests: 100 } });
    const first = await run(await api.registerAs('stable', { name, version: '1.0.0', ...served('/fast', { after_ms: 4 }) }));
    await storedRun(name, first.run_id);
    const judged = await run(await api.register({ name, version: '1.1.0', ...served('/slow', { after_ms: 600 }) }));
    expect(judged).toMatchObject({
      status: 'passed',
      regression_detected: true,
      regression_severity: 'high',
      regressed_test_case_ids: ['speed'],
    });
    expect(of(judged, 'latency')).toMatchObject({
      test: 'mann_whitney',
      effect_kind: 'ratio',
      n: 100,
      verdict: 'regressed',
      severity: 'high',
    });
    expect(of(judged, 'latency').effect).toBeGreaterThan(1.5);
    expect(of(judged, 'p95_ms')).toMatchObject({ test: 'fisher_exact', effect_kind: 'ratio', n: 100 });
    expect(of(judged, 'p99_ms')).toMatchObject({ verdict: 'too_little_data', p: null });
    expect(of(judged, 'error_rate')).toMatchObject({ test: 'fisher_exact', effect: 0, verdict: 'too_little_data' });
  });
});

describe('a baseline', () => {
  const name = 'Pinned';
  const isNumber = { input: {}, expectations: [{ path: '$.number', op: 'exists' }] };
  const pin = (body: object) => ({ method: 'POST', body: { name, test_case_id: 'pinned', reason: 'a test', ...body } });
  let stable: Model;

  beforeAll(async () => {
    await addCase('pinned', name, isNumber);
    stable = await api.registerAs('stable', { name, version: '1.0.0', ...served('/pinned-1') });
  });

  it('follows the runs of the stable version, and the version that becomes stable', async () => {
    const next = await api.registerAs('canary', { name, version: '1.1.0', ...served('/pinned-2') });
    const [first, ofCanary] = [await run(stable), await run(next)];
    expect(ofCanary.baseline_run_id).toBe(first.run_id);
    await storedRun(name, first.run_id);
    await api.move(next.model_id, 'stable');
    expect(await storedRun(name, ofCanary.run_id)).toMatchObject([{ model_id: next.model_id }]);
    stable = next;
  });

  it('can be pinned to a run and unpinned, with a reason and an audit', async () => {
    const [first, second] = [await run(stable), await run(stable)];
    const pinned = await api.data<Baseline>('/validation/baselines/pin', pin({ run_id: first.run_id }));
    expect(pinned).toMatchObject({ run_id: first.run_id, pin_reason: 'a test', pinned_at: expect.any(String) as string });
    const third = await run(stable);
    expect(third.baseline_run_id).toBe(first.run_id);
    expect(await baselinesOf(name)).toMatchObject([{ run_id: first.run_id, pinned_by: expect.any(String) as string }]);
    expect(second.run_id).not.toBe(first.run_id);

    const unpinned = await api.data<Unpinned>('/validation/baselines/unpin', pin({}));
    expect(unpinned).toMatchObject({ baseline: { run_id: third.run_id, pinned_at: null, pin_reason: null } });
    const audit = await api.data<AuditEntry[]>('/audit?subject_id=pinned&limit=2');
    expect(audit.map(({ action, reason }) => [action, reason])).toEqual([
      ['baseline.unpinned', 'a test'],
      ['baseline.pinned', 'a test'],
    ]);
  });

  it('can be a run of a version of the name that passed the case, and nothing else', async () => {
    const stranger = await api.register({ ...served('/stranger') });
    await addCase('other_case', stranger.name, isNumber);
    await addCase('failing', name, { input: {}, expectations: [{ path: '$.nothing', op: 'exists' }] });
    const [foreign, failed] = [await run(stranger), await run(stable)];
    const refused = async (body: object): Promise<[number, string]> => {
      const { status, code } = await api.failure('/validation/baselines/pin', pin(body));
      return [status, code];
    };
    expect(await refused({ run_id: `${failed.run_id}0` })).toEqual([404, 'RUN_NOT_FOUND']);
    expect(await refused({ run_id: failed.run_id, test_case_id: 'failing' })).toEqual([409, 'NOT_A_BASELINE']);
    expect(await refused({ run_id: failed.run_id, test_case_id: 'other_case' })).toEqual([409, 'NOT_A_BASELINE']);
    expect(await refused({ run_id: foreign.run_id, test_case_id: 'other_case' })).toEqual([409, 'NOT_A_BASELINE']);
    expect(await api.failure('/validation/baselines/unpin', pin({ test_case_id: 'failing' }))).toMatchObject({
      code: 'BASELINE_NOT_FOUND',
    });
    const narrowed = await suite.withRole('releaser', { names: [stranger.name] });
    expect(await narrowed.failure('/validation/baselines/pin', pin({ run_id: failed.run_id }))).toMatchObject({ code: 'RUN_NOT_FOUND' });
    expect(await narrowed.failure('/validation/baselines/unpin', pin({}))).toMatchObject({ code: 'BASELINE_NOT_FOUND' });
    expect(await baselinesOf(name, narrowed)).toEqual([]);
  });
});

describe('the policy', () => {
  it('says by what a difference counts, and each run by which revision it was judged', async () => {
    const { envelope, first } = await policy();
    expect(first).toMatchObject({ alpha: 0.05, power: 0.8, minimum_n: 20, cases: { medium: 0.1, high: 0.25 } });
    expect(envelope.headers.get('etag')).toBe(`"${first.revision}"`);
    const { revision, updated_at: _, updated_by: __, ...now } = first;
    const put = (body: object, headers = {}) => ({ method: 'PATCH', body: { reason: 'a test', ...body }, headers });
    const falling = { ...now.bands, share: { low: 0.2, medium: 0.1, high: 0.3 } };
    const { code, details } = await api.failure('/policies/validation', put({ bands: falling }));
    expect([code, (details!.fields as { field: string }[])[0]!.field]).toEqual(['INVALID_INPUT', 'bands.share.medium']);
    expect(await api.failure('/policies/validation', put({ alpha: 0.01 }, { 'if-match': `"${revision + 1}"` }))).toMatchObject({
      code: 'STALE_REVISION',
    });
    const changed = await api.data<ValidationPolicy>('/policies/validation', put({ alpha: 0.01 }, { 'if-match': `"${revision}"` }));
    expect(changed).toMatchObject({ ...now, alpha: 0.01, revision: revision + 1 });
    expect(await api.data<ValidationPolicy>('/policies/validation', put({ alpha: 0.01 }))).toEqual(changed);
    expect(await api.data(`/policies/validation?revision=${revision}`)).toEqual(first);
    expect(await api.failure('/policies/validation?revision=1000000')).toMatchObject({ status: 404, code: 'POLICY_NOT_FOUND' });
    const releaser = await suite.withRole('releaser');
    expect(await releaser.failure('/policies/validation', put({}))).toMatchObject({ status: 403 });
    await api.data('/policies/validation', put({}));
  });

  async function policy(): Promise<{ envelope: Awaited<ReturnType<Api['send']>>; first: ValidationPolicy }> {
    const envelope = await api.send('/policies/validation');
    return { envelope, first: (envelope.body as { data: ValidationPolicy }).data };
  }
});

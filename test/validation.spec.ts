import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { jetstream } from '@nats-io/jetstream';
import pg from 'pg';
import { factStream } from '#contracts/alerts.js';
import { type Model } from '#contracts/registry.js';
import { type Serving } from '#contracts/serving.js';
import { type Expectation } from '#contracts/expectation.js';
import { type TestCase } from '#contracts/test-case.js';
import { type NightlyResult, type Run, type RunEvent, type RunResult, type ValidationHistory } from '#contracts/validation.js';
import { startModelServer } from '../examples/model-server/server.mjs';
import { connectTo } from '#testing/nats.js';
import { type Api, eventually } from './api.harness.js';
import { TestSuite } from './suite.harness.js';

let suite: TestSuite;
let api: Api;
let models: Awaited<ReturnType<typeof startModelServer>>;
let plain: PlainServer;

beforeAll(async () => {
  [suite, models, plain] = await Promise.all([TestSuite.start(), startModelServer({ port: 0 }), startPlainServer()]);
  api = suite.api;
});
afterAll(async () => {
  await plain.close();
  await models.close();
  await suite.close();
});

interface PlainServer {
  url: string;
  /** What the next requests are answered with. */
  answer: (body: unknown, path: string) => { status?: number; json?: unknown; text?: string; afterMs?: number };
  calls: number;
  close(): Promise<void>;
}

/** A model behind plain JSON whose answers a test decides. */
async function startPlainServer(): Promise<PlainServer> {
  const server: Server = createServer((request, response) => {
    void (async () => {
      let text = '';
      for await (const chunk of request) text += String(chunk);
      it.calls += 1;
      const { status = 200, json, text: raw, afterMs = 0 } = it.answer(text ? JSON.parse(text) : null, request.url ?? '');
      setTimeout(() => response.writeHead(status, { 'content-type': 'application/json' }).end(raw ?? JSON.stringify(json)), afterMs);
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const it: PlainServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/predict`,
    answer: () => ({ json: {} }),
    calls: 0,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return it;
}

let caseNumber = 0;
async function addCase(model: Model, expectations: Expectation[], more: object = {}): Promise<string> {
  const test_case_id = `case_${++caseNumber}`;
  const body = { test_case_id, applies_to: { model_id: model.model_id }, input: { x: 1 }, expectations, ...more };
  await api.data('/validation/cases', { method: 'POST', body });
  return test_case_id;
}

const served = (serving: Partial<Serving> = {}): Promise<Model> =>
  api.register({ serving: { protocol: 'http_json', url: plain.url, timeout_ms: 1_000, ...serving } });

const run = (model: Model, test_case_ids?: string[]): Promise<RunResult> =>
  api.data('/validation/run', { method: 'POST', body: { model_id: model.model_id, ...(test_case_ids && { test_case_ids }) } });

const details = ({ run_id }: RunResult): Promise<Run> => api.data(`/validation/runs/${run_id}`);

const isOne: Expectation[] = [{ path: '$.y', op: 'equals', value: 1 }];

describe('a validation run', () => {
  it('calls a model by the Open Inference Protocol and judges its answer', async () => {
    const model = await served({ protocol: 'oip_v2', url: `http://127.0.0.1:${models.port}`, model_name: 'mlb-props' });
    const input = [{ name: 'features', datatype: 'FP64', shape: [1, 5], data: [1.4, 1.6, 1.0, 22, 1] }];
    await addCase(model, [{ path: '$.outputs[0].data[0]', op: 'range', min: 0, max: 1 }], { input });
    await addCase(model, [{ path: '$.outputs[0].shape', op: 'equals', value: [99] }], { input });
    const result = await run(model);
    expect(result).toEqual({
      run_id: expect.stringMatching(new RegExp(`^validation_${model.model_id}_\\d{10}$`)) as string,
      status: 'failed',
      total_tests: 2,
      passed_tests: 1,
      failed_tests: 1,
      error_tests: 0,
      regression_detected: false,
      regression_severity: 'none',
    });
  });

  it('says of every case what was expected, what came and why it is not right', async () => {
    plain.answer = () => ({ json: { y: 2 } });
    const model = await served();
    const id = await addCase(model, isOne);
    const { results } = await details(await run(model));
    expect(results).toEqual([
      {
        test_case_id: id,
        outcome: 'failed',
        duration_ms: expect.any(Number) as number,
        reason: expect.stringContaining('$.y') as string,
        type: 'unit',
        revision: 1,
        checks: [{ path: '$.y', op: 'equals', passed: false, expected: 1, actual: 2, reason: expect.any(String) as string }],
      },
    ]);
  });

  it.each<[string, PlainServer['answer'], string]>([
    ['answers too late', () => ({ json: { y: 1 }, afterMs: 1_500 }), 'TIMEOUT'],
    ['answers 500', () => ({ status: 500, json: { error: 'out of memory' } }), 'MODEL_ERROR'],
    ['answers no JSON', () => ({ text: '<html>' }), 'INVALID_ANSWER'],
    ['redirects', () => ({ status: 302, json: {} }), 'REDIRECT_REFUSED'],
  ])('is an error, not a failure, when the model server %s', async (_, answer, code) => {
    plain.answer = answer;
    const model = await served();
    await addCase(model, isOne);
    const result = await run(model);
    expect(result).toMatchObject({ status: 'error', error_tests: 1, failed_tests: 0 });
    expect((await details(result)).results[0]?.reason).toContain(code);
  });

  it('is an error when nobody listens, and never calls a private network that is not allowed', async () => {
    const nobody = await served({ url: 'http://127.0.0.1:9/' });
    await addCase(nobody, isOne);
    expect((await details(await run(nobody))).results[0]?.reason).toContain('UNREACHABLE');
    const metadata = await served({ url: 'http://169.254.169.254/latest/meta-data/' });
    await addCase(metadata, isOne);
    expect((await details(await run(metadata))).results[0]?.reason).toContain('ADDRESS_NOT_ALLOWED');
  });

  it('fails a case that takes longer than it may', async () => {
    plain.answer = () => ({ json: { y: 1 }, afterMs: 60 });
    const model = await served();
    await addCase(model, isOne, { max_duration_ms: 20 });
    expect(await run(model)).toMatchObject({ status: 'failed', failed_tests: 1 });
  });

  it('runs only the cases that it is asked for, and says which of them are wrong', async () => {
    plain.answer = () => ({ json: { y: 1 } });
    const model = await served();
    const [first] = [await addCase(model, isOne), await addCase(model, isOne)];
    expect(await run(model, [first])).toMatchObject({ status: 'passed', total_tests: 1 });
    const ask = (test_case_ids: string[]) =>
      api.failure('/validation/run', { method: 'POST', body: { model_id: model.model_id, test_case_ids } });
    expect(await ask(['no_such_case'])).toMatchObject({ status: 404, code: 'TEST_CASE_NOT_FOUND' });
    const other = await addCase(await served(), isOne);
    expect(await ask([other])).toMatchObject({ status: 400, code: 'INVALID_INPUT' });
  });

  it('needs a model that is served and a case that applies', async () => {
    const unserved = await api.register();
    const ask = (model: Model) => api.failure('/validation/run', { method: 'POST', body: { model_id: model.model_id } });
    expect(await ask(unserved)).toMatchObject({ status: 409, code: 'MODEL_NOT_SERVED' });
    expect(await ask(await served())).toMatchObject({ status: 409, code: 'NO_TEST_CASES' });
    expect(await ask({ ...unserved, model_id: 'mlb_model_00000000' })).toMatchObject({ status: 404, code: 'MODEL_NOT_FOUND' });
  });

  it('has an id of its own however many start in the same second', async () => {
    plain.answer = () => ({ json: { y: 1 } });
    const model = await served();
    await addCase(model, isOne);
    const results = await Promise.all(Array.from({ length: 6 }, () => run(model)));
    expect(new Set(results.map(({ run_id }) => run_id)).size).toBe(6);
    expect(results.every(({ status }) => status === 'passed')).toBe(true);
  });
});

describe('a test case', () => {
  const caseOf = (test_case_id: string, more: object): object => ({
    method: 'POST',
    body: { test_case_id, applies_to: { name: 'nobody' }, ...more },
  });

  it('is of a type that says what it takes; what it lacks or cannot have is named', async () => {
    const step = { input: 1, carry: [{ name: 'token', path: '$.token' }] };
    const good: object[] = [
      { type: 'integration', steps: [step, { input: { $from: 'token' }, expectations: isOne }] },
      { type: 'smoke' },
      { type: 'performance', input: 1, load: { concurrency: 2, duration_ms: 200, limits: { p95_ms: 50 } } },
    ];
    for (const [index, body] of good.entries()) await api.data('/validation/cases', caseOf(`typed_${index}`, body));
    const bad: [object, string][] = [
      [{ input: 1 }, 'expectations'],
      [{ expectations: isOne }, 'input'],
      [{ type: 'integration', steps: [{ input: { $from: 'token' } }] }, 'steps.0.input'],
      [{ type: 'integration', steps: [{ input: 1, expectations: [{ op: 'range' }] }] }, 'steps.0.expectations.0.min'],
      [{ type: 'performance', input: 1, load: { concurrency: 2 } }, 'load.requests'],
      [{ type: 'smoke', load: { concurrency: 2, requests: 2 } }, 'load'],
    ];
    for (const [body, field] of bad) {
      const { code, details } = await api.failure('/validation/cases', caseOf('typed_bad', body));
      expect([code, (details!.fields as { field: string }[])[0]?.field]).toEqual(['INVALID_INPUT', field]);
    }
    const change = { method: 'PATCH', body: { steps: [], expectations: [] } };
    expect(await api.failure('/validation/cases/typed_0', change)).toMatchObject({ status: 400, code: 'INVALID_INPUT' });
  });

  it('is kept as it was at every revision, for the runs that judged it, also once it is removed and made anew', async () => {
    plain.answer = () => ({ json: { y: 1 } });
    const model = await served();
    const id = await addCase(model, isOne);
    const first = await run(model);
    await api.data(`/validation/cases/${id}`, { method: 'PATCH', body: { input: { x: 2 } } });
    const second = await run(model);
    await api.data(`/validation/cases/${id}`, { method: 'DELETE' });
    const body = { test_case_id: id, applies_to: { model_id: model.model_id }, input: { x: 3 }, expectations: isOne };
    await api.data('/validation/cases', { method: 'POST', body });
    const third = await run(model);
    const judged = await Promise.all([first, second, third].map(async (done) => (await details(done)).results[0]));
    expect(judged.map((result) => result?.revision)).toEqual([1, 2, 3]);
    const kept = await Promise.all(judged.map((result) => api.data<TestCase>(`/validation/cases/${id}?revision=${result?.revision}`)));
    expect(kept.map(({ input }) => input)).toEqual([{ x: 1 }, { x: 2 }, { x: 3 }]);
    expect(await api.failure(`/validation/cases/${id}?revision=4`)).toMatchObject({ status: 404, code: 'TEST_CASE_NOT_FOUND' });
  });

  it('can be for models of one status only', async () => {
    plain.answer = () => ({ json: { y: 1 } });
    const canary = await api.registerAs('canary', { serving: { protocol: 'http_json', url: plain.url } });
    const applies_to = { name: canary.name, status: 'canary' };
    await api.data('/validation/cases', caseOf('canaries_only', { applies_to, input: 1, expectations: isOne }));
    expect(await run(canary)).toMatchObject({ status: 'passed', total_tests: 1 });
    await api.move(canary.model_id, 'stable');
    const ask = { method: 'POST', body: { model_id: canary.model_id } };
    expect(await api.failure('/validation/run', ask)).toMatchObject({ code: 'NO_TEST_CASES' });
    const named = { method: 'POST', body: { model_id: canary.model_id, test_case_ids: ['canaries_only'] } };
    expect(await api.failure('/validation/run', named)).toMatchObject({ code: 'INVALID_INPUT' });
  });
});

describe('a signature', () => {
  it('is read once, keeps what does not fit from being sent, and is held against the stable version’s', async () => {
    const tensor = { name: 'features', datatype: 'FP64', shape: [-1, 2] };
    const output = { name: 'probability', datatype: 'FP64', shape: [-1] };
    let reads = 0;
    plain.answer = (body, path) => {
      if (body !== null) return { json: { outputs: [{ ...output, shape: [1], data: [0.5] }] } };
      reads += 1;
      return {
        json: { name: 'x', inputs: path.includes('/v2/models/wide') ? [tensor, { ...tensor, name: 'park' }] : [tensor], outputs: [output] },
      };
    };
    const url = new URL('/', plain.url).href;
    const serving = (model_name: string): Serving => ({ protocol: 'oip_v2', url, model_name });
    const stable = await api.registerAs('stable', { name: 'Signed', version: '1.0.0', serving: serving('narrow') });
    const same = await api.register({ name: 'Signed', version: '1.1.0', serving: serving('narrow-too') });
    const other = await api.register({ name: 'Signed', version: '1.2.0', serving: serving('wide') });
    const expectations: Expectation[] = [{ path: '$.outputs[0].data[0]', op: 'equals', value: 0.5 }];
    const inputs = [{ ...tensor, shape: [1, 2], data: [1, 2] }];
    const cases = [inputs, [{ ...tensor, shape: [1, 3], data: [1, 2, 3] }]].map((input, index) => ({
      ...{ test_case_id: `signed_${index}`, applies_to: { name: 'Signed' }, input, expectations },
    }));
    for (const body of cases) await api.data('/validation/cases', { method: 'POST', body });
    const runs: Run[] = [];
    for (const model of [stable, stable, same, other]) runs.push(await details(await run(model)));
    expect(reads).toBe(3);
    expect(runs[0]!.results.map(({ outcome }) => outcome)).toEqual(['passed', 'error']);
    expect(runs[0]!.results[1]?.reason).toContain('accepted: [-1, 2]');
    const baseline_model_id = stable.model_id;
    expect(runs.map(({ signature_check }) => signature_check)).toEqual([
      { baseline_model_id: null, compatible: null, problems: [] },
      { baseline_model_id: null, compatible: null, problems: [] },
      { baseline_model_id, compatible: true, problems: [] },
      { baseline_model_id, compatible: false, problems: ['the input park is new'] },
    ]);
  });
});

describe('a regression', () => {
  it('is found against the stable version’s last passed run, and shows in history and report', async () => {
    const name = 'Regressing';
    const serving: Serving = { protocol: 'http_json', url: plain.url };
    const stable = await api.registerAs('stable', { name, version: '1.0.0', serving });
    const candidate = await api.register({ name, version: '1.1.0', serving });
    const cases = Array.from({ length: 5 }, (_, index) => ({
      test_case_id: `regressing_${index}`,
      applies_to: { name },
      input: { index },
      expectations: isOne,
    }));
    for (const body of cases) await api.data('/validation/cases', { method: 'POST', body });
    plain.answer = () => ({ json: { y: 1 } });
    const baseline = await run(stable);
    expect(baseline).toMatchObject({ status: 'passed', total_tests: 5 });

    plain.answer = (body) => ({ json: { y: (body as { index: number }).index === 3 ? 0 : 1 } });
    const result = await run(candidate);
    expect(result).toMatchObject({ status: 'failed', regression_detected: true, regression_severity: 'medium' });
    expect(await details(result)).toMatchObject({ baseline_run_id: baseline.run_id, regressed_test_case_ids: ['regressing_3'] });

    expect(await api.data(`/validation/regression-report/${candidate.model_id}`)).toEqual({
      model_id: candidate.model_id,
      period_days: 7,
      total_validation_runs: 1,
      runs_with_regression: 1,
      regression_rate: 1,
      recent_regression_rate: 1,
      trend: 'stable',
      last_validation: expect.any(String) as string,
      severity_breakdown: { high: 0, medium: 1, low: 0 },
      last_run_id: result.run_id,
      last_comparisons: (await details(result)).comparisons,
    });
    const history = await api.data<ValidationHistory>(`/validation/history/${candidate.model_id}?days=1`);
    expect(history).toMatchObject({ period_days: 1, validation_runs: [{ run_id: result.run_id, regression_detected: true }] });
  });
});

describe('a run that nobody waits for', () => {
  it('is answered as running at once, and comes to its end', async () => {
    plain.answer = () => ({ json: { y: 1 }, afterMs: 200 });
    const model = await api.registerAs('canary', { serving: { protocol: 'http_json', url: plain.url } });
    await addCase(model, isOne);
    const started = await api.data<RunResult>('/validation/run', { method: 'POST', body: { model_id: model.model_id, wait: false } });
    expect(started).toMatchObject({ status: 'running', total_tests: 1, passed_tests: 0 });
    const ended = await eventually(
      () => details(started),
      ({ status }) => status !== 'running',
    );
    expect(ended).toMatchObject({ status: 'passed', passed_tests: 1 });
  });
});

describe('a run that is under way', () => {
  it('says how far it is, to who asks and on JetStream', async () => {
    plain.answer = (body) => ({ json: { y: 1 }, afterMs: (body as { slow?: true }).slow ? 1_500 : 0 });
    const model = await served({ timeout_ms: 5_000 });
    for (const input of [{}, {}, { slow: true }]) await addCase(model, isOne, { input });
    const started = await api.data<RunResult>('/validation/run', { method: 'POST', body: { model_id: model.model_id, wait: false } });
    await eventually(
      () => details(started),
      ({ progress }) => progress.done === 2 && progress.total === 3,
    );
    const connection = await connectTo(suite.nats_url);
    const consumer = await jetstream(connection).consumers.get(factStream.name, { filter_subjects: 'emr.evt.validation.>' });
    const events: RunEvent[] = [];
    for await (const message of await consumer.consume()) {
      const event = message.json<RunEvent>();
      if (event.run_id === started.run_id) events.push(event);
      if (event.run_id === started.run_id && event.event === 'finished') break;
    }
    await connection.close();
    const told = events.map(({ event, progress, status }) => [event, progress.done, status]);
    expect([told[0], told.at(-1)]).toEqual([
      ['started', 0, 'running'],
      ['finished', 3, 'passed'],
    ]);
    // A slow machine may tell of the first case apart.
    expect(told).toContainEqual(['progress', 2, 'running']);
  });
});

describe('the nightly validation', () => {
  it('judges every canary and stable model, once however often it is asked for', async () => {
    plain.answer = () => ({ json: { y: 1 }, afterMs: 100 });
    const good = await api.registerAs('canary', { serving: { protocol: 'http_json', url: plain.url } });
    await addCase(good, isOne);
    const active = (
      await Promise.all(['canary', 'stable'].map((status) => api.data<Model[]>(`/registry?status=${status}&limit=1000`)))
    ).flat();
    const rounds = await Promise.all(Array.from({ length: 4 }, () => api.data<NightlyResult>('/validation/nightly', { method: 'POST' })));
    for (const round of rounds) expect(round).toEqual(rounds[0]);
    const [{ models_processed, results_summary }] = rounds as [NightlyResult];
    expect(models_processed).toBe(active.length);
    expect(results_summary.passed + results_summary.failed + results_summary.errors).toBe(models_processed);
    const { validation_runs } = await api.data<ValidationHistory>(`/validation/history/${good.model_id}`);
    expect(validation_runs.map(({ status }) => status)).toEqual(['passed']);
  });
});

describe('a run that is called off', () => {
  const request = { method: 'POST', body: { reason: 'wrong data' } };
  const pathOf = ({ run_id }: RunResult): string => `/validation/runs/${run_id}/cancel`;

  it('ends at once whether it runs or waits, says who did it, and once it is over stays as it is', async () => {
    plain.answer = () => ({ json: { y: 1 }, afterMs: 5_000 });
    const model = await served({ timeout_ms: 30_000 });
    await addCase(model, isOne);
    const start = (): Promise<RunResult> =>
      api.data('/validation/run', { method: 'POST', body: { model_id: model.model_id, wait: false } });
    const [running, waiting] = [await start(), await start()];
    await eventually(
      () => details(running),
      ({ attempt }) => attempt === 1,
    );
    expect(await details(waiting)).toMatchObject({ status: 'running', attempt: 0, progress: { done: 0, total: 1 } });
    for (const started of [waiting, running]) {
      const path = pathOf(started);
      const cancelled = await api.data<Run>(path, request);
      const reason = 'cancelled by bootstrap: wrong data';
      expect(cancelled).toMatchObject({ status: 'error', reason, cancelled_by: 'bootstrap', error_tests: 1, regression_detected: false });
      expect(await api.data(path, request)).toEqual(cancelled);
      expect(await api.data<object[]>(`/audit?subject_id=${started.run_id}`)).toMatchObject([
        { action: 'run.cancelled', reason: 'wrong data' },
      ]);
    }
    plain.answer = () => ({ json: { y: 1 } });
    const over = await run(model);
    expect(over).toMatchObject({ status: 'passed' });
    const path = pathOf(over);
    expect(await api.failure(path, request)).toMatchObject({ status: 409, code: 'RUN_NOT_RUNNING', details: { status: 'passed' } });
    const viewer = await suite.withRole('viewer');
    expect(await viewer.failure(path, request)).toMatchObject({ code: 'ROLE_TOO_SMALL' });
    const elsewhere = await suite.withRole('editor', { names: ['Nothing of the kind'] });
    expect(await elsewhere.failure(path, request)).toMatchObject({ code: 'RUN_NOT_FOUND' });
  });
});

describe('a run that is asked for again under its Idempotency-Key', () => {
  it('is the same run, at the same time and later, and no other one', async () => {
    plain.answer = () => ({ json: { y: 1 }, afterMs: 50 });
    const model = await served();
    const test_case_id = await addCase(model, isOne);
    const headers = { 'idempotency-key': 'once' };
    const ask = (more: object = {}) => ({ method: 'POST', headers, body: { model_id: model.model_id, ...more } });
    const results = await Promise.all([1, 2, 3].map(() => api.data<RunResult>('/validation/run', ask())));
    const later = await api.data<RunResult>('/validation/run', ask({ wait: false }));
    expect(new Set([...results, later].map((result) => JSON.stringify(result))).size).toBe(1);
    const other = await api.failure('/validation/run', ask({ test_case_ids: [test_case_id] }));
    expect(other).toMatchObject({ status: 409, code: 'IDEMPOTENCY_KEY_REUSED' });
    const { validation_runs } = await api.data<ValidationHistory>(`/validation/history/${model.model_id}`);
    expect(validation_runs).toHaveLength(1);
  });
});

describe('the nights', () => {
  interface Round {
    nightly_id: string;
    unfinished: boolean;
    late: boolean;
    models_processed: number;
  }
  let database: pg.Client;

  beforeAll(async () => {
    plain.answer = () => ({ json: { y: 1 } });
    database = new pg.Client({ connectionString: suite.database_url });
    await database.connect();
  });
  afterAll(() => database.end());

  const round = (nightly_id: string): Promise<Round> =>
    eventually(
      async () => (await database.query<Round>('SELECT * FROM validation.nightlies WHERE nightly_id = $1', [nightly_id])).rows[0]!,
      (found) => found?.unfinished === false,
      15_000,
    );
  const models = async (nightly_id: string): Promise<string[]> => {
    const { rows } = await database.query<{ model_id: string }>('SELECT model_id FROM validation.runs WHERE nightly_id = $1', [nightly_id]);
    return rows.map(({ model_id }) => model_id);
  };

  it('that were missed are noticed: the latest is made up for, late, the others are counted', async () => {
    const latest = new Date();
    latest.setUTCHours(2, 0, 0, 0);
    if (latest.getTime() > Date.now()) latest.setUTCDate(latest.getUTCDate() - 1);
    await database.query('UPDATE validation.night_watch SET handled_until = $1', [new Date(latest.getTime() - 60 * 3_600_000)]);
    expect(await round(`night_${latest.toISOString().replace('.000Z', 'Z')}`)).toMatchObject({
      late: Date.now() - latest.getTime() > 60_000,
    });
    const metrics = await (await fetch(`http://127.0.0.1:${suite.suite.services.validation.probe_port}/metrics`)).text();
    expect(metrics).toMatch(/^emr_validation_nights_missed_total\{.*\} 2$/m);
  });

  it('go on where a replica died while it wrote down the runs, without a second run of a model', async () => {
    const canary = await api.registerAs('canary', { serving: { protocol: 'http_json', url: plain.url } });
    await addCase(canary, isOne);
    await database.query(
      `INSERT INTO validation.nightlies VALUES ('begun', true, now(), 'epoch', 0, '{}', NULL, false, false);
       UPDATE validation.runs SET nightly_id = 'begun' WHERE run_id = (
         SELECT run_id FROM validation.runs WHERE nightly_id IS NOT NULL AND nightly_id <> 'begun' LIMIT 1)`,
    );
    const { models_processed } = await round('begun');
    const judged = await models('begun');
    expect(new Set(judged).size).toBe(judged.length);
    expect(judged).toContain(canary.model_id);
    expect(models_processed).toBe(judged.length);
  });
});

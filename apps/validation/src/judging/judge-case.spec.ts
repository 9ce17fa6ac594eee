import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CaseResult } from '#contracts/case-result.js';
import { type JsonValue } from '#contracts/fields.js';
import { type Serving } from '#contracts/serving.js';
import { createEgress } from '#runtime/egress.js';
import { Sketch } from '#statistics/sketch.js';
import { createInvoker } from '../calling/invoker.js';
import { type Signature } from '../calling/signature.js';
import { type Ways } from '../calling/ways.js';
import { judgeCase, type JudgedCase, type Means } from './judge-case.js';
import { type RowOutcome } from './rows.js';

interface Reply {
  status?: number;
  json?: unknown;
  /** Never answered. */
  hangs?: boolean;
}

let server: Server;
let base: string;
let reply: (path: string, body: JsonValue) => Reply | Promise<Reply>;
let seen: { path: string; body: JsonValue }[];
let dataSet: Record<string, unknown>[];
let kept: { test_case_id: string; data_set_id: string; outcomes: RowOutcome[] }[];
let inHand: Set<unknown>;
let mostInHand: number;

beforeAll(async () => {
  server = createServer((request, response) => {
    void (async () => {
      const open = inHand.add(request);
      mostInHand = Math.max(mostInHand, open.size);
      response.on('close', () => open.delete(request));
      let text = '';
      for await (const chunk of request) text += String(chunk);
      const call = { path: request.url ?? '', body: text ? (JSON.parse(text) as JsonValue) : null };
      seen.push(call);
      const { status = 200, json = {}, hangs } = await reply(call.path, call.body);
      if (!hangs) response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json));
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});
beforeEach(() => {
  seen = [];
  kept = [];
  [inHand, mostInHand] = [new Set(), 0];
});

const ways: Ways = {
  http: createEgress({ allowed_networks: ['127.0.0.0/8'], max_response_bytes: 100_000 }),
  nats: () => Promise.reject(new Error('not in this test')),
  secret: () => Promise.reject(new Error('not in this test')),
};

const empty: JudgedCase = {
  ...{
    test_case_id: 'case',
    type: 'unit',
    revision: 3,
    input: null,
    expectations: [],
    max_duration_ms: null,
    steps: [],
    load: null,
    data: null,
  },
};

interface Asked {
  serving?: Partial<Serving>;
  signature?: Signature;
  signal?: AbortSignal;
}

function judge(testCase: Partial<JudgedCase>, { serving, signature, signal }: Asked = {}): Promise<CaseResult> {
  const called: Serving = { protocol: 'http_json', url: base, timeout_ms: 2_000, ...serving };
  const invoker = createInvoker(ways, { name: 'mlb', serving: called, signature: signature ?? null });
  const means: Means = {
    invoker,
    rows: async function* () {
      yield* dataSet.map((values, index) => ({ row: index + 1, values }));
    },
    keep: async (test_case_id, data_set_id, outcomes) => void kept.push({ test_case_id, data_set_id, outcomes }),
  };
  return judgeCase({ ...empty, ...testCase }, means, signal ?? new AbortController().signal);
}

const isOne = [{ path: '$.y', op: 'equals' as const, value: 1 }];

describe('a unit case', () => {
  it('passes or fails by its expectations, and says which revision was judged', async () => {
    reply = (_, body) => ({ json: { y: body } });
    expect(await judge({ input: 1, expectations: isOne })).toMatchObject({ type: 'unit', revision: 3, outcome: 'passed', reason: '' });
    expect(await judge({ input: 2, expectations: isOne })).toMatchObject({
      outcome: 'failed',
      reason: '$.y: is not equal to the expected value',
      checks: [{ expected: 1, actual: 2 }],
    });
  });

  it('is an error when its input does not fit the signature, and is not sent', async () => {
    const signature: Signature = { inputs: [{ name: 'features', datatype: 'FP64', shape: [-1, 5] }], outputs: [] };
    const input = [{ name: 'features', datatype: 'FP64', shape: [1, 4], data: [1, 2, 3, 4] }];
    const result = await judge({ input, expectations: isOne }, { serving: { protocol: 'oip_v2' }, signature });
    expect(result).toMatchObject({ outcome: 'error', checks: [], reason: expect.stringContaining('INVALID_INPUT') as string });
    expect(result.reason).toContain('shape [1, 4]; accepted: [-1, 5]');
    expect(seen).toEqual([]);
  });

  it('is an error when it is called off', async () => {
    reply = () => ({ hangs: true });
    const result = await judge({ input: 1, expectations: isOne }, { signal: AbortSignal.timeout(50) });
    expect(result).toMatchObject({ outcome: 'error', reason: 'CANCELLED: The call was cancelled' });
  });
});

describe('an integration case', () => {
  const session = { input: { user: 'a' }, carry: [{ name: 'session', path: '$.session.id' }] };
  const second = { input: { session: { $from: 'session' }, at_bats: [4] }, expectations: isOne };

  it('sends what an earlier step answered', async () => {
    reply = (_, body) => ({ json: (body as { user?: string }).user ? { session: { id: 's-7' } } : { y: 1 } });
    expect(await judge({ type: 'integration', steps: [session, second] })).toMatchObject({
      outcome: 'passed',
      duration_ms: expect.any(Number) as number,
      checks: [{ step: 2, path: '$.y', passed: true }],
    });
    expect(seen.map(({ body }) => body)).toEqual([{ user: 'a' }, { session: 's-7', at_bats: [4] }]);
  });

  it('fails at the step whose answer is wrong or lacks what is carried on, and ends there', async () => {
    reply = () => ({ json: { y: 2 } });
    expect(await judge({ type: 'integration', steps: [session, second] })).toMatchObject({
      outcome: 'failed',
      reason: 'step 1, $.session.id: there is no value at this path to carry on as session',
      checks: [{ step: 1, op: 'carry', passed: false, expected: 'session', actual: null }],
    });
    expect(await judge({ type: 'integration', steps: [{ ...second, input: 1 }, session] })).toMatchObject({
      outcome: 'failed',
      reason: 'step 1, $.y: is not equal to the expected value',
    });
    expect(seen).toHaveLength(2);
  });

  it('is an error, with the checks made so far, when a later step cannot be judged', async () => {
    reply = () => (seen.length === 1 ? { json: { y: 1, session: {} } } : { status: 500, json: { error: 'lost' } });
    const steps = [{ input: 1, expectations: isOne }, { input: 2 }];
    expect(await judge({ type: 'integration', steps })).toMatchObject({
      outcome: 'error',
      reason: 'step 2: MODEL_ERROR: The model server answered with status 500: lost',
      checks: [{ step: 1, passed: true }],
    });
    const unfillable = [{ input: 1, carry: [{ name: 'session', path: '$.session' }] }, { input: { $from: 'session', path: '$.id' } }];
    seen = [];
    expect(await judge({ type: 'integration', steps: unfillable })).toMatchObject({
      outcome: 'error',
      reason: 'step 2: INVALID_INPUT: there is no $.id of session',
    });
  });
});

describe('a smoke case', () => {
  const oip: Partial<Serving> = { protocol: 'oip_v2' };
  const metadata = { name: 'mlb', inputs: [], outputs: [] };
  const well = (path: string): Reply => {
    if (path === '/v2/models/mlb') return { json: metadata };
    return { json: path.endsWith('/infer') ? { outputs: [] } : { live: true, ready: true } };
  };

  it('looks at health and metadata, and asks for a prediction where it has an input', async () => {
    reply = well;
    const result = await judge({ type: 'smoke', input: { inputs: [] } }, { serving: oip });
    expect(result).toMatchObject({ outcome: 'passed', duration_ms: expect.any(Number) as number });
    expect(seen.map(({ path }) => path)).toEqual(['/v2/health/live', '/v2/models/mlb/ready', '/v2/models/mlb', '/v2/models/mlb/infer']);
    expect(result.checks.map(({ path }) => path)).toEqual(['liveness', 'readiness', 'metadata']);
    expect(await judge({ type: 'smoke' }, { serving: oip })).toMatchObject({ outcome: 'passed', duration_ms: null });
  });

  it.each<[string, string, Reply]>([
    ['readiness', '/v2/models/mlb/ready', { status: 503 }],
    ['readiness', '/v2/models/mlb/ready', { json: { name: 'mlb', ready: false } }],
    ['liveness', '/v2/health/live', { json: { live: false } }],
    ['metadata', '/v2/models/mlb', { status: 404 }],
    ['metadata', '/v2/models/mlb', { json: { inputs: 7 } }],
  ])('fails by its %s when %s answers %j, and asks for no prediction', async (look, path, answer) => {
    reply = (asked) => (asked === path ? answer : well(asked));
    const result = await judge({ type: 'smoke', input: { inputs: [] } }, { serving: oip });
    expect(result).toMatchObject({ outcome: 'failed', reason: expect.stringMatching(`^${look}: `) as string });
    expect(seen.some(({ path: asked }) => asked.endsWith('/infer'))).toBe(false);
  });

  it('is an error where nobody answers, and where the protocol has nothing to look at', async () => {
    const nobody = await judge({ type: 'smoke' }, { serving: { ...oip, url: 'http://127.0.0.1:9' } });
    expect(nobody).toMatchObject({ outcome: 'error', reason: expect.stringContaining('UNREACHABLE') as string });
    expect(await judge({ type: 'smoke' })).toMatchObject({ outcome: 'error', reason: expect.stringContaining('needs an input') as string });
    reply = () => ({ json: {} });
    expect(await judge({ type: 'smoke', input: 1 })).toMatchObject({ outcome: 'passed' });
  });
});

async function untilInHand(count: number): Promise<void> {
  const deadline = Date.now() + 2_000;
  while (mostInHand < count && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 1));
}

describe('a performance case', () => {
  const performance = (load: object, more: Partial<JudgedCase> = {}): Promise<CaseResult> =>
    judge({ type: 'performance', input: 1, load: { concurrency: 4, requests: 20, ...load }, ...more });

  it('makes its requests, so many at a time, and keeps what it measured', async () => {
    reply = async () => {
      await untilInHand(4);
      await new Promise((resolve) => setTimeout(resolve, 5));
      return { json: { y: 1 } };
    };
    const { outcome, checks, measured } = await performance({ limits: { p99_ms: 2_000, min_throughput: 1 } }, { expectations: isOne });
    expect({ outcome, requests: seen.length, mostInHand }).toEqual({ outcome: 'passed', requests: 20, mostInHand: 4 });
    expect(checks.map(({ path, op }) => `${path} ${op}`)).toEqual(['error_rate max', 'p99_ms max', 'throughput min']);
    expect(measured).toMatchObject({ requests: 20, errors: 0, error_rate: 0, error_codes: {} });
    expect(measured!.min_ms).toBeGreaterThan(4);
    expect(measured!.p50_ms).toBeLessThanOrEqual(measured!.max_ms);
    expect(Sketch.parse(Buffer.from(measured!.sketch, 'base64')).count).toBe(20);
  });

  it('ends with its time', async () => {
    reply = async () => new Promise((resolve) => setTimeout(() => resolve({}), 20));
    const { measured } = await performance({ requests: null, duration_ms: 150, concurrency: 2 });
    expect(measured!.requests).toBeGreaterThan(2);
    expect(measured!.requests).toBeLessThanOrEqual(20);
    expect(measured!.duration_ms).toBeLessThan(1_000);
  });

  it('fails by each limit with what was measured', async () => {
    reply = () => ({ json: { y: 1 } });
    const limits = { p50_ms: 0.001, p95_ms: 0.001, p99_ms: 0.001, min_throughput: 1e6 };
    const { outcome, checks, reason } = await performance({ limits });
    expect(outcome).toBe('failed');
    expect(checks.filter(({ passed }) => !passed).map(({ path }) => path)).toEqual(['p50_ms', 'p95_ms', 'p99_ms', 'throughput']);
    expect(reason).toMatch(/^p50_ms: .* is more than 0.001$/);
  });

  it('counts bad answers by code, and accepts as many as it says', async () => {
    reply = () => {
      if (seen.length % 5 === 0) return { status: 500 };
      return { json: { y: seen.length % 2 } };
    };
    const { outcome, measured } = await performance({ concurrency: 1, requests: 10 }, { expectations: isOne });
    expect(outcome).toBe('failed');
    expect(measured).toMatchObject({ requests: 10, errors: 6, error_rate: 60, error_codes: { MODEL_ERROR: 2, UNEXPECTED: 4 } });
    seen = [];
    const lenient = await performance({ concurrency: 1, requests: 10, limits: { max_error_rate: 60 } }, { expectations: isOne });
    expect(lenient.outcome).toBe('passed');
  });

  it('is an error when nothing was answered, or nothing could be sent', async () => {
    reply = () => ({ status: 500 });
    expect(await performance({})).toMatchObject({
      outcome: 'error',
      measured: { errors: 20 },
      reason: expect.stringContaining('MODEL_ERROR') as string,
    });
    seen = [];
    const unsent = await judge(
      { type: 'performance', input: 1, load: { concurrency: 4, requests: 50 } },
      { serving: { protocol: 'oip_v2' } },
    );
    expect(unsent).toMatchObject({ outcome: 'error', reason: expect.stringContaining('INVALID_INPUT') as string });
    expect(seen).toEqual([]);
  });

  it('is an error when it is called off, and no call goes on behind it', async () => {
    reply = () => ({ hangs: true });
    const load = { concurrency: 4, requests: 50 };
    const result = await judge({ type: 'performance', input: 1, load }, { signal: AbortSignal.timeout(100) });
    expect(result).toMatchObject({ outcome: 'error', reason: expect.stringContaining('CANCELLED') as string });
    expect(seen.length).toBeLessThanOrEqual(4);
  });
});

describe('a regression case', () => {
  const data_set_id = 'd'.repeat(64);
  const data = { data_set_id, label_path: '$.out', prediction_path: '$.pick', score_path: '$.p', metrics: ['accuracy'], concurrency: 3 };
  const input = { x: { $from: 'row', path: '$.x' } };
  const regression = (more: object = {}, asked: Asked = {}): Promise<CaseResult> =>
    judge({ type: 'regression', input, data: { ...data, ...more } }, asked);

  beforeEach(() => {
    dataSet = Array.from({ length: 20 }, (_, index) => ({ x: index, out: index % 2 === 0 }));
    reply = async (_, body) => {
      const { x } = body as { x: number };
      // However slow the machine is: as many are in hand as ever will be before the first is answered.
      if (x < 3) await untilInHand(3);
      // So that answers come in another order than rows.
      await new Promise((resolve) => setTimeout(resolve, x % 3));
      return { json: { pick: x > 9, p: x / 20 } };
    };
  });

  it('asks about every row, some at a time, and keeps what was right, what was said and how sure', async () => {
    expect(await regression()).toMatchObject({
      ...{ outcome: 'passed', reason: '', checks: [], duration_ms: expect.any(Number) as number },
      rows_judged: { data_set_id, rows: 20, errors: 0, error_codes: {} },
    });
    expect(mostInHand).toBe(3);
    expect(kept).toEqual([
      {
        ...{ test_case_id: 'case', data_set_id },
        outcomes: dataSet.map(({ x, out }, index) => ({
          row: index + 1,
          label: out,
          prediction: (x as number) > 9,
          score: (x as number) / 20,
        })),
      },
    ]);
  });

  it('is an error that names the first row that could not be judged, and keeps the others', async () => {
    dataSet[4] = { x: 4 };
    dataSet[7] = { out: true };
    reply = (_, body) => ((body as { x: number }).x === 12 ? { json: { pick: null, p: 1 } } : { json: { pick: true, p: 1 } });
    const { outcome, reason, rows_judged } = await regression();
    expect({ outcome, reason }).toEqual({
      outcome: 'error',
      reason: '3 of 20 rows could not be judged; row 5: INVALID_ROW: there is no text, number, true or false at $.out',
    });
    expect(rows_judged).toMatchObject({ rows: 20, errors: 3, error_codes: { INVALID_ROW: 2, INVALID_ANSWER: 1 } });
    expect(kept[0]?.outcomes).toHaveLength(17);
  });

  it('needs a number for a score, and none where it has no path to one', async () => {
    reply = () => ({ json: { pick: 'over', p: 'high' } });
    expect((await regression()).reason).toContain('no number at $.p');
    expect(await regression({ score_path: null })).toMatchObject({ outcome: 'passed' });
    expect(kept[1]?.outcomes[0]).toEqual({ row: 1, label: true, prediction: 'over' });
  });

  it('stops asking a model that judges nothing', async () => {
    dataSet = Array.from({ length: 1_000 }, (_, x) => ({ x, out: 1 }));
    reply = () => ({ status: 500 });
    const { rows_judged } = await regression();
    expect(rows_judged!.errors).toBeGreaterThanOrEqual(50);
    expect(seen.length).toBeLessThan(60);
  });

  it('is an error when it is called off, and keeps nothing', async () => {
    reply = () => ({ hangs: true });
    const result = await regression({}, { signal: AbortSignal.timeout(50) });
    expect(result).toMatchObject({ outcome: 'error', reason: expect.stringContaining('CANCELLED') as string });
    expect(kept).toEqual([]);
    expect(seen.length).toBeLessThanOrEqual(3);
  });
});

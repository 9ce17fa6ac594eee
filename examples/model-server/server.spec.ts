import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { heldOutRows } from './long-answers.mjs';
import { type ModelServer, startModelServer, type Variant } from './server.mjs';

let server: ModelServer;
beforeAll(async () => {
  server = await startModelServer();
});
afterAll(() => server.close());

interface Answer {
  status: number;
  body: unknown;
}

async function ask(path: string, body?: unknown, method = body === undefined ? 'GET' : 'POST'): Promise<Answer> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const response = await fetch(server.url + path, { method, body: text });
  expect(response.headers.get('content-type')).toBe('application/json');
  return { status: response.status, body: await response.json() };
}

const likely = [1.4, 1.7, 0.8, 25, 1];
const unlikely = [1.2, 0.9, 1.9, 3, 0];
const tensor = { name: 'features', datatype: 'FP64', shape: [2, 5], data: [...likely, ...unlikely] };

interface Inference {
  outputs: { name: string; data: unknown[] }[];
}
async function probabilities(model: string, rows: number[][]): Promise<number[]> {
  const inputs = [{ ...tensor, shape: [rows.length, 5], data: rows }];
  const { body } = await ask(`/v2/models/${model}/infer`, { inputs, outputs: [{ name: 'probability' }] });
  return (body as Inference).outputs[0]?.data as number[];
}

describe('example model server, Open Inference Protocol', () => {
  const metadata = {
    name: 'mlb-props',
    versions: ['1'],
    platform: 'nodejs_logistic_regression',
    inputs: [{ name: 'features', datatype: 'FP64', shape: [-1, 5] }],
    outputs: [
      { name: 'probability', datatype: 'FP64', shape: [-1] },
      { name: 'pick', datatype: 'BYTES', shape: [-1] },
    ],
  };

  it.each<[string, unknown]>([
    ['/v2', { name: 'emr-example-model-server', version: '1', extensions: [] }],
    ['/v2/health/live', { live: true }],
    ['/v2/health/ready', { live: true, ready: true }],
    ['/v2/models/mlb-props', metadata],
    ['/v2/models/mlb-props/versions/1', metadata],
    ['/v2/models/mlb%2Dprops', metadata],
    ['/v2/models/nfl-props/ready', { name: 'nfl-props', ready: true }],
    ['/v2/models/nfl-props/versions/1/ready', { name: 'nfl-props', ready: true }],
  ])('GET %s', async (path, body) => {
    expect(await ask(path)).toEqual({ status: 200, body });
  });

  it.each(['/v2/models/mlb-props/infer', '/v2/models/mlb-props/versions/1/infer'])(
    'POST %s predicts each row and echoes the id',
    async (path) => {
      const { status, body } = await ask(path, { id: 'a-1', parameters: { trace: true }, inputs: [tensor] });
      expect(status).toBe(200);
      expect(body).toEqual({
        model_name: 'mlb-props',
        model_version: '1',
        id: 'a-1',
        outputs: [
          { name: 'probability', datatype: 'FP64', shape: [2], data: [expect.any(Number), expect.any(Number)] },
          { name: 'pick', datatype: 'BYTES', shape: [2], data: ['over', 'under'] },
        ],
      });
    },
  );

  it('takes flat and nested data alike and sends the outputs asked for', async () => {
    const flat = await ask('/v2/models/mlb-props/infer', { inputs: [tensor], outputs: [{ name: 'pick' }] });
    const nested = await ask('/v2/models/mlb-props/infer', {
      inputs: [{ ...tensor, data: [likely, unlikely] }],
      outputs: [{ name: 'pick' }],
    });
    expect(nested).toEqual(flat);
    expect((flat.body as Inference).outputs.map(({ name }) => name)).toEqual(['pick']);
    expect(flat.body).not.toHaveProperty('id');
  });

  it.each<[string, unknown]>([
    ['the body is not JSON', '{"inputs":'],
    ['the body is not JSON', ''],
    ['the body must be an object', []],
    ['inputs must be a list of tensors', {}],
    ['inputs must hold one tensor named features', { inputs: [] }],
    ['inputs must hold one tensor named features', { inputs: [null] }],
    ['inputs must hold one tensor named features', { inputs: [tensor, tensor] }],
    ['inputs must hold one tensor named features', { inputs: [{ ...tensor, name: 'x' }] }],
    ['features must have the datatype FP64 or FP32', { inputs: [{ ...tensor, datatype: 'BYTES' }] }],
    ['features must have the shape [1 to 1000, 5]', { inputs: [{ ...tensor, shape: [2, 4] }] }],
    ['features must have the shape [1 to 1000, 5]', { inputs: [{ ...tensor, shape: [0, 5], data: [] }] }],
    ['features must have the shape [1 to 1000, 5]', { inputs: [{ ...tensor, shape: [1e9, 5] }] }],
    ['features must have the shape [1 to 1000, 5]', { inputs: [{ ...tensor, shape: '[2,5]' }] }],
    ['features has the shape [2, 5] but 5 values', { inputs: [{ ...tensor, data: likely }] }],
    ['features must have data', { inputs: [{ ...tensor, data: undefined }] }],
    ['the data of features must be numbers', { inputs: [{ ...tensor, data: [...likely, 1, 2, 3, 4, '5'] }] }],
    ['outputs must be a list', { inputs: [tensor], outputs: {} }],
    ['outputs may name probability and pick', { inputs: [tensor], outputs: [{ name: 'odds' }] }],
    ['id must be a string', { id: 1, inputs: [tensor] }],
    ['parameters must be an object of strings, numbers and booleans', { parameters: { a: [] }, inputs: [tensor] }],
  ])('says "%s" to %j', async (error, body) => {
    expect(await ask('/v2/models/mlb-props/infer', body)).toEqual({ status: 400, body: { error } });
  });

  it('answers unknown paths, models, versions and methods with an error', async () => {
    expect(await ask('/')).toMatchObject({ status: 404, body: { error: expect.any(String) as string } });
    expect(await ask('/v2/models/nba-props')).toEqual({ status: 404, body: { error: 'there is no model nba-props' } });
    expect(await ask('/v2/models/mlb-props/versions/2')).toMatchObject({ status: 404 });
    expect(await ask('/v2/models/mlb-props/infer')).toEqual({ status: 405, body: { error: 'use POST' } });
    expect(await ask('/v2/models/mlb-props', {})).toEqual({ status: 405, body: { error: 'use GET' } });
    expect(await ask('/v2/models/%zz')).toMatchObject({ status: 400 });
    expect(await ask('/v2/models/__proto__')).toMatchObject({ status: 404 });
  });

  it('refuses a body over 1 MB and goes on serving, also after a client that hung up', async () => {
    expect(await ask('/v2/models/mlb-props/infer', ' '.repeat(1_000_001))).toMatchObject({ status: 413 });
    const socket = connect(server.port, '127.0.0.1');
    socket.write('POST /predict/mlb-props HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{');
    await once(socket, 'connect');
    socket.destroy();
    expect(await ask('/v2/health/live')).toMatchObject({ status: 200 });
  });
});

describe('example model server, plain JSON', () => {
  const features = { season_average: 1.4, recent_average: 1.7, line: 0.8, opponent_rank: 25, home: 1 };

  it('predicts the same as by the Open Inference Protocol', async () => {
    const [probability] = await probabilities('mlb-props', [likely]);
    expect(await ask('/predict/mlb-props', features)).toEqual({
      status: 200,
      body: { model_name: 'mlb-props', model_version: '1', probability, pick: 'over' },
    });
  });

  it('says what is wrong with the features', async () => {
    const error = async (body: unknown): Promise<unknown> => (await ask('/predict/mlb-props', body)).body;
    expect(await error({ ...features, line: '0.8' })).toEqual({ error: 'line must be a number' });
    expect(await error({})).toEqual({ error: 'season_average must be a number' });
    expect(await error([])).toEqual({ error: expect.stringContaining('must be an object') as string });
    expect(await error({ ...features, weather: 1 })).toEqual({ error: expect.stringContaining('weather is no feature') as string });
    expect((await ask('/predict/nba-props', features)).status).toBe(404);
  });
});

describe('example models', () => {
  it('are the same on every start', async () => {
    const another = await startModelServer();
    try {
      const response = await fetch(`${another.url}/v2/models/nfl-props/infer`, {
        method: 'POST',
        body: JSON.stringify({ inputs: [{ ...tensor, shape: [1, 5], data: [240, 250, 220, 10, 1] }] }),
      });
      const [probability] = await probabilities('nfl-props', [[240, 250, 220, 10, 1]]);
      expect(((await response.json()) as Inference).outputs[0]?.data).toEqual([probability]);
    } finally {
      await another.close();
    }
  });

  it.each([
    ['mlb-props', [1.2, 1.2, 1.2, 15, 0], 0.4],
    ['nfl-props', [230, 230, 230, 16, 0], 40],
  ])('%s learnt that a lower line, better form, a weaker opponent and playing at home make over likelier', async (model, row, step) => {
    const changed = (column: number, by: number): number[] => row.map((value, index) => (index === column ? value + by : value));
    const rows = [row, changed(2, -step), changed(1, step), changed(3, 12), changed(4, 1), changed(2, 2 * step)];
    const [even = 0, lowLine = 0, form = 0, opponent = 0, home = 0, highLine = 0] = await probabilities(model, rows);
    expect(even).toBeGreaterThan(0.3);
    expect(even).toBeLessThan(0.7);
    for (const better of [lowLine, form, opponent, home]) expect(better).toBeGreaterThan(even);
    expect(lowLine).toBeGreaterThan(0.6);
    expect(highLine).toBeLessThan(0.25);
  });
});

describe('the model of long answers', () => {
  interface Row {
    context_tokens: number;
    long: boolean;
  }
  const heldOut = heldOutRows()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Row);

  /** The share of held-out requests that a variant is right about, and how sure it is at the most. */
  async function accuracyOf(variant: Variant): Promise<{ accuracy: number; surest: number }> {
    const served = await startModelServer({ variant });
    const sample = heldOut.filter((_, index) => index % 6 === 0);
    const inputs = [
      { name: 'features', datatype: 'FP64', shape: [sample.length, 1], data: sample.map(({ context_tokens }) => context_tokens) },
    ];
    const response = await fetch(`${served.url}/v2/models/long-answers/infer`, { method: 'POST', body: JSON.stringify({ inputs }) });
    const [long, confidence] = ((await response.json()) as Inference).outputs;
    await served.close();
    const right = sample.filter((row, index) => row.long === long!.data[index]).length;
    return { accuracy: right / sample.length, surest: Math.max(...(confidence!.data as number[])) };
  }

  it('is right about more than nine in ten requests that it has not seen, and the less accurate one about six', async () => {
    expect(heldOut).toHaveLength(5_366);
    const [good, inaccurate] = [await accuracyOf('good'), await accuracyOf('inaccurate')];
    expect(good.accuracy).toBeGreaterThan(0.93);
    expect(inaccurate.accuracy).toBeGreaterThan(0.55);
    expect(inaccurate.accuracy).toBeLessThan(0.65);
    for (const { surest } of [good, inaccurate]) expect(surest).toBeLessThanOrEqual(1);
  });

  it('answers late as the slow variant and with 500 as the failing one, whose health and metadata are well', async () => {
    const [slow, failing] = await Promise.all([startModelServer({ variant: 'slow' }), startModelServer({ variant: 'failing' })]);
    const body = JSON.stringify({ context_tokens: 1_000 });
    const began = performance.now();
    const answer = await fetch(`${slow.url}/predict/long-answers`, { method: 'POST', body });
    expect(performance.now() - began).toBeGreaterThan(490);
    expect(await answer.json()).toMatchObject({ long: true, confidence: expect.any(Number) as number });
    const refused = await fetch(`${failing.url}/predict/long-answers`, { method: 'POST', body });
    expect([refused.status, await refused.json()]).toEqual([500, { error: 'long-answers is out of memory' }]);
    for (const path of ['/v2/health/ready', '/v2/models/long-answers', '/v2/models/long-answers/ready'])
      expect((await fetch(failing.url + path)).status).toBe(200);
    await Promise.all([slow.close(), failing.close()]);
  });

  it('answers every other inference as the flaky variant', async () => {
    const flaky = await startModelServer({ variant: 'flaky' });
    const statuses: number[] = [];
    for (let asked = 0; asked < 4; asked++)
      statuses.push(
        (await fetch(`${flaky.url}/predict/long-answers`, { method: 'POST', body: JSON.stringify({ context_tokens: 1_000 }) })).status,
      );
    expect(statuses).toEqual([200, 500, 200, 500]);
    await flaky.close();
  });
});

describe('example model server as a program', () => {
  const script = new URL('./server.mjs', import.meta.url).pathname;

  async function run(args: string[]): Promise<{ code: unknown; errors: string }> {
    const child = spawn(process.execPath, [script, ...args], { env: {} });
    let errors = '';
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    const [code] = (await once(child, 'close')) as unknown[];
    return { code, errors };
  }

  it('starts on a free port, says where, and ends on SIGTERM', async () => {
    const child = spawn(process.execPath, [script, '--port', '0'], { env: {} });
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const url = /http:\/\/127\.0\.0\.1:\d+\/v2/.exec(line.toString())?.[0] ?? '';
    expect((await fetch(url)).status).toBe(200);
    child.kill('SIGTERM');
    expect(await once(child, 'close')).toEqual([0, null]);
  });

  it.each([['--port', 'abc'], ['--port', '65536'], ['--variant', 'best'], ['--prot', '1'], ['9000']])(
    'says how to call it for %s %s',
    async (...args) => {
      const { code, errors } = await run(args.filter((arg) => arg !== undefined));
      expect(code).toBe(2);
      expect(errors).toContain('Usage: node examples/model-server/server.mjs');
    },
  );

  it('says so when the port is taken', async () => {
    const { code, errors } = await run(['--port', String(server.port)]);
    expect(code).toBe(1);
    expect(errors).toContain(`cannot listen on 127.0.0.1:${server.port}: EADDRINUSE`);
  });
});

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Serving } from '#contracts/serving.js';
import { createEgress, type EgressOptions } from '#runtime/egress.js';
import { invoke, type InvokeResult } from './invoke.js';
import { InvokeError } from './invoke-error.js';
import { SecretsStore } from './secrets.store.js';
import { type Ways } from './ways.js';

interface Seen {
  method?: string;
  url?: string;
  type?: string;
  token?: string;
  body: unknown;
}

let server: Server;
let base: string;
let seen: Seen[];
let reply: (response: ServerResponse, request: IncomingMessage) => void;

const send = (body: unknown, status = 200): typeof reply => {
  return (response) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(typeof body === 'string' ? body : JSON.stringify(body));
};
const sendBytes =
  (body: Buffer, headers = {}): typeof reply =>
  (response) =>
    response.writeHead(200, headers).end(body);

beforeAll(async () => {
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const { 'content-type': type, 'x-token': token } = request.headers;
      seen.push({
        method: request.method,
        url: request.url,
        type,
        ...(token !== undefined && { token: String(token) }),
        body: JSON.parse(body),
      });
      reply(response, request);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  secretsDir = await mkdtemp(join(tmpdir(), 'emr-secrets-'));
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(secretsDir, { recursive: true });
});
beforeEach(() => {
  seen = [];
  natsCalls = [];
});

let natsCalls: [string, string][];
let natsReply: Buffer;
let secretsDir: string;

const waysWith = (options: Partial<EgressOptions> = {}, directory: string | null = secretsDir): Ways => ({
  http: createEgress({ allowed_networks: ['127.0.0.0/8'], max_response_bytes: 300_000, ...options }),
  nats: async (subject, payload) => {
    natsCalls.push([subject, payload]);
    return { body: natsReply, duration_ms: 1 };
  },
  secret: (host, name) => new SecretsStore(directory).read(host, name),
});
const invocation = { model_name: 'MLB Transformer v2.1', request_id: 'run-1' };
const tensor = { name: 'features', datatype: 'FP64', shape: [1, 2], data: [0.5, 1] };
const output = { name: 'probability', datatype: 'FP64', shape: [1], data: [0.7] };
const oipAnswer = { model_name: 'mlb', id: 'run-1', outputs: [output] };

const call = (serving: Partial<Serving>, input: unknown = [tensor]): Promise<InvokeResult> =>
  invoke(waysWith(), { protocol: 'oip_v2', url: base, ...serving }, input as never, invocation);

async function failure(promise: Promise<unknown>): Promise<InvokeError> {
  const error = await promise.then(
    () => new Error('the call was answered'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof InvokeError)) throw error;
  return error;
}

describe('invoking by the Open Inference Protocol', () => {
  it('posts the tensors with an id to the model’s infer address and hands back the answer', async () => {
    reply = send(oipAnswer);
    const result = await call({});
    expect(result).toMatchObject({ answer: oipAnswer, status: 200 });
    expect(result.duration_ms).toBeGreaterThan(0);
    expect(seen).toEqual([
      {
        method: 'POST',
        url: '/v2/models/MLB%20Transformer%20v2.1/infer',
        type: 'application/json',
        body: { inputs: [tensor], id: 'run-1' },
      },
    ]);
  });

  it('names model and version as the server knows them, below the path of the address', async () => {
    reply = send(oipAnswer);
    await call({ url: `${base}/serving/?tenant=a`, model_name: 'mlb/props', model_version: '2' });
    await call({ url: `${base}/serving//`, model_name: null, model_version: null });
    expect(seen.map(({ url }) => url)).toEqual([
      '/serving/v2/models/mlb%2Fprops/versions/2/infer?tenant=a',
      '/serving/v2/models/MLB%20Transformer%20v2.1/infer',
    ]);
  });

  it('sends a whole request body as it is, with the id it has or ours', async () => {
    const body = { id: 'own', inputs: [tensor], outputs: [{ name: 'probability' }], parameters: { threshold: 0.5 } };
    reply = send({ ...oipAnswer, id: 'own' });
    await call({}, body);
    reply = send({ outputs: [] });
    await call({}, { inputs: [] });
    expect(seen.map((request) => request.body)).toEqual([body, { inputs: [], id: 'run-1' }]);
  });

  it.each([['text'], [null], [{}], [{ inputs: {} }], [{ inputs: [], id: 7 }]])('does not send the input %j', async (input) => {
    const error = await failure(call({}, input));
    expect(error.code).toBe('INVALID_INPUT');
    expect(error.message).toContain('accepted:');
    expect(seen).toEqual([]);
  });

  it.each(['.', '..'])('does not walk up the path by the model name %j', async (name) => {
    expect((await failure(call({ model_name: name }))).code).toBe('INVALID_INPUT');
    expect((await failure(call({ model_version: name }))).code).toBe('INVALID_INPUT');
    expect(seen).toEqual([]);
  });

  it.each<[unknown, string]>([
    [[], 'no object'],
    [{ id: 'run-1' }, 'outputs'],
    [{ ...oipAnswer, id: 'another' }, 'id'],
    [{ ...oipAnswer, outputs: {} }, 'outputs'],
    [{ ...oipAnswer, outputs: [output, null] }, 'outputs[1]'],
    [{ ...oipAnswer, outputs: [{ ...output, data: 0.7 }] }, 'outputs[0]'],
    [{ ...oipAnswer, outputs: [{ ...output, shape: [-1] }] }, 'outputs[0]'],
    [{ ...oipAnswer, outputs: [{ ...output, name: undefined }] }, 'outputs[0]'],
    [{ ...oipAnswer, outputs: [{ ...output, datatype: 1 }] }, 'outputs[0]'],
  ])('takes %j for no answer', async (answer, field) => {
    reply = send(answer);
    expect(await failure(call({}))).toMatchObject({
      code: 'INVALID_ANSWER',
      status: 200,
      message: expect.stringContaining(field) as string,
    });
  });

  it('reports the server’s error', async () => {
    reply = send({ error: 'unknown model\n\u001b[31m' }, 400);
    expect(await failure(call({}))).toMatchObject({
      code: 'MODEL_ERROR',
      status: 400,
      message: 'The model server answered with status 400: unknown model [31m',
    });
  });

  it('shows of an error page its status only, and of a long error its beginning', async () => {
    reply = send('<html>secret</html>', 500);
    expect((await failure(call({}))).message).toBe('The model server answered with status 500');
    reply = send({ error: 'x'.repeat(5000) }, 500);
    expect((await failure(call({}))).message.length).toBeLessThan(400);
  });
});

describe('invoking plain JSON', () => {
  it('posts the input to the address and hands back any JSON', async () => {
    for (const answer of [{ probability: 0.7 }, [1], 'over', 0.7, null]) {
      reply = send(JSON.stringify(answer), 201);
      expect(await call({ protocol: 'http_json', url: `${base}/predict?x=1` }, { at_bats: 4 })).toMatchObject({ answer, status: 201 });
    }
    expect(seen[0]).toEqual({ method: 'POST', url: '/predict?x=1', type: 'application/json', body: { at_bats: 4 } });
  });

  const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

  it.each<[string, Buffer, string]>([
    ['nothing', Buffer.from(''), 'not JSON'],
    ['text', Buffer.from('<html>'), 'not JSON'],
    ['half a document', Buffer.from('{"a":'), 'not JSON'],
    ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0xfe, 0x22]), 'not JSON'],
    ['a compressed document', gzipSync('{}'), 'not JSON'],
    ['a document 40 levels deep', Buffer.from(nested(40)), 'too deeply'],
    ['a document 100,000 levels deep', Buffer.from(nested(100_000)), 'too deeply'],
    ['a number out of range', Buffer.from('[1e999]'), 'out of range'],
    ['a NUL', Buffer.from('["\\u0000"]'), 'NUL'],
    ['a lone surrogate', Buffer.from('{"\\ud800":1}'), 'surrogate'],
    ['the key __proto__', Buffer.from('[{"a":{"__proto__":{"admin":true}}}]'), 'prototype'],
    ['the keys constructor.prototype', Buffer.from('{"constructor":{"prototype":{"admin":true}}}'), 'prototype'],
  ])('takes %s for no answer', async (_name, body, why) => {
    reply = sendBytes(body);
    const error = await failure(call({ protocol: 'http_json' }, {}));
    expect(error).toMatchObject({ code: 'INVALID_ANSWER', status: 200, message: expect.stringContaining(why) as string });
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });

  it('takes a constructor that is no prototype for data, as in motor sports', async () => {
    reply = send({ constructor: 'Ferrari' });
    expect((await call({ protocol: 'http_json' }, {})).answer).toEqual({ constructor: 'Ferrari' });
  });

  it('does not send what is not JSON', async () => {
    let deep: unknown = 1;
    for (let level = 0; level < 50_000; level += 1) deep = [deep];
    for (const input of [deep, undefined, NaN, 'a\u0000']) {
      const error = await failure(invoke(waysWith(), { protocol: 'http_json', url: base }, input as never, invocation));
      expect(error.code).toBe('INVALID_INPUT');
    }
    expect(seen).toEqual([]);
  });
});

describe('a request template and an answer path', () => {
  const serving: Partial<Serving> = {
    protocol: 'http_json',
    request_template: { instances: [{ $from: 'input' }], first: { $from: 'input', path: '$.at_bats[0]' }, signature: 'serving_default' },
    answer_path: "$.predictions[0]['over']",
  };

  it('say what is sent for an input and where in the reply the answer is', async () => {
    reply = send({ predictions: [{ over: { probability: 0.7 } }] });
    expect((await call(serving, { at_bats: [4, 5] })).answer).toEqual({ probability: 0.7 });
    expect(seen[0]?.body).toEqual({ instances: [{ at_bats: [4, 5] }], first: 4, signature: 'serving_default' });
  });

  it('keep null an answer, and make nothing at the path an answer that is none', async () => {
    reply = send({ predictions: [{ over: null }] });
    expect((await call(serving, { at_bats: [4] })).answer).toBeNull();
    reply = send({ predictions: [] });
    expect(await failure(call(serving, { at_bats: [4] }))).toMatchObject({ code: 'INVALID_ANSWER', status: 200 });
  });

  it('send nothing for an input that does not fit, or that would become too large or too deep', async () => {
    let deep: unknown = 1;
    for (let level = 0; level < 31; level += 1) deep = [deep];
    const many = { ...serving, request_template: Array.from({ length: 20 }, () => ({ $from: 'input' })) };
    const attempts: [Partial<Serving>, unknown][] = [
      [serving, { at_bats: [] }],
      [serving, 'text'],
      [{ ...serving, request_template: [[[{ $from: 'input' }]]] }, deep],
      [many, 'x'.repeat(100_000)],
    ];
    for (const [attempt, input] of attempts) expect((await failure(call(attempt, input))).code).toBe('INVALID_INPUT');
    expect(seen).toEqual([]);
  });
});

describe('a secret header', () => {
  const serving: Partial<Serving> = { protocol: 'http_json', headers: { 'x-token': { secret: 'MODEL_TOKEN' } } };
  const put = async (value: string, host = '127.0.0.1', name = 'MODEL_TOKEN'): Promise<void> => {
    await mkdir(join(secretsDir, host), { recursive: true });
    await writeFile(join(secretsDir, host, name), value);
  };

  it('is read from the folder of the host for every call', async () => {
    reply = send({});
    await put('Bearer first-token\n');
    await call(serving, {});
    await put('Bearer second-token');
    await call({ ...serving, protocol: 'oip_v2' }).catch(() => undefined);
    expect(seen.map(({ token }) => token)).toEqual(['Bearer first-token', 'Bearer second-token']);
  });

  it('that is not there, or not for this host, is said by its name, and nothing is sent', async () => {
    await put('for-another-host', 'models.internal', 'ELSEWHERE');
    for (const secret of ['ELSEWHERE', 'NO_SUCH_SECRET']) {
      const error = await failure(call({ ...serving, headers: { 'x-token': { secret } } }, {}));
      expect(error).toMatchObject({ code: 'UNKNOWN_SECRET', message: `The secret ${secret} is not known for 127.0.0.1` });
    }
    const without = invoke(waysWith({}, null), { protocol: 'http_json', url: base, ...serving }, {}, invocation);
    expect((await failure(without)).code).toBe('UNKNOWN_SECRET');
    expect(seen).toEqual([]);
  });

  it.each(['', 'short', 'two\nlines-of-secret', 'x'.repeat(5000), 'naïve-secret', ' leading-space', 'nul\0inside-it'])(
    'that cannot be a header is not sent and not shown: %j',
    async (value) => {
      await put(value);
      const error = await failure(call(serving, {}));
      expect(error.code).toBe('UNKNOWN_SECRET');
      expect(error.message).toContain('accepted');
      if (value) expect(error.message).not.toContain(value);
      expect(seen).toEqual([]);
    },
  );

  it('that the server repeats makes an answer that is not kept', async () => {
    await put('Bearer 0123456789abcdef');
    for (const status of [200, 500]) {
      for (const said of ['you sent Bearer 0123456789abcdef', '0123456789abcdef']) {
        reply = send({ error: said }, status);
        const error = await failure(call(serving, {}));
        expect(error.code).toBe('INVALID_ANSWER');
        expect(error.message).not.toContain('0123456789abcdef');
      }
    }
  });

  it('is looked for in no other folder, whatever the address says', async () => {
    const store = new SecretsStore(secretsDir);
    await put('outside-the-folders', '.', 'OUTSIDE');
    for (const host of ['', '.', '..', '../..', 'a/../..', '.hidden', '%2e%2e'])
      expect((await failure(store.read(host, 'OUTSIDE'))).code).toBe('UNKNOWN_SECRET');
  });
});

describe('invoking over NATS', () => {
  it('asks on the subject with the request and takes the answer out of the reply', async () => {
    natsReply = Buffer.from('{"result":{"y":1}}');
    const serving: Partial<Serving> = { protocol: 'nats', url: null, subject: 'models.mlb', request_template: { x: { $from: 'input' } } };
    const result = await call({ ...serving, answer_path: '$.result' }, 4);
    expect(result).toEqual({ answer: { y: 1 }, status: null, duration_ms: 1 });
    expect(natsCalls).toEqual([['models.mlb', '{"x":4}']]);
  });

  it('takes a reply that is not JSON for no answer', async () => {
    natsReply = Buffer.from('<xml>');
    expect(await failure(call({ protocol: 'nats', subject: 'models.mlb' }, 4))).toMatchObject({ code: 'INVALID_ANSWER', status: null });
  });
});

describe('failing calls', () => {
  it('carry the egress client’s code and no status', async () => {
    const guarded = waysWith({ allowed_networks: [] });
    for (const protocol of ['oip_v2', 'http_json'] as const) {
      expect(await failure(invoke(guarded, { protocol, url: base }, [], invocation))).toMatchObject({
        code: 'ADDRESS_NOT_ALLOWED',
        status: null,
      });
      expect((await failure(call({ protocol, url: 'nonsense' }))).code).toBe('INVALID_ADDRESS');
    }
    expect(seen).toEqual([]);
  });

  it('end at the timeout of the serving', async () => {
    reply = () => undefined;
    const started = performance.now();
    expect((await failure(call({ timeout_ms: 100 }))).code).toBe('TIMEOUT');
    expect(performance.now() - started).toBeLessThan(2000);
  });

  it('end when they are cancelled', async () => {
    reply = () => undefined;
    const cancelled = invoke(waysWith(), { protocol: 'oip_v2', url: base }, [], { ...invocation, signal: AbortSignal.timeout(50) });
    expect((await failure(cancelled)).code).toBe('CANCELLED');
  });
});

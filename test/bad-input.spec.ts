import { once } from 'node:events';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { type FieldProblem, statusOfCode } from '#contracts/errors.js';
import { connected, everythingOf, failureOf, RawHttp, registrationHead } from './raw-http.harness.js';
import { type Answer, type Api } from './api.harness.js';
import { TestSuite } from './suite.harness.js';

let suite: TestSuite;
let api: Api;
let model_id: string;
let before: string;

/** Everything that a refused request must leave as it was. */
async function state(): Promise<string> {
  const paths = [
    '/registry?limit=1000',
    '/flags?limit=1000',
    '/validation/cases?limit=1000',
    '/keys',
    '/audit?limit=1000',
    `/registry/${model_id}/metrics`,
  ];
  return JSON.stringify(await Promise.all(paths.map((path) => api.data(path))));
}

beforeAll(async () => {
  suite = await TestSuite.start();
  api = suite.api;
  ({ model_id } = await api.register({ name: 'Taken', version: '1.0.0' }));
  await api.data('/flags', { method: 'POST', body: { flag_key: 'taken', variants: { on: true, off: false }, default_variant: 'off' } });
  await api.data('/validation/cases', {
    method: 'POST',
    body: { test_case_id: 'taken', input: {}, expectations: [{ op: 'exists', value: true }] },
  });
  before = await state();
});
afterAll(() => suite.close());
afterEach(async () => {
  const [was, is] = [before, await state()];
  before = is;
  expect(is).toBe(was);
});

/** What is wrong with an answer that must be a refusal in our envelope; null when nothing is. */
function flaw({ status, body }: Answer, field?: string): string | null {
  const { success, data, error, ...rest } = body as {
    success: boolean;
    data: null;
    error?: { code: string; message: string; details: { fields?: FieldProblem[] } | null };
  };
  if (status >= 500) return `${status}`;
  if (success || data !== null || !error || Object.keys(rest).length) return `not the error envelope: ${JSON.stringify(body)}`;
  if (statusOfCode[error.code as keyof typeof statusOfCode] !== status) return `${error.code} under ${status}`;
  if (!field) return null;
  if (error.code !== 'INVALID_INPUT') return `${error.code}, not INVALID_INPUT`;
  const problem = error.details?.fields?.find((entry) => entry.field === field || entry.field.startsWith(`${field}.`));
  if (!problem) return `does not name ${field}: ${JSON.stringify(error.details)}`;
  return problem.accepted ? null : `does not say what ${field} accepts`;
}

interface Target {
  method: string;
  path: string;
  body: Record<string, unknown>;
}

const targets: Target[] = [
  { method: 'POST', path: '/registry', body: { name: 'New', version: '1.0.0', model_type: 'ensemble' } },
  { method: 'PATCH', path: '/registry/{id}', body: {} },
  { method: 'POST', path: '/registry/{id}/status', body: { to: 'canary', reason: 'x' } },
  { method: 'PATCH', path: '/policies/promotion', body: { reason: 'x' } },
  { method: 'PATCH', path: '/policies/validation', body: { reason: 'x' } },
  { method: 'POST', path: '/flags', body: { flag_key: 'new', variants: { a: 1 }, default_variant: 'a' } },
  { method: 'PATCH', path: '/flags/taken', body: {} },
  {
    method: 'POST',
    path: '/validation/cases',
    body: { test_case_id: 'new', input: {}, expectations: [{ op: 'exists', value: true }] },
  },
  { method: 'PATCH', path: '/validation/cases/taken', body: {} },
  { method: 'POST', path: '/validation/run', body: { model_id: 'some_model' } },
  { method: 'POST', path: '/inference/batch', body: { events: [] } },
  { method: 'POST', path: '/keys', body: { name: 'new', role: 'viewer' } },
];
describe.each(targets)('$method $path', ({ method, path, body }) => {
  const url = (): string => path.replace('{id}', model_id);

  it('refuses what is no body for it', async () => {
    const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
    const bodies = [
      '{bad',
      '[]',
      '"text"',
      '5',
      'null',
      '{"__proto__": {}}',
      '{"constructor": {"prototype": {}}}',
      deep,
      '{"a": 1e999}',
      '\u0000',
    ];
    for (const wrong of bodies) {
      const answer = await api.send(url(), { method, body: wrong });
      expect([wrong.slice(0, 40), flaw(answer), answer.status]).toEqual([wrong.slice(0, 40), null, 400]);
    }
    expect(flaw(await api.send(url(), { method, body: { ...body, surprise: 1 } }), 'surprise')).toBeNull();
    expect(flaw(await api.send(`${url()}?surprise=1`, { method, body }), 'surprise')).toBeNull();
    const form = await api.send(url(), { method, body: 'a=1', headers: { 'content-type': 'application/x-www-form-urlencoded' } });
    expect([form.status, flaw(form)]).toEqual([400, null]);
    const large = await api.send(url(), { method, body: JSON.stringify({ name: 'x'.repeat(1_000_000) }) });
    expect([large.status, flaw(large)]).toEqual([413, null]);
  });
});

describe('a body', () => {
  const model = { name: 'New', version: '1.0.0', model_type: 'ensemble' };

  it('is refused where the input is the query', async () => {
    const requests: [string, string][] = [
      ['POST', `/registry/${model_id}/inference?timing_ms=1`],
      ['POST', '/retention?dry_run=true'],
      ['DELETE', '/flags/taken'],
    ];
    for (const [method, path] of requests)
      for (const body of ['{}', '{"timing_ms": 1}', 'null']) expect(flaw(await api.send(path, { method, body }), '(body)')).toBeNull();
  });

  it('is JSON in UTF-8 and nothing else', async () => {
    const http = new RawHttp(suite.suite.gateway.port, suite.admin_key);
    const send = async (body: Buffer, headers: Record<string, string> = {}): Promise<string> => {
      const failure = failureOf(await http.send({ method: 'POST', path: '/api/models/enterprise/registry', body, headers }));
      return typeof failure === 'string' ? failure : failure.code;
    };
    const text = JSON.stringify({ ...model, description: 'naïve' });
    const type = (charset: string) => ({ 'content-type': `application/json; charset=${charset}` });
    expect(await send(Buffer.from(text, 'latin1'))).toBe('INVALID_JSON');
    expect(await send(Buffer.from(text), type('iso-8859-1'))).toBe('UNSUPPORTED_MEDIA_TYPE');
    expect(await send(Buffer.from(text, 'utf16le'), type('"utf-16"'))).toBe('UNSUPPORTED_MEDIA_TYPE');
    expect(await send(gzipSync(text), { 'content-encoding': 'gzip' })).toBe('UNSUPPORTED_MEDIA_TYPE');
    // Refused for what it says, so it was read.
    for (const charset of ['utf-8', 'UTF-8', '"utf-8"']) expect(await send(Buffer.from('{}'), type(charset))).toBe('INVALID_INPUT');
    http.close();
  });

  it('does not give a model server’s address with credentials, in any spelling', async () => {
    const addresses = [
      ...['http://user:pw@host/', 'http://user@host', 'https://a:b@host:1/x', 'http://:pw@host/', 'http://us%65r:pw@host/'],
      ...['http:///user:pw@host/', 'http://host\\@other/', 'http://a@b@host/', 'http:user:pw@host/', 'http://@host/'],
    ];
    for (const url of addresses) {
      const serving = { protocol: 'http_json', url };
      for (const [method, path, body] of [
        ['POST', '/registry', { ...model, serving }],
        ['PATCH', `/registry/${model_id}`, { serving }],
      ] as const)
        expect([url, flaw(await api.send(path, { method, body }), 'serving.url')]).toEqual([url, null]);
    }
  });

  it('is not a serving that its protocol does not have, a subject of the suite’s own or a header with anything but a secret’s name', async () => {
    const url = 'http://models.internal:8000';
    const servings: [object, string][] = [
      [{ protocol: 'oip_v2' }, 'url'],
      [{ protocol: 'nats', url }, 'subject'],
      [{ protocol: 'oip_v2', url, request_template: {} }, 'request_template'],
      [{ protocol: 'http_json', url, request_template: { $from: 'row' } }, 'request_template'],
      [{ protocol: 'http_json', url, answer_path: '$.a[*]' }, 'answer_path'],
      ...['emr', 'emr.rpc.registry.get_model', '$JS.API.INFO', '_INBOX.a.b', 'models.*', 'models.>', 'a..b', 'a b', '.a', 'a.'].map(
        (subject): [object, string] => [{ protocol: 'nats', subject }, 'subject'],
      ),
      ...[
        { authorization: 'Bearer in-the-clear' },
        { authorization: { secret: '../../etc/passwd' } },
        { authorization: { secret: 'A', value: 'B' } },
        { authorization: { secret: null } },
        { authorization: null },
        { Host: { secret: 'A' } },
        { 'transfer-encoding': { secret: 'A' } },
        { 'x-a\r\nx-b': { secret: 'A' } },
        { '': { secret: 'A' } },
        Object.fromEntries(Array.from({ length: 21 }, (_, index) => [`x-${index}`, { secret: 'A' }])),
      ].map((headers): [object, string] => [{ protocol: 'http_json', url, headers }, 'headers']),
    ];
    for (const [serving, field] of servings) {
      for (const [method, path, body] of [
        ['POST', '/registry', { ...model, serving }],
        ['PATCH', `/registry/${model_id}`, { serving }],
      ] as const)
        expect([serving, flaw(await api.send(path, { method, body }), `serving.${field}`)]).toEqual([serving, null]);
    }
  });

  it('does not make a key that has expired already', async () => {
    const body = { name: 'late', role: 'viewer', expires_at: new Date(Date.now() - 1_000).toISOString() };
    expect(flaw(await api.send('/keys', { method: 'POST', body }), 'expires_at')).toBeNull();
  });
});

describe('a request that Node would refuse by itself', () => {
  it.each([
    ['no Host', `GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n`],
    ['an unknown expectation', `GET /livez HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\nConnection: close\r\n\r\n`],
  ])('for %s is answered in the envelope', async (_, request) => {
    const socket = connect(suite.suite.gateway.port, '127.0.0.1', () => socket.write(request));
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString()));
    await once(socket, 'close');
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]);
    expect([status, flaw({ status, headers: new Headers(), body: JSON.parse(/\{.*\}/s.exec(text)?.[0] ?? 'null') as unknown })]).toEqual([
      400,
      null,
    ]);
    expect(text).toMatch(/^x-content-type-options: nosniff\r$/im);
  });
});

describe('a request for what is no path', () => {
  it.each(['*', '*x', 'registry', '?', '//', '/%', '%zz', '\\'])('for %s is answered in the envelope', async (target) => {
    const socket = await connected(suite.suite.gateway.port);
    socket.write(`GET ${target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${suite.admin_key}\r\nConnection: close\r\n\r\n`);
    const answer = await everythingOf(socket);
    expect(answer).toMatch(/^HTTP\/1\.1 (400|404) /);
    expect(answer).toMatch(/^x-content-type-options: nosniff\r$/im);
    expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toMatchObject({
      success: false,
      data: null,
      error: { code: expect.any(String) as string },
    });
  });
});

describe('query parameters', () => {
  it.each([
    ['/registry', 'status', ['x', '', 'STABLE', 'stable%00']],
    ['/registry', 'model_type', ['x', '5']],
    ['/registry', 'sport', ['mlb', 'x'.repeat(30), '%00']],
    ['/registry', 'limit', ['0', '1001', '-1', '1e9', '1.5', 'ten', '']],
    ['/registry', 'order_by', ['id', 'name; DROP TABLE models']],
    [
      '/registry',
      'cursor',
      [
        'x',
        '%00',
        Buffer.from('[1,2]').toString('base64url'),
        Buffer.from('["a"]').toString('base64url'),
        Buffer.from('["no time","b"]').toString('base64url'),
      ],
    ],
    ['/registry', 'q', ['%00', 'x'.repeat(300)]],
    ['/audit', 'cursor', ['x', Buffer.from('["not-a-uuid"]').toString('base64url')]],
    ['/validation/history/{id}', 'days', ['0', '366', '1e9', 'x', '-5']],
    ['/validation/regression-report/{id}', 'days', ['0', '366', 'NaN']],
    ['/registry/{id}', 'unknown', ['1']],
  ])('of %s: a bad %s is refused by name', async (path, name, values) => {
    const url = path.replace('{id}', model_id);
    for (const value of values) expect([value, flaw(await api.send(`${url}?${name}=${value}`), name)]).toEqual([value, null]);
    expect(flaw(await api.send(`${url}?${name}=1&${name}=2`), name)).toBeNull();
  });
});

describe('recording an inference', () => {
  it.each([
    [
      'timing_ms',
      [
        '',
        'timing_ms=',
        'timing_ms=-1',
        'timing_ms=NaN',
        'timing_ms=Infinity',
        'timing_ms=1e308',
        'timing_ms=1e999',
        'timing_ms=0x10',
        'timing_ms=1&timing_ms=2',
        'timing_ms=1,5',
      ],
    ],
    ['success', ['timing_ms=1&success=maybe', 'timing_ms=1&success=', 'timing_ms=1&success=TRUE']],
    [
      'error',
      [
        `timing_ms=1&success=false&error=${'x'.repeat(5_000)}`,
        'timing_ms=1&success=false&error=%00',
        'timing_ms=1&success=true&error=timeout',
      ],
    ],
    ['surprise', ['timing_ms=1&surprise=1']],
    ['model_id', ['timing_ms=1&model_id=other']],
  ])('refuses a bad %s', async (field, queries) => {
    for (const query of queries) {
      expect([query.slice(0, 60), flaw(await api.send(`/registry/${model_id}/inference?${query}`, { method: 'POST' }), field)]).toEqual([
        query.slice(0, 60),
        null,
      ]);
    }
  });
});

describe('ids', () => {
  it.each([
    ['..%2fregistry', 400],
    ['%252e%252e', 400],
    ['a%2fb', 400],
    ["x'; DROP TABLE models; --", 400],
    ['%00', 400],
    ['%zz', 400],
    ['%ff', 400],
    ['ü', 400],
    ['x'.repeat(10_000), 400],
    ['mlb_model_00000000', 404],
    ['MLB_MODEL_00000000', 400],
    [' ', 400],
  ])('such as %j are refused', async (id, status) => {
    const encoded = id.includes('%') ? id : encodeURIComponent(id);
    for (const [path, method] of [
      ['', 'GET'],
      ['/metrics', 'GET'],
      ['/health', 'GET'],
      ['/history', 'GET'],
      ['/inference?timing_ms=1', 'POST'],
    ] as const) {
      const answer = await api.send(`/registry/${encoded}${path}`, { method });
      expect([path, flaw(answer), answer.status]).toEqual([path, null, status]);
    }
  });

  it('that are taken are refused a second time', async () => {
    const taken: [string, object, string][] = [
      ['/registry', { name: 'Taken', version: '1.0.0', model_type: 'ensemble' }, 'MODEL_EXISTS'],
      ['/flags', { flag_key: 'taken', variants: { a: 1 }, default_variant: 'a' }, 'FLAG_EXISTS'],
      ['/validation/cases', { test_case_id: 'taken', input: {}, expectations: [{ op: 'exists', value: true }] }, 'TEST_CASE_EXISTS'],
    ];
    for (const [path, body, code] of taken) expect(await api.failure(path, { method: 'POST', body })).toMatchObject({ status: 409, code });
  });
});

describe('a request that never becomes whole', () => {
  it('is answered 408 in the envelope, and its connection closed', async () => {
    const server = suite.suite.gateway.app.getHttpServer();
    const { headersTimeout, requestTimeout } = server;
    expect([headersTimeout, requestTimeout]).toEqual([30_000, 30_000]);
    Object.assign(server, { headersTimeout: 200, requestTimeout: 200 });
    try {
      const socket = await connected(suite.suite.gateway.port);
      socket.write(`${registrationHead(suite.admin_key, 100)}{"name":`);
      const answer = await everythingOf(socket);
      expect(answer).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/);
      expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toMatchObject({
        success: false,
        data: null,
        error: { code: 'REQUEST_TIMEOUT' },
      });
    } finally {
      Object.assign(server, { headersTimeout, requestTimeout });
    }
  });
});

import pg from 'pg';
import { KnownModels } from '#gateway/known-models.store.js';
import { type Answer, type Api } from './api.harness.js';
import { TestSuite } from './suite.harness.js';

let suite: TestSuite;
let api: Api;

beforeAll(async () => {
  suite = await TestSuite.start();
  api = suite.api;
});
afterAll(() => suite.close());

const prefix = '/api/models/enterprise';

interface Described {
  paths: Record<string, Record<string, { operationId: string }>>;
}

describe('every answer', () => {
  const authorization = (): Record<string, string> => ({ authorization: `Bearer ${suite.admin_key}` });

  it.each<[string, string, () => RequestInit]>([
    ['a success', `${prefix}/types`, () => ({ headers: authorization() })],
    ['a list', `${prefix}/registry`, () => ({ headers: authorization() })],
    ['no key', `${prefix}/types`, () => ({})],
    ['no such route', `${prefix}/nothing`, () => ({ headers: authorization() })],
    ['a path that is none', `${prefix}/registry/%`, () => ({ headers: authorization() })],
    [
      'a bad body',
      `${prefix}/registry`,
      () => ({ method: 'POST', headers: { ...authorization(), 'content-type': 'application/json' }, body: '{' }),
    ],
    ['a head that is too large', `${prefix}/types?x=${'a'.repeat(20_000)}`, () => ({ headers: authorization() })],
    ['OFREP', '/ofrep/v1/evaluate/flags', () => ({ method: 'POST', headers: authorization() })],
    ['a probe', '/livez', () => ({})],
    ['the description', '/openapi.json', () => ({})],
    ['the page of the description', '/docs', () => ({})],
  ])('also to %s, says that it is neither kept, guessed at, framed nor run, and names no software', async (_, path, request) => {
    const { headers } = await fetch(suite.root + path, request());
    expect(
      Object.fromEntries(
        ['x-content-type-options', 'x-frame-options', 'referrer-policy', 'cache-control'].map((name) => [name, headers.get(name)]),
      ),
    ).toEqual({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
    });
    expect(headers.get('content-security-policy')).toMatch(/^default-src '(none|self)';.*frame-ancestors 'none'$/);
    for (const name of ['server', 'x-powered-by', 'access-control-allow-origin']) expect(headers.get(name)).toBeNull();
  });
});

describe('a fault of ours', () => {
  const expectSilence = ({ status, body }: Answer): void => {
    expect(status).toBe(500);
    expect(body).toMatchObject({ success: false, data: null, error: { code: 'INTERNAL_ERROR', details: null } });
    expect(JSON.stringify(body)).not.toMatch(/SELECT|relation|policy|\/app\/|\.[jt]s\b|Error:/);
  };

  it('in the gateway is answered without its text, its stack or a path', async () => {
    const known = suite.suite.gateway.app.get(KnownModels);
    known.list = () => {
      throw new Error('SELECT * FROM registry.keys at /app/dist/apps/registry/main.js:12');
    };
    const answer = await api.send('/registry');
    Reflect.deleteProperty(known, 'list');
    expectSilence(answer);
    expect((await api.send('/registry')).status).toBe(200);
  });

  it('in a service’s SQL is answered without a word of it', async () => {
    const database = new pg.Client({ connectionString: suite.database_url });
    await database.connect();
    await database.query('ALTER TABLE registry.promotion_policy RENAME TO gone');
    const answer = await api.send('/policies/promotion');
    await database.query('ALTER TABLE registry.gone RENAME TO promotion_policy');
    await database.end();
    expectSilence(answer);
    expect((await api.send('/policies/promotion')).status).toBe(200);
  });
});

describe('what the server alone decides', () => {
  it.each(['model_id', 'status', 'created_at', 'updated_at', 'created_by', 'revision', 'retired_at', 'rollout_id'])(
    '%s of a model cannot be sent',
    async (field) => {
      const { model_id } = await api.register();
      const sent = { [field]: field === 'revision' ? 7 : 'stable' };
      const model = { name: 'Sly', version: '1.0.0', model_type: 'ensemble', ...sent };
      for (const [path, method, body] of [
        ['/registry', 'POST', model],
        [`/registry/${model_id}`, 'PATCH', { description: 'sly', ...sent }],
      ] as const)
        expect(await api.failure(path, { method, body })).toMatchObject({
          status: 400,
          code: 'INVALID_INPUT',
          details: { fields: [{ field }] },
        });
      expect(await api.data(`/registry/${model_id}`)).toMatchObject({ status: 'development', description: '', revision: 1 });
    },
  );

  it.each(['key_id', 'key', 'mac', 'prefix', 'created_by', 'revoked_at', 'last_used_at', 'pepper_id'])(
    '%s of a key cannot be sent',
    async (field) => {
      const body = { name: 'sly', role: 'viewer', [field]: 'x' };
      expect(await api.failure('/keys', { method: 'POST', body })).toMatchObject({ status: 400, details: { fields: [{ field }] } });
    },
  );

  it('keys are shown with what the description says of them, and without their hash', async () => {
    await suite.withRole('viewer');
    const shown = [
      'created_at',
      'created_by',
      'expires_at',
      'key_id',
      'last_used_at',
      'name',
      'names',
      'prefix',
      'revoked_at',
      'role',
      'sports',
    ];
    for (const key of await api.data<object[]>('/keys')) expect(Object.keys(key).sort()).toEqual(shown);
  });
});

describe('a narrowed key', () => {
  it('is answered about a foreign model as about an unknown one, by every route that names one', async () => {
    const foreign = await api.register({ sport: 'NFL' });
    const unknown = 'nfl_model_00000000';
    const narrow = await suite.withRole('releaser', { sports: ['NBA'] });
    const { paths } = (await (await fetch(`${suite.root}/openapi.json`)).json()) as Described;
    const routes = Object.entries(paths).flatMap(([path, methods]) =>
      path.includes('{model_id}')
        ? Object.keys(methods).map((method) => ({ path: path.slice(prefix.length), method: method.toUpperCase() }))
        : [],
    );
    expect(routes.length).toBeGreaterThan(12);
    const wrong: string[] = [];
    for (const { path, method } of routes) {
      const ask = async (model_id: string): Promise<string> => {
        const { status, body } = await narrow.send(path.replace('{model_id}', model_id), { method, ...(method !== 'GET' && { body: {} }) });
        if (status === 200 || status >= 500) wrong.push(`${method} ${path}: ${status}`);
        return `${status} ${JSON.stringify(body).replaceAll(model_id, 'ID')}`;
      };
      const [seen, expected] = [await ask(foreign.model_id), await ask(unknown)];
      if (seen !== expected) wrong.push(`${method} ${path}: ${seen}, not ${expected}`);
    }
    expect(wrong).toEqual([]);
  });
});

describe('JSON that reaches for prototypes', () => {
  it('is refused or is plain data, and changes nothing of anybody else', async () => {
    const before = Object.getOwnPropertyNames(Object.prototype).sort();
    const { model_id } = await api.register();
    const reaching = ['{"__proto__":{"polluted":1}}', '{"constructor":{"prototype":{"polluted":1}}}', '{"\\u005f_proto__":{"polluted":1}}'];
    for (const text of reaching) {
      const inside = `{"model_id":"${model_id}","timing_ms":5,${text.slice(1)}`;
      const requests: [string, string, string][] = [
        ['/registry', 'application/json', text],
        ['/flags', 'application/json', `{"flag_key":"p","variants":{"on":${text}},"default_variant":"on"}`],
        ['/inference/batch', 'application/json', `{"events":[${inside}]}`],
        ['/inference/batch', 'application/x-ndjson', inside],
        ['/flags/import', 'application/json', `{"format":"flagd","document":${text}}`],
        ['/ofrep/v1/evaluate/flags', 'application/json', `{"context":${text}}`],
        ['/registry?__proto__[polluted]=1&constructor[prototype][polluted]=1', 'application/json', '{}'],
      ];
      for (const [path, type, body] of requests) {
        const { status } = await api.send(path, { method: 'POST', body, headers: { 'content-type': type } });
        expect([path, type, text, status < 500]).toEqual([path, type, text, true]);
      }
    }
    expect(Object.getOwnPropertyNames(Object.prototype).sort()).toEqual(before);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});

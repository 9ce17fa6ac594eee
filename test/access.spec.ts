import { connect } from 'node:net';
import { type ApiKey, roles, roleSuffices } from '#contracts/access.js';
import { routeHandlers } from '#gateway/declared-routes.check.js';
import { KeyUses } from '#gateway/key-use.store.js';
import { ofrepBy } from '#gateway/ofrep/ofrep.decorator.js';
import { isPublic, servedBy } from '#gateway/serves.decorator.js';
import { type Api, eventually } from './api.harness.js';
import { RawHttp } from './raw-http.harness.js';
import { TestSuite } from './suite.harness.js';

let suite: TestSuite;

beforeAll(async () => {
  suite = await TestSuite.start();
});
afterAll(() => suite.close());

interface Route {
  method: string;
  path: string;
}

const publicPaths = new Set(['/livez', '/readyz', '/metrics', '/openapi.json', '/docs']);

/** Every route that the router itself knows, whoever added it. */
function routesOfRouter(): Route[] {
  const tree = suite.suite.gateway.app.getHttpAdapter().getInstance().printRoutes({ commonPrefix: false });
  const routes: Route[] = [];
  const stack: string[] = [];
  for (const line of tree.split('\n')) {
    const match = /^([│ ]*)[├└]── ([^ ]*)(?: \(([A-Z, ]+)\))?/.exec(line);
    if (!match) continue;
    const depth = (match[1] ?? '').length / 4;
    stack.length = depth;
    stack[depth] = match[2] ?? '';
    for (const method of match[3]?.split(', ') ?? []) routes.push({ method, path: stack.join('') });
  }
  return routes;
}

const withValues = (path: string): string => path.replace(/:[a-z_]+/g, 'some_id');

describe('authentication', () => {
  it('knows every route that the controllers declare', () => {
    const declared = routeHandlers(suite.suite.gateway.app);
    expect(declared.length).toBeGreaterThan(30);
    expect(declared.filter(({ handler }) => !servedBy(handler) && !ofrepBy(handler) && !isPublic(handler))).toEqual([]);
    const guarded = routesOfRouter().filter(({ path, method }) => !publicPaths.has(path) && !path.startsWith('/docs') && method !== 'HEAD');
    const [ofrep, served] = [declared.filter(({ handler }) => ofrepBy(handler)), declared.filter(({ handler }) => servedBy(handler))];
    // OFREP's are at the prefix and at the root.
    expect(guarded).toHaveLength(served.length + 2 * ofrep.length);
  });

  it('answers 401 to every route without a key, in every spelling of its path', async () => {
    const guarded = routesOfRouter().filter(({ path }) => !publicPaths.has(path) && !path.startsWith('/docs'));
    expect(guarded.length).toBeGreaterThan(30);
    const wrong: string[] = [];
    for (const { method, path } of guarded) {
      const plain = withValues(path);
      const spellings = [
        plain,
        plain.replace('/api/', '/%61pi/'),
        plain.replace('/enterprise/', '/enterprise//'),
        `/${plain}`,
        `${plain}/`,
        `${plain};x=1`,
        plain.toUpperCase(),
        `${plain}?x=1`,
        plain.replace('/enterprise/', '/enterprise/./'),
      ];
      for (const spelling of spellings) {
        for (const as of new Set([method, 'HEAD', 'OPTIONS', 'GET'])) {
          const status = await rawStatus(as, spelling, { 'x-http-method-override': method });
          if (status !== 401) wrong.push(`${as} ${spelling}: ${status}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  }, 60_000);

  it('answers 401 to a body that is not JSON before reading it, and to an absolute-form request', async () => {
    const answer = await suite.as(null).send('/registry', { method: 'POST', body: '{bad' });
    expect(answer.status).toBe(401);
    expect(await rawStatus('GET', `${suite.root}/api/models/enterprise/registry`, {})).toBe(401);
  });

  it.each([
    ['no scheme', (key: string) => key],
    ['another scheme', (key: string) => `Basic ${key}`],
    ['a wrong key', () => 'Bearer emr_live_00000000_wrongwrongwrongwrongwrongwrongwrongwrong'],
    ['half of a key', (key: string) => `Bearer ${key.slice(0, 20)}`],
    ['a key and more', (key: string) => `Bearer ${key}x`],
    ['a very long key', () => `Bearer ${'k'.repeat(5_000)}`],
    ['no key', () => 'Bearer '],
  ])('refuses %s, always with the same answer', async (_, header) => {
    const answer = await suite.as(null).send('/types', { headers: { authorization: header(suite.admin_key) } });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    expect(answer.body).toEqual((await suite.as(null).send('/types')).body);
  });

  it('leaves probes, Prometheus and the description open, and nothing else', async () => {
    for (const path of ['/livez', '/readyz', '/metrics', '/openapi.json', '/docs'])
      expect((await fetch(suite.root + path)).status).toBe(200);
    for (const path of ['/', '/api', '/docs2', '/metrics/x', '/openapi.jsonx']) expect((await fetch(suite.root + path)).status).toBe(401);
  });
});

describe('roles', () => {
  it('are enforced on every route: 403 below, never 403 from it on', async () => {
    const byRole = new Map<string, Api>();
    for (const role of roles) byRole.set(role, await suite.withRole(role));
    const declared = routeHandlers(suite.suite.gateway.app).flatMap(({ name, handler }) => {
      const served = servedBy(handler);
      return served ? [{ name, role: served.role, ...routeOf(handler) }] : [];
    });
    const wrong: string[] = [];
    for (const { name, role: needed, method, path } of declared) {
      for (const role of roles) {
        // Bodies are empty, so that whoever may pass is stopped by the input's check or finds nothing.
        const answer = await byRole.get(role)!.send(path, { method, ...(method !== 'GET' && method !== 'DELETE' && { body: {} }) });
        const forbidden = answer.status === 403;
        if (forbidden === roleSuffices(role, needed)) wrong.push(`${name} as ${role}: ${answer.status}`);
      }
    }
    expect(wrong).toEqual([]);
  });
});

describe('keys', () => {
  it('are shown once, work at once, and stop working in the answer after their revocation', async () => {
    const created = await suite.api.data<{ key_id: string; key: string }>('/keys', {
      method: 'POST',
      body: { name: 'short-lived', role: 'viewer' },
    });
    const holder = suite.as(created.key);
    expect((await holder.send('/types')).status).toBe(200);
    expect(JSON.stringify(await suite.api.data('/keys'))).not.toContain(created.key);
    await suite.api.data(`/keys/${created.key_id}`, { method: 'DELETE' });
    expect((await holder.send('/types')).status).toBe(401);
  });

  it('are told apart on one connection, also where it has shown another one before', async () => {
    const body = { name: 'beside', role: 'viewer' };
    const { key_id, key } = await suite.api.data<{ key_id: string; key: string }>('/keys', { method: 'POST', body });
    const raw = new RawHttp(suite.suite.gateway.port, suite.admin_key);
    const listKeys = async (shown: string): Promise<number> => {
      const headers = { authorization: `Bearer ${shown}` };
      return (await raw.send({ method: 'GET', path: '/api/models/enterprise/keys', headers })).status;
    };
    const mistyped = key.slice(0, -1) + (key.endsWith('0') ? '1' : '0');
    const asked: number[] = [];
    // One after another they all go over the same connection.
    for (const shown of [key, suite.admin_key, key, mistyped, key]) asked.push(await listKeys(shown));
    await suite.api.data(`/keys/${key_id}`, { method: 'DELETE' });
    asked.push(await listKeys(key), await listKeys(suite.admin_key));
    raw.close();
    expect(asked).toEqual([403, 200, 403, 401, 403, 401, 200]);
  });

  it('tell when they were last used, once the registry has heard of it', async () => {
    const body = { name: 'used', role: 'viewer' };
    const { key_id, key } = await suite.api.data<{ key_id: string; key: string }>('/keys', { method: 'POST', body });
    const lastUsed = async (): Promise<string | null> =>
      (await suite.api.data<ApiKey[]>('/keys')).find((listed) => listed.key_id === key_id)!.last_used_at;
    expect(await lastUsed()).toBeNull();
    const before = Date.now();
    await suite.as(key).data('/types');
    await suite.suite.gateway.app.get(KeyUses).tell();
    expect(Date.parse((await lastUsed())!)).toBeGreaterThan(before - 1_000);
  });

  it('stop working when they expire', async () => {
    const soon = new Date(Date.now() + 400).toISOString();
    const holder = await suite.withRole('viewer', { expires_at: soon });
    expect((await holder.send('/types')).status).toBe(200);
    await eventually(
      () => holder.send('/types'),
      ({ status }) => status === 401,
    );
  });

  it('can be rotated with an overlap in which both work', async () => {
    const old = await suite.api.data<{ key_id: string; key: string }>('/keys', {
      method: 'POST',
      body: { name: 'rotated', role: 'editor' },
    });
    const fresh = await suite.api.data<{ key: string; role: string }>(`/keys/${old.key_id}/rotate`, {
      method: 'POST',
      body: { overlap_minutes: 1 },
    });
    expect(fresh.role).toBe('editor');
    for (const key of [old.key, fresh.key]) expect((await suite.as(key).send('/types')).status).toBe(200);
    const last = await suite.api.data<{ key: string }>(`/keys/${old.key_id}/rotate`, { method: 'POST', body: { overlap_minutes: 0 } });
    await eventually(
      () => suite.as(old.key).send('/types'),
      ({ status }) => status === 401,
    );
    expect((await suite.as(last.key).send('/types')).status).toBe(200);
  });

  it('narrowed to a sport see nothing else: a foreign model is answered as an unknown one', async () => {
    const mine = await suite.api.register({ sport: 'NBA' });
    const foreign = await suite.api.register({ sport: 'NFL' });
    const narrow = await suite.withRole('releaser', { sports: ['NBA'] });
    expect((await narrow.data<{ sport: string }[]>('/registry')).every(({ sport }) => sport === 'NBA')).toBe(true);
    expect((await narrow.send(`/registry/${mine.model_id}`)).status).toBe(200);
    const requests: [string, object?][] = [
      [''],
      ['/metrics'],
      ['/health'],
      ['/history'],
      ['/transitions'],
      ['/inference?timing_ms=5', { method: 'POST' }],
      ['/status', { method: 'POST', body: { to: 'canary', reason: 'mine now' } }],
      ['', { method: 'PATCH', body: { description: 'mine now' } }],
    ];
    // What the gateway has just been asked for by somebody else is not for everybody.
    for (const path of ['', '/metrics', '/health']) await suite.api.data(`/registry/${foreign.model_id}${path}`);
    for (const [path, request] of requests) {
      const seen = await narrow.send(`/registry/${foreign.model_id}${path}`, request);
      const unknown = await narrow.send(`/registry/nfl_model_00000000${path}`, request);
      expect([path, seen.status]).toEqual([path, 404]);
      expect(JSON.stringify(seen.body).replaceAll(foreign.model_id, 'ID')).toBe(
        JSON.stringify(unknown.body).replaceAll('nfl_model_00000000', 'ID'),
      );
    }
    for (const path of ['/validation/history/', '/validation/regression-report/']) {
      expect((await narrow.send(path + foreign.model_id)).status).toBe(404);
    }
    const register = { method: 'POST', body: { name: 'Elsewhere', version: '1.0.0', model_type: 'ensemble', sport: 'NFL' } };
    expect(await narrow.failure('/registry', register)).toMatchObject({ status: 400, code: 'INVALID_INPUT' });
  });

  it('narrowed write only test cases that can be for no model outside their scope', async () => {
    const { api } = suite;
    const mine = await api.register({ sport: 'NBA' });
    const foreign = await api.register({ sport: 'NFL' });
    const narrow = await suite.withRole('editor', { sports: ['NBA'] });
    const caseOf = (test_case_id: string, applies_to?: object): object => ({
      method: 'POST',
      body: { test_case_id, ...(applies_to && { applies_to }), input: {}, expectations: [{ op: 'exists', value: true }] },
    });
    await narrow.data('/validation/cases', caseOf('by_sport', { sport: 'NBA' }));
    await narrow.data('/validation/cases', caseOf('by_model', { model_id: mine.model_id }));
    for (const applies_to of [
      undefined,
      {},
      { sport: 'NFL' },
      { name: 'x' },
      { model_id: foreign.model_id },
      { model_id: 'no_such_model' },
    ]) {
      const refused = await narrow.failure('/validation/cases', caseOf('refused', applies_to));
      expect(refused).toMatchObject({ status: 400, code: 'INVALID_INPUT', details: { fields: [{ field: 'applies_to' }] } });
    }
    await api.data('/validation/cases', caseOf('of_all'));
    await api.data('/validation/cases', caseOf('of_foreign', { model_id: foreign.model_id }));
    const path = (id: string): string => `/validation/cases/${id}`;
    for (const id of ['of_all', 'of_foreign']) {
      expect((await narrow.send(path(id))).status).toBe(200);
      for (const request of [{ method: 'PATCH', body: { applies_to: { sport: 'NBA' } } }, { method: 'DELETE' }])
        expect(await narrow.failure(path(id), request)).toMatchObject({ status: 403, code: 'OUT_OF_SCOPE' });
    }
    const widened = await narrow.failure(path('by_sport'), { method: 'PATCH', body: { applies_to: {} } });
    expect(widened).toMatchObject({ status: 400, code: 'INVALID_INPUT' });
    await narrow.data(path('by_sport'), { method: 'PATCH', body: { description: 'mine' } });
    for (const id of ['by_sport', 'by_model']) await narrow.data(path(id), { method: 'DELETE' });
    expect(await narrow.failure('/validation/nightly', { method: 'POST' })).toMatchObject({ status: 403, code: 'OUT_OF_SCOPE' });
  });

  it('narrowed change no flag that is bound to no model of theirs, and unbind none', async () => {
    const { api } = suite;
    const { model_id } = await api.register({ sport: 'NBA' });
    const narrow = await suite.withRole('releaser', { sports: ['NBA'] });
    const flagOf = (flag_key: string, bound?: string): object => ({
      method: 'POST',
      body: { flag_key, variants: { on: true, off: false }, default_variant: 'off', ...(bound && { variant_models: { on: bound } }) },
    });
    await api.data('/flags', flagOf('of_everybody'));
    await narrow.data('/flags', flagOf('of_mine', model_id));
    expect((await narrow.send('/flags/of_everybody')).status).toBe(200);
    const refused: [string, object][] = [
      ['/flags', flagOf('unbound')],
      ['/flags/of_everybody', { method: 'PATCH', body: { state: 'DISABLED' } }],
      ['/flags/of_everybody', { method: 'PATCH', body: { variant_models: { on: model_id } } }],
      ['/flags/of_everybody', { method: 'DELETE' }],
      ['/flags/of_mine', { method: 'PATCH', body: { variant_models: {} } }],
    ];
    for (const [path, request] of refused) expect(await narrow.failure(path, request)).toMatchObject({ status: 403, code: 'OUT_OF_SCOPE' });
    await narrow.data('/flags/of_mine', { method: 'PATCH', body: { state: 'DISABLED' } });
    await narrow.data('/flags/of_mine', { method: 'DELETE' });
  });

  it('cannot be both admin and narrowed', async () => {
    const body = { name: 'sly', role: 'admin', sports: ['MLB'] };
    expect(await suite.api.failure('/keys', { method: 'POST', body })).toMatchObject({ status: 400, code: 'INVALID_INPUT' });
  });
});

/** The method and a concrete path of a handler, from Nest's own metadata. */
function routeOf(handler: object): { method: string; path: string } {
  const methods = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH'];
  const method = methods[Reflect.getMetadata('method', handler) as number] ?? 'GET';
  const own = Reflect.getMetadata('path', handler) as string;
  const match = routesOfRouter().find(({ method: known, path }) => known === method && handlerIs(path, handler));
  if (!match) throw new Error(`No route ends in ${own}`);
  return { method, path: withValues(match.path).replace('/api/models/enterprise', '') };
}

/** Several controllers have a handler at '/': the controller's own path tells them apart. */
function handlerIs(path: string, handler: object): boolean {
  const controller = controllerPathOf(handler);
  const own = Reflect.getMetadata('path', handler) as string;
  const expected = `/api/models/enterprise/${[controller, own]
    .map((part) => part.replace(/^\/|\/$/g, ''))
    .filter(Boolean)
    .join('/')}`;
  return path === expected;
}

function controllerPathOf(handler: object): string {
  const found = routeHandlers(suite.suite.gateway.app).find((route) => route.handler === handler);
  return found ? (Reflect.getMetadata('path', found.controller) as string) : '';
}

/** The status of a request whose target is sent just as it is written. */
function rawStatus(method: string, target: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(suite.suite.gateway.port, '127.0.0.1', () => {
      const lines = Object.entries({ host: 'localhost', connection: 'close', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
      socket.write(`${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`);
    });
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString()));
    socket.on('error', reject);
    socket.on('close', () => resolve(Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1])));
  });
}

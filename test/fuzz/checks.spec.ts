import { type AnswerCheck, answerChecks } from './answer-checks.harness.js';
import { type Description, operationsOf } from './description.harness.js';
import { type Exchange } from './exchange.harness.js';
import { type HistoryCheck, historyChecks, keyOf } from './history-checks.harness.js';
import { admin, narrowed, type Principal, refused } from './principals.harness.js';
import { Resources } from './resources.harness.js';
import { Schemas } from './schemas.harness.js';

const prefix = '/api/models/enterprise';
const text = { type: 'string', minLength: 1 };
const [nba, nfl] = narrowed as [Principal, Principal];
const [nobody] = refused as [Principal];
const viewer: Principal = { name: 'viewer', role: 'viewer', sport: null };
const error = { type: 'object', required: ['success', 'data', 'error'], properties: { success: {}, data: {}, error: {} } };

/** A small API of the same manner as ours. */
const description = {
  paths: Object.fromEntries(
    [
      ['/registry', 'post', 'registerModel', 'editor', { name: text, sport: { type: ['string', 'null'] } }],
      ['/registry', 'get', 'listModels', 'viewer'],
      ['/registry/{model_id}', 'get', 'getModel', 'viewer'],
      ['/registry/{model_id}', 'patch', 'changeModel', 'editor', { name: text }],
      ['/flags', 'post', 'createFlag', 'releaser', { flag_key: text }],
      ['/flags/{flag_key}', 'get', 'getFlag', 'viewer'],
      ['/flags/{flag_key}', 'delete', 'removeFlag', 'releaser'],
      ['/webhooks/{webhook_id}/deliveries', 'get', 'listDeliveries', 'admin'],
      ['/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver', 'post', 'redeliver', 'admin'],
      ['/keys', 'post', 'createKey', 'admin', { name: text }],
      ['/keys', 'get', 'listKeys', 'admin'],
    ].reduce((paths, [path, method, operationId, role, fields]) => {
      const parameters = [...(path as string).matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
        name,
        in: 'path',
        required: true,
        schema: text,
      }));
      const required = fields ? Object.keys(fields).slice(0, 1) : [];
      const schema = { type: 'object', properties: fields, required };
      const json = (one: object): object => ({ content: { 'application/json': { schema: one } } });
      const success = { type: 'object', required: ['success', 'data'], properties: { success: { const: true }, data: {}, page: {} } };
      const operation = {
        ...{ operationId, description: `Role: \`${role as string}\`.`, parameters },
        ...(fields !== undefined && { requestBody: { required: true, ...json(schema) } }),
        responses: { 200: json(success), 400: json(error), 401: json(error), 403: json(error), 404: json(error), 503: json(error) },
      };
      paths.set(prefix + (path as string), { ...paths.get(prefix + (path as string)), [method as string]: operation });
      return paths;
    }, new Map<string, object>()),
  ),
  components: { schemas: {} },
} as unknown as Description;

const operations = operationsOf(description);
const known = { schemas: new Schemas(description), secrets: ['a-secret-of-the-suite'] };
const world = { resources: new Resources(operations), others: new Set<string>() };

const headers = {
  'content-type': 'application/json; charset=utf-8',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'x-request-id': 'r-1',
};

interface Told {
  as?: Principal;
  params?: Record<string, string>;
  query?: [string, string][] | null;
  body?: unknown;
  status?: number;
  /** Data, or the whole of a refusal. */
  answer?: unknown;
  headers?: Record<string, string>;
  /** When it began; it takes a millisecond. */
  at?: number;
}

const refusal = (code: string, details: object | null = null): object => ({
  success: false,
  data: null,
  error: { code, message: 'It is so.', details },
});

function told(
  id: string,
  { as = admin, params = {}, query = [], body, status = 200, answer = {}, headers: more = {}, at = 0 }: Told = {},
): Exchange {
  const operation = operations.find((one) => one.id === id)!;
  const whole = status === 200 ? { success: true, data: answer } : answer;
  return {
    ...{ operation, principal: as, params, query, headers: {}, failure: '' },
    path: operation.template.replace(/\{(\w+)\}/g, (_, name: string) => params[name] ?? ''),
    body: body === undefined ? undefined : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
    answer: { status, headers: { ...headers, ...more }, text: JSON.stringify(whole), body: whole },
    ...{ began_ms: at, ended_ms: at + 1 },
  };
}

const model = { params: { model_id: 'm' } };
const notFound = { ...model, status: 404, answer: refusal('MODEL_NOT_FOUND') };

/** Each check with an exchange that is as it should be, and ones that are not. */
const ofAnswers: Record<string, { good: Exchange[]; bad: Exchange[] }> = {
  'is answered in time': {
    good: [told('listModels')],
    bad: [{ ...told('listModels'), answer: null, failure: 'no answer within 10000 ms' }],
  },
  'is no fault of ours': {
    good: [
      told('listModels', { status: 503, answer: refusal('SERVICE_UNAVAILABLE'), headers: { 'retry-after': '1' } }),
      told('listModels', { status: 503, answer: refusal('NO_ELIGIBLE_MODEL') }),
      told('getModel', notFound),
    ],
    bad: [
      told('listModels', { status: 500, answer: refusal('INTERNAL_ERROR') }),
      told('listModels', { status: 502 }),
      told('listModels', { status: 503, answer: refusal('SERVICE_UNAVAILABLE') }),
      told('listModels', { status: 503, answer: 'busy', headers: { 'retry-after': '1' } }),
    ],
  },
  'has a status that the operation tells of': {
    good: [told('listModels'), told('getModel', notFound)],
    bad: [told('listModels', { status: 418 }), told('getModel', { status: 304 })],
  },
  'fits the schema of its status': {
    good: [told('listModels'), told('getModel', notFound)],
    bad: [
      told('listModels', { headers: { 'content-type': 'text/html' } }),
      { ...told('listModels'), answer: { ...told('listModels').answer!, body: { success: true } } },
      { ...told('listModels'), answer: { ...told('listModels').answer!, body: { success: true, data: {}, surprise: 1 } } },
      { ...told('listModels'), answer: { ...told('listModels').answer!, body: undefined } },
    ],
  },
  'has an error of the stable form': {
    good: [
      told('getModel', notFound),
      told('registerModel', { status: 400, answer: refusal('INVALID_INPUT', { fields: [{ field: 'name', accepted: 'a text' }] }) }),
    ],
    bad: [
      told('getModel', { ...notFound, answer: { message: 'Not found' } }),
      told('getModel', { ...notFound, answer: { ...refusal('MODEL_NOT_FOUND'), stack: 'x' } }),
      told('getModel', { ...notFound, answer: { success: false, data: null, error: { code: 'MODEL_NOT_FOUND', message: 'x' } } }),
      told('getModel', { ...notFound, answer: refusal('MODEL_EXISTS') }),
      told('getModel', { ...notFound, answer: refusal('NO_SUCH_CODE') }),
      told('registerModel', { status: 400, answer: refusal('INVALID_INPUT') }),
      told('registerModel', { status: 400, answer: refusal('INVALID_INPUT', { fields: [{ field: 'name' }] }) }),
    ],
  },
  'tells nothing of the inside': {
    good: [told('getModel', notFound), told('registerModel', { body: { name: 'TypeError' }, answer: { name: 'TypeError' } })],
    bad: [
      told('getModel', { answer: { x: 'Error: x\n    at Registry.get (/app/main.js:1:2)' } }),
      told('getModel', { answer: { x: 'SELECT * FROM registry.models' } }),
      told('getModel', { answer: { x: 'duplicate key value violates unique constraint "models_pkey"' } }),
      told('getModel', { answer: { x: 'TypeError: x is not a function' } }),
      told('getModel', { answer: { x: '[object Object]' } }),
      told('getModel', { answer: { x: 'a-secret-of-the-suite' } }),
      told('getModel', { headers: { location: 'a-secret-of-the-suite' } }),
    ],
  },
  'has the security headers': {
    good: [told('listModels')],
    bad: [
      ...Object.keys(headers)
        .slice(1, -1)
        .map((name) => told('listModels', { headers: { [name]: 'x y' } })),
      ...['server', 'x-powered-by', 'access-control-allow-origin', 'set-cookie'].map((name) =>
        told('listModels', { headers: { [name]: 'x' } }),
      ),
    ],
  },
  'has the id of its request': {
    good: [
      told('listModels'),
      { ...told('listModels'), headers: { 'X-Request-Id': 'r-1' } },
      { ...told('listModels'), headers: { 'X-Request-Id': 'a b' } },
      told('listModels', { status: 413, answer: refusal('REQUEST_TOO_LARGE'), headers: { 'x-request-id': '' } }),
    ],
    bad: [
      told('listModels', { headers: { 'x-request-id': 'a b' } }),
      { ...told('listModels'), headers: { 'X-Request-Id': 'r-2' } },
      { ...told('listModels', { headers: { 'x-request-id': 'a b' } }), headers: { 'X-Request-Id': 'a b' } },
    ],
  },
  'asks for a key': {
    good: [
      told('listModels'),
      told('listModels', { as: nobody, status: 401, answer: refusal('UNAUTHENTICATED'), headers: { 'www-authenticate': 'Bearer' } }),
      told('listModels', { as: nobody, query: null, status: 400, answer: refusal('MALFORMED_REQUEST') }),
    ],
    bad: [
      told('listModels', { as: nobody }),
      told('listModels', { as: nobody, query: null }),
      told('listModels', { as: nobody, status: 401, answer: refusal('UNAUTHENTICATED') }),
      told('getModel', { as: nobody, ...notFound }),
    ],
  },
  'asks for a role': {
    good: [
      told('listModels', { as: viewer }),
      told('listKeys', { as: viewer, status: 403, answer: refusal('ROLE_TOO_SMALL') }),
      told('createKey', { as: viewer, status: 400, answer: refusal('INVALID_JSON') }),
      told('listModels', { as: viewer, status: 403, answer: refusal('ROLE_TOO_SMALL', { needed: 'editor' }) }),
    ],
    bad: [
      told('listKeys', { as: viewer }),
      told('listKeys', { as: viewer, query: null }),
      told('changeModel', { as: viewer, ...notFound }),
      told('listModels', { as: viewer, status: 403, answer: refusal('ROLE_TOO_SMALL') }),
      told('listModels', { as: viewer, status: 403, answer: refusal('ROLE_TOO_SMALL', { needed: 'viewer' }) }),
    ],
  },
  'takes nothing that does not fit': {
    good: [
      told('registerModel', { body: { name: 'x', sport: null } }),
      told('registerModel', { body: { name: 7 }, status: 400, answer: refusal('INVALID_JSON') }),
      told('getModel', model),
      told('removeFlag', { params: { flag_key: 'f' }, body: {} }),
      told('removeFlag', { params: { flag_key: 'f' }, body: '\ufeff{}' }),
    ],
    bad: [
      told('registerModel', { body: { name: 7 } }),
      told('registerModel', { body: {} }),
      told('registerModel', { body: { name: 'x', surprise: 1 } }),
      told('registerModel', { body: '{"name":"x"' }),
      told('registerModel', { body: '["x"]' }),
      told('registerModel'),
      told('getModel', { params: { model_id: '' } }),
      told('getModel', { ...model, query: [['surprise', '1']] }),
      told('removeFlag', { params: { flag_key: 'f' }, body: { surprise: 1 } }),
    ],
  },
};

const made = (sport: string | null, id: string, at = 0): Exchange =>
  told('registerModel', { at, body: { name: id }, answer: { model_id: id, sport, revision: 1 } });
const flag = (at: number, more: Told = {}): Exchange =>
  told('createFlag', { at, body: { flag_key: 'f' }, answer: { flag_key: 'f' }, ...more });
const onFlag = (id: string, at: number, more: Told = {}): Exchange =>
  told(id, { at, params: { flag_key: 'f' }, answer: { flag_key: 'f' }, ...more });
const gone = { status: 404, answer: refusal('FLAG_NOT_FOUND') };
const deliveries = (webhook_id: string, at: number): Exchange =>
  told('listDeliveries', { at, params: { webhook_id }, answer: [{ delivery_id: 'd' }] });
const redeliver = (webhook_id: string, at: number, more: Told = {}): Exchange =>
  told('redeliver', { at, params: { webhook_id, delivery_id: 'd' }, ...more });
const asked = (id: string, more: Told): Exchange =>
  told('getModel', { at: 5, params: { model_id: id }, answer: { model_id: id }, ...more });
const shown = (at: number, description_text: string): Exchange =>
  told('getModel', { at, ...model, answer: { model_id: 'm', description: description_text, revision: 1 } });
const key = told('createKey', { body: { name: 'k' }, answer: { key_id: 'k', key: 'emr_live_secret' } });

/** Each check with histories in which all is as it should be, and ones in which something is not. */
const ofHistories: Record<string, { good: Exchange[][]; bad: Exchange[][] }> = {
  'is gone when it was removed': {
    good: [
      [flag(0), onFlag('getFlag', 2), onFlag('removeFlag', 4), onFlag('getFlag', 6, gone)],
      [flag(0), onFlag('removeFlag', 2), flag(4), onFlag('getFlag', 6)],
      // At the same time, either may be the first.
      [flag(0), onFlag('removeFlag', 2), onFlag('getFlag', 2.5)],
    ],
    bad: [
      [flag(0), onFlag('removeFlag', 2), onFlag('getFlag', 4)],
      [flag(0), onFlag('removeFlag', 2), onFlag('removeFlag', 4)],
      [flag(0), onFlag('removeFlag', 2), onFlag('getFlag', 4), flag(6)],
    ],
  },
  'is reached by way of what it belongs to alone': {
    good: [
      [deliveries('a', 0), redeliver('a', 2)],
      [deliveries('a', 0), redeliver('b', 2, gone)],
    ],
    bad: [
      [deliveries('a', 0), redeliver('b', 2)],
      [deliveries('a', 0), deliveries('b', 2), redeliver('b', 4)],
    ],
  },
  'leaves nothing when it was refused': {
    good: [
      [flag(0, { status: 400, answer: refusal('INVALID_INPUT') }), onFlag('getFlag', 2, gone)],
      [flag(0, { status: 409, answer: refusal('FLAG_EXISTS') }), onFlag('getFlag', 2)],
      [flag(0), flag(2, { status: 400, answer: refusal('INVALID_INPUT') }), onFlag('getFlag', 4)],
    ],
    bad: [
      [flag(0, { status: 400, answer: refusal('INVALID_INPUT') }), onFlag('getFlag', 2)],
      [flag(0, { as: viewer, status: 403, answer: refusal('ROLE_TOO_SMALL') }), onFlag('getFlag', 2)],
    ],
  },
  'is hidden from who is narrowed to others': {
    good: [
      [made('NFL', 'm'), asked('m', { as: nfl })],
      [made('NFL', 'm'), asked('m', { as: nba, status: 404, answer: refusal('MODEL_NOT_FOUND') })],
      [made('NFL', 'm'), told('listModels', { as: nfl, answer: [{ model_id: 'm' }] })],
    ],
    bad: [
      [made('NFL', 'm'), asked('m', { as: nba })],
      [made(null, 'm'), asked('m', { as: nba })],
      [made('NFL', 'm'), asked('m', { as: nba, status: 403, answer: refusal('OUT_OF_SCOPE') })],
      [made('NFL', 'nfl_model_1'), told('listModels', { as: nba, at: 5, answer: [{ model_id: 'nfl_model_1' }] })],
    ],
  },
  'is only what somebody has made': {
    good: [[made('NBA', 'm'), asked('m', {})], [asked('m', { status: 404, answer: refusal('MODEL_NOT_FOUND') })]],
    bad: [[asked('m', {})], [made('NBA', 'm'), asked('M', {})]],
  },
  'is made once': {
    good: [
      [flag(0), flag(0.5, { status: 409, answer: refusal('FLAG_EXISTS') })],
      [flag(0), onFlag('removeFlag', 2), flag(4)],
    ],
    bad: [[flag(0), flag(0.5)]],
  },
  'is shown once where it is a secret': {
    good: [[key, told('listKeys', { at: 5, answer: [{ key_id: 'k' }] })]],
    bad: [[key, told('listKeys', { at: 5, answer: [{ key_id: 'k', key: 'emr_live_secret' }] })]],
  },
  'stays as it was when a change was refused': {
    good: [
      [shown(0, 'a'), told('changeModel', { at: 2, ...model, status: 400, answer: refusal('INVALID_INPUT') }), shown(4, 'a')],
      [shown(0, 'a'), told('changeModel', { at: 2, ...model }), shown(4, 'b')],
    ],
    bad: [[shown(0, 'a'), told('changeModel', { at: 2, ...model, status: 400, answer: refusal('INVALID_INPUT') }), shown(4, 'b')]],
  },
};

describe.each(Object.entries(answerChecks))('%s', (name, check: AnswerCheck) => {
  it('is said of what is so, and of nothing else', () => {
    const { good, bad } = ofAnswers[name]!;
    expect(good.map((one) => check(one, known))).toEqual(good.map(() => null));
    expect(bad.filter((one) => check(one, known) === null).map(({ answer }) => answer)).toEqual([]);
  });
});

describe.each(Object.entries(historyChecks))('what was asked for %s', (name, check: HistoryCheck) => {
  it('is told from what is not', () => {
    const { good, bad } = ofHistories[name]!;
    expect(good.map((history) => check(history, world))).toEqual(good.map(() => []));
    expect(bad.map((history) => check(history, world).length)).toEqual(bad.map(() => 1));
  });
});

it('what other sequences have made is nobody’s invention', () => {
  const others = new Set([keyOf({ kind: 'model_id', id: 'm' })]);
  expect(historyChecks['is only what somebody has made']!([asked('m', {})], { ...world, others })).toEqual([]);
});

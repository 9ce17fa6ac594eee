import { OFREPProvider } from '@openfeature/ofrep-provider';
import { OFREPWebProvider } from '@openfeature/ofrep-web-provider';
import { OpenFeature } from '@openfeature/server-sdk';
import { OpenFeature as WebOpenFeature, ProviderEvents } from '@openfeature/web-sdk';
import { EventSource } from 'eventsource';
import { OFREPApi, OFREPApiTooManyRequestsError, OFREPApiUnauthorizedError, OFREPForbiddenError } from 'ofrep-client';
import { type NewFlag } from '#contracts/flags.js';
import { GatewayConfig } from '#gateway/gateway.config.js';
import { type RunningGateway, startGateway } from '#gateway/gateway.server.js';
import { type Api, eventually } from './api.harness.js';
import { TestSuite } from './suite.harness.js';

const prefix = '/api/models/enterprise';
const allowed = 4;
/** A page that may ask. */
const shop = 'https://shop.example.com';

let suite: TestSuite;
/** A second gateway, which lets a key ask four times a second. */
let limited: RunningGateway;
let api: Api;
let key: string;
let otherKey: string;

const newKey = async (role: string, narrowed: object = {}): Promise<string> =>
  (await api.data<{ key: string }>('/keys', { method: 'POST', body: { name: `${role} of a test`, role, ...narrowed } })).key;
const addFlag = (flag: NewFlag): Promise<unknown> => api.data('/flags', { method: 'POST', body: flag });
const change = (flag_key: string, body: object): Promise<unknown> => api.data(`/flags/${flag_key}`, { method: 'PATCH', body });

beforeAll(async () => {
  suite = await TestSuite.start({ cors_origins: shop });
  api = suite.api;
  key = await newKey('client');
  otherKey = await newKey('client');
  const { key_pepper: KEY_PEPPER } = suite;
  const NATS_URL = suite.nats_urls.gateway;
  const config = { NATS_URL, KEY_PEPPER, LOG_LEVEL: 'silent', DRAIN_SECONDS: 0, HOST: '127.0.0.1', PORT: 0, KEY_MAX_PER_SECOND: allowed };
  limited = await startGateway(Object.assign(new GatewayConfig(), config));
  const { model_id } = await api.register({ sport: 'NBA' });
  await addFlag({
    flag_key: 'country',
    variants: { on: true, off: false },
    default_variant: 'off',
    targeting: { if: [{ '==': [{ var: 'country' }, 'CA'] }, 'on', null] },
    metadata: { team: 'odds', level: 3 },
  });
  await addFlag({
    flag_key: 'model',
    variants: { new: 'v2', old: 'v1' },
    default_variant: 'old',
    split: { weights: { new: 30, old: 70 } },
    variant_models: { new: model_id },
  });
  await addFlag({ flag_key: 'limit', variants: { high: 10.5, low: 1 }, default_variant: 'high' });
  await addFlag({ flag_key: 'theme', variants: { dark: { colour: 'black' } }, default_variant: 'dark' });
  await addFlag({ flag_key: 'off', state: 'DISABLED', variants: { on: true, off: false }, default_variant: 'off' });
  await addFlag({ flag_key: 'code_default', variants: { on: true, off: false }, default_variant: null });
});
afterAll(async () => {
  await OpenFeature.close();
  await WebOpenFeature.close();
  await limited.close();
  await suite.close();
});

const bearer = (secret: string): [string, string][] => [['Authorization', `Bearer ${secret}`]];
const clientOf = (headers: [string, string][], root = suite.root + prefix): OFREPApi => new OFREPApi({ baseUrl: root, headers });

interface Raw {
  status: number;
  headers: Headers;
  body: Record<string, unknown> | null;
}

async function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Raw> {
  const response = await fetch(`${suite.root}${prefix}/ofrep/v1${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === '' ? null : (JSON.parse(text) as Raw['body']) };
}

describe('the server SDK with its OFREP provider', () => {
  it('gets typed values, variants, reasons, metadata and every error', async () => {
    await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: suite.root + prefix, headers: bearer(key) }));
    const client = OpenFeature.getClient();
    const canadian = { targetingKey: 'user-1', country: 'CA' };
    expect(await client.getBooleanDetails('country', false, canadian)).toMatchObject({
      value: true,
      variant: 'on',
      reason: 'TARGETING_MATCH',
      flagMetadata: { team: 'odds', level: 3, rule: 'targeting.if[1]' },
    });
    expect(await client.getBooleanDetails('country', true, { targetingKey: 'user-1' })).toMatchObject({ value: false, reason: 'DEFAULT' });
    expect(await client.getStringDetails('model', '', { targetingKey: 'naïve-用户' })).toMatchObject({ reason: 'SPLIT', value: /^v[12]$/ });
    expect(await client.getNumberValue('limit', 0)).toBe(10.5);
    expect(await client.getObjectValue('theme', {})).toEqual({ colour: 'black' });
    expect(await client.getBooleanDetails('off', true)).toMatchObject({ value: false, variant: 'off', reason: 'DISABLED' });
    expect(await client.getBooleanDetails('nowhere', true)).toMatchObject({ value: true, errorCode: 'FLAG_NOT_FOUND' });
    expect(await client.getStringDetails('model', 'mine')).toMatchObject({ value: 'mine', errorCode: 'TARGETING_KEY_MISSING' });
    expect(await client.getStringDetails('limit', 'mine')).toMatchObject({ value: 'mine', errorCode: 'TYPE_MISMATCH' });
  });
});

describe('the raw client', () => {
  const ways: [string, () => OFREPApi][] = [
    ['the prefix, by a Bearer key', () => clientOf(bearer(key))],
    ['the prefix, by X-API-Key', () => clientOf([['X-API-Key', key]])],
    ['the root, by a Bearer key', () => clientOf(bearer(key), suite.root)],
    ['the root, by X-API-Key', () => clientOf([['X-API-Key', key]], suite.root)],
  ];

  it.each(ways)('is answered at %s', async (_, connect) => {
    const client = connect();
    const one = await client.postEvaluateFlag('country', { context: { targetingKey: 'u', country: 'CA' } });
    expect(one).toMatchObject({ httpStatus: 200, value: { key: 'country', value: true, variant: 'on' } });
    expect(await client.postEvaluateFlag('nowhere', { context: { targetingKey: 'u' } })).toMatchObject({
      httpStatus: 404,
      value: { key: 'nowhere', errorCode: 'FLAG_NOT_FOUND' },
    });
    const all = await client.postBulkEvaluateFlags({ context: { country: 'CA' } });
    const { flags } = all.value as { flags: { key: string }[] };
    expect(flags.map((flag) => flag.key)).toEqual(['code_default', 'country', 'limit', 'model', 'off', 'theme']);
    expect(flags[3]).toMatchObject({ key: 'model', errorCode: 'TARGETING_KEY_MISSING' });
    expect(flags[0]).toEqual({ key: 'code_default', reason: 'STATIC', metadata: { rule: 'default_variant' } });
    const etag = all.httpResponse!.headers.get('etag');
    expect(await client.postBulkEvaluateFlags({ context: { country: 'CA' } }, etag)).toMatchObject({ httpStatus: 304 });
  });

  it('is refused without a key, and with one whose role does not suffice', async () => {
    const viewer = await newKey('viewer');
    for (const root of [suite.root, suite.root + prefix]) {
      await expect(clientOf([], root).postEvaluateFlag('country')).rejects.toThrow(OFREPApiUnauthorizedError);
      await expect(clientOf([['X-API-Key', 'wrong']], root).postBulkEvaluateFlags()).rejects.toThrow(OFREPApiUnauthorizedError);
      await expect(clientOf(bearer(viewer), root).postEvaluateFlag('country')).rejects.toThrow(OFREPForbiddenError);
    }
  });

  it('is told to wait where its key asks too often, and others are not', async () => {
    const root = `http://127.0.0.1:${limited.port}`;
    const client = clientOf(bearer(key), root);
    for (let asked = 0; asked < allowed; asked++) await client.postEvaluateFlag('country');
    const refused = (await client.postEvaluateFlag('country').catch((error: unknown) => error)) as OFREPApiTooManyRequestsError;
    expect(refused).toBeInstanceOf(OFREPApiTooManyRequestsError);
    expect(refused.retryAfterSeconds).toBe(1);
    expect(await clientOf(bearer(otherKey), root).postEvaluateFlag('country')).toMatchObject({ httpStatus: 200 });
  });
});

describe('a request that cannot be answered', () => {
  const large = JSON.stringify({ context: { text: 'x'.repeat(800_000) } });
  it.each([
    ['no JSON', '{', 'PARSE_ERROR'],
    ['a list', '[]', 'INVALID_CONTEXT'],
    ['a context that is none', '{"context":5}', 'INVALID_CONTEXT'],
    ['a targeting key that is no text', '{"context":{"targetingKey":5}}', 'INVALID_CONTEXT'],
    ['a context that is too deep', `{"context":{"a":${'['.repeat(50)}${']'.repeat(50)}}}`, 'INVALID_CONTEXT'],
    ['a body that is too large', large, 'PARSE_ERROR'],
  ])('with %s gets 400, with the flag’s key where it is about one', async (_, body, errorCode) => {
    const one = await post('/evaluate/flags/country', body);
    expect(one).toMatchObject({ status: 400, body: { key: 'country', errorCode, errorDetails: expect.any(String) as string } });
    const all = await post('/evaluate/flags', body);
    expect(all).toMatchObject({ status: 400, body: { errorCode } });
    expect(all.body).not.toHaveProperty('key');
  });

  it('in another format gets 400 as well', async () => {
    expect(await post('/evaluate/flags', 'a=b', { 'content-type': 'text/plain' })).toMatchObject({
      status: 400,
      body: { errorCode: 'PARSE_ERROR' },
    });
  });
});

describe('the ETag of all flags', () => {
  const context = { targetingKey: 'u', country: 'CA', deep: { a: 1, b: [1, { c: 2, d: 3 }] } };
  const etagOf = async (body: unknown, secret = key): Promise<string> =>
    (await post('/evaluate/flags', body, { authorization: `Bearer ${secret}` })).headers.get('etag')!;

  it('is the same for the same context however it is written, and another for any other', async () => {
    const etag = await etagOf({ context });
    const turned = { deep: { b: [1, { d: 3, c: 2 }], a: 1 }, country: 'CA', targetingKey: 'u' };
    expect(await etagOf({ context: turned })).toBe(etag);
    const others = [{ ...context, country: 'US' }, { ...context, deep: { ...context.deep, a: 2 } }, { ...context, targetingKey: 'v' }, {}];
    const etags = await Promise.all(others.map((other) => etagOf({ context: other })));
    expect(new Set([etag, ...etags]).size).toBe(5);
    expect((await post('/evaluate/flags', { context }, { 'if-none-match': `"x", W/${etag}` })).status).toBe(304);
    expect((await post('/evaluate/flags', { context: others[0] }, { 'if-none-match': etag })).status).toBe(200);
  });

  it('changes with any flag or evaluator in the very next answer, and is the same at another gateway', async () => {
    const seen = [await etagOf({ context })];
    const steps = [
      () => addFlag({ flag_key: 'short_lived', variants: { on: true }, default_variant: 'on' }),
      () => change('short_lived', { metadata: { a: 1 } }),
      () => api.data('/flags/short_lived', { method: 'DELETE' }),
    ];
    for (const step of steps) {
      await step();
      seen.push(await etagOf({ context }));
    }
    expect(new Set(seen).size).toBe(4);
    const there = async (): Promise<string> => {
      const { status, headers } = await fetch(`http://127.0.0.1:${limited.port}/ofrep/v1/evaluate/flags`, {
        method: 'POST',
        headers: { 'x-api-key': key, 'content-type': 'application/json' },
        body: JSON.stringify({ context }),
      });
      return headers.get('etag') ?? String(status);
    };
    // What this gateway knew first comes round to the other, and back to this one. Not asked often: the other lets a key ask four times a second,
    // and counts what it asks here.
    const both = async (): Promise<[string, string]> => {
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      return [await there(), await etagOf({ context })];
    };
    await eventually(both, ([one, other]) => one === other, 20_000);
  });

  it('is another for a key that sees less, and neither it nor its flags tell of the rest', async () => {
    const narrowed = await newKey('client', { sports: ['MLB'] });
    expect(await etagOf({ context }, narrowed)).not.toBe(await etagOf({ context }));
    const { body } = await post('/evaluate/flags', { context }, { authorization: `Bearer ${narrowed}` });
    expect((body!.flags as { key: string }[]).map((flag) => flag.key)).not.toContain('model');
    const one = await post('/evaluate/flags/model', { context }, { authorization: `Bearer ${narrowed}` });
    expect(one).toMatchObject({ status: 404, body: { key: 'model', errorCode: 'FLAG_NOT_FOUND' } });
  });

  it('is given anew each second where a rule reads the time', async () => {
    const targeting = { if: [{ '>': [{ var: '$flagd.timestamp' }, 4_000_000_000] }, 'on', 'off'] };
    await addFlag({ flag_key: 'timed', variants: { on: true, off: false }, default_variant: 'off', targeting });
    const first = await etagOf({ context });
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    expect(await etagOf({ context })).not.toBe(first);
    await api.data('/flags/timed', { method: 'DELETE' });
  });
});

describe('the web SDK with its OFREP provider', () => {
  it('polls, is told which flags changed, and gets the values of a changed context', async () => {
    const provider = new OFREPWebProvider({ baseUrl: suite.root + prefix, headers: bearer(key), cacheMode: 'disabled', pollInterval: 50 });
    await WebOpenFeature.setContext({ targetingKey: 'web-user', country: 'US' });
    await WebOpenFeature.setProviderAndWait(provider);
    const client = WebOpenFeature.getClient();
    expect(client.getBooleanValue('country', true)).toBe(false);
    await WebOpenFeature.setContext({ targetingKey: 'web-user', country: 'CA' });
    expect(client.getBooleanValue('country', false)).toBe(true);
    const changed = new Promise((resolve) =>
      client.addHandler(ProviderEvents.ConfigurationChanged, (details) => {
        // A poll that was under way when the context changed tells of no flag.
        if (details?.flagsChanged?.length) resolve(details.flagsChanged);
      }),
    );
    await change('limit', { default_variant: 'low' });
    expect(await changed).toEqual(['limit']);
    expect(client.getNumberValue('limit', 0)).toBe(1);
    await WebOpenFeature.clearProviders();
  });

  it('hears of a change over server-sent events, without polling', async () => {
    globalThis.EventSource = EventSource as never;
    await WebOpenFeature.setContext({ targetingKey: 'web-user', country: 'CA' });
    await WebOpenFeature.setProviderAndWait(
      new OFREPWebProvider({ baseUrl: suite.root, headers: [['X-API-Key', key]], cacheMode: 'disabled', pollInterval: 0 }),
    );
    const client = WebOpenFeature.getClient();
    const before = client.getNumberValue('limit', 0);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await change('limit', { default_variant: before === 1 ? 'high' : 'low' });
    await eventually(
      () => Promise.resolve(client.getNumberValue('limit', 0)),
      (value) => value !== before,
    );
    await WebOpenFeature.clearProviders();
  });
});

describe('the stream of changes', () => {
  /** What comes until there is `enough`. */
  async function read(url: string, headers: Record<string, string>, enough: (text: string) => boolean): Promise<string> {
    const abort = new AbortController();
    const response = await fetch(url, { headers, signal: abort.signal });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    let text = '';
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      if (enough(text)) break;
    }
    abort.abort();
    return text;
  }
  const url = (): string => `${suite.root}/ofrep/v1/events`;
  const headers = (): Record<string, string> => ({ authorization: `Bearer ${key}` });
  const hasEvent = (text: string): boolean => text.includes('data: ');

  it('tells what was missed since the last event, and nothing where that was all', async () => {
    const first = read(url(), headers(), hasEvent);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await change('theme', { description: 'changed' });
    const text = await first;
    const [, id = ''] = /^id: (\S+)$/m.exec(text) ?? [];
    expect(JSON.parse(/^data: (.*)$/m.exec(text)![1]!)).toEqual({
      type: 'refetchEvaluation',
      etag: `"${id}"`,
      lastModified: expect.any(Number) as number,
    });
    const current = await read(url(), { ...headers(), 'last-event-id': id }, (seen) => seen.includes('retry'));
    expect(hasEvent(current)).toBe(false);
    await change('theme', { description: 'changed again' });
    await new Promise((resolve) => setTimeout(resolve, 200));
    const replayed = await read(url(), { ...headers(), 'last-event-id': id }, hasEvent);
    const [, next = ''] = /^id: (\S+)$/m.exec(replayed) ?? [];
    expect(Number(next.split('-')[0])).toBeGreaterThan(Number(id.split('-')[0]));
    // A gateway that has not heard of it yet waits; one that never will answers all the same.
    const query = `?flagConfigEtag=${encodeURIComponent('"999999-999999"')}`;
    const began = performance.now();
    expect((await post(`/evaluate/flags${query}`, {})).status).toBe(200);
    expect(performance.now() - began).toBeLessThan(1_500);
  });

  it('ends with its gateway, which does not wait for it, and with its key', async () => {
    const config = {
      NATS_URL: suite.nats_urls.gateway,
      KEY_PEPPER: suite.key_pepper,
      LOG_LEVEL: 'silent',
      DRAIN_SECONDS: 0,
      HOST: '127.0.0.1',
      PORT: 0,
    };
    const gateway = await startGateway(Object.assign(new GatewayConfig(), config));
    const { key: secret, key_id } = await api.data<{ key: string; key_id: string }>('/keys', {
      method: 'POST',
      body: { name: 'short-lived', role: 'client' },
    });
    const endOf = async (root: string, credentials: Record<string, string>): Promise<string> => {
      const open = (): Promise<Response> => fetch(`${root}/ofrep/v1/events`, { headers: credentials });
      return (await eventually(open, ({ ok }) => ok)).text();
    };
    const revoked = endOf(suite.root, { 'x-api-key': secret });
    const stopped = endOf(`http://127.0.0.1:${gateway.port}`, headers());
    await new Promise((resolve) => setTimeout(resolve, 300));
    await api.data(`/keys/${key_id}`, { method: 'DELETE' });
    expect(await revoked).toMatch(/^retry: 1000/);
    await gateway.close();
    expect(await stopped).toMatch(/^retry: 1000/);
  });

  it('is opened by the token that the answer for all flags names, and by no other', async () => {
    const { body } = await post('/evaluate/flags', {});
    const [stream] = body!.eventStreams as { endpoint: { requestUri: string } }[];
    const { requestUri } = stream!.endpoint;
    expect(requestUri.startsWith(`${prefix}/ofrep/v1/events?token=`)).toBe(true);
    await read(suite.root + requestUri, {}, (text) => text.includes('retry'));
    const token = requestUri.split('token=')[1]!;
    for (const wrong of [
      '',
      token.slice(0, -1),
      `${token.slice(0, -1)}${token.endsWith('0') ? '1' : '0'}`,
      token.replace(/^[^.]*/, 'k_none'),
    ])
      expect((await fetch(`${url()}?token=${wrong}`)).status).toBe(401);
    // It opens nothing else.
    const elsewhere = await fetch(`${suite.root}/ofrep/v1/evaluate/flags?token=${token}`, { method: 'POST' });
    expect(elsewhere.status).toBe(401);
  });
});

describe('a browser', () => {
  const origin = shop;
  it.each(['/ofrep/v1/evaluate/flags', '/ofrep/v1/evaluate/flags/country', '/ofrep/v1/events', `${prefix}/ofrep/v1/evaluate/flags`])(
    'may ask %s from a page that is named, after asking whether it may',
    async (path) => {
      const preflight = await fetch(suite.root + path, {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'x-api-key' },
      });
      expect(preflight.status).toBe(204);
      expect(preflight.headers.get('access-control-allow-origin')).toBe(shop);
      const allowedHeaders = preflight.headers.get('access-control-allow-headers')!.split(', ');
      expect(allowedHeaders).toEqual(expect.arrayContaining(['content-type', 'authorization', 'x-api-key', 'if-none-match']));
      expect((await fetch(suite.root + path, { method: 'OPTIONS' })).status).toBe(401);
    },
  );

  it('may read ETag and Retry-After of answers and refusals', async () => {
    for (const [secret, status] of [
      [key, 200],
      ['wrong', 401],
    ] as const) {
      const answer = await post('/evaluate/flags', {}, { origin, authorization: `Bearer ${secret}` });
      expect(answer.status).toBe(status);
      expect(answer.headers.get('access-control-allow-origin')).toBe(shop);
      expect(answer.headers.get('access-control-expose-headers')).toContain('ETag, Retry-After');
    }
  });

  it('may not ask from another page, nor at all where no origins are named', async () => {
    const asked = { 'access-control-request-method': 'POST' };
    const path = '/ofrep/v1/evaluate/flags';
    for (const [root, from] of [
      [suite.root, 'https://shop.example.com.evil.example'],
      [`http://127.0.0.1:${limited.port}`, shop],
    ]) {
      const preflight = await fetch(root + path, { method: 'OPTIONS', headers: { origin: from!, ...asked } });
      expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([401, null]);
      const answer = await fetch(root + path, { method: 'POST', headers: { origin: from!, 'x-api-key': otherKey } });
      expect(answer.headers.get('access-control-allow-origin')).toBeNull();
    }
  });

  it('may not ask the rest of the surface', async () => {
    const preflight = await fetch(`${suite.root}${prefix}/registry`, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'GET' },
    });
    expect(preflight.status).toBe(401);
    expect(preflight.headers.has('access-control-allow-origin')).toBe(false);
  });
});

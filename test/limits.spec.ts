import { newKeyText } from '#contracts/key-text.js';
import { GatewayConfig } from '#gateway/gateway.config.js';
import { type RunningGateway, startGateway } from '#gateway/gateway.server.js';
import { connectTo } from '#testing/nats.js';
import { spentSubject } from '#gateway/limits/spent-message.js';
import { Api, type Answer, eventually } from './api.harness.js';
import { TestSuite } from './suite.harness.js';

const prefix = '/api/models/enterprise';
const perSecond = 5;
const mayFail = 8;
/** Longer than gateways take to tell each other. */
const told = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 350));

let suite: TestSuite;
let gateways: RunningGateway[];

beforeAll(async () => {
  suite = await TestSuite.start();
  const config = {
    NATS_URL: suite.nats_urls.gateway,
    ...{ KEY_PEPPER: suite.key_pepper, LOG_LEVEL: 'silent', DRAIN_SECONDS: 0, HOST: '127.0.0.1', PORT: 0 },
    ...{ KEY_MAX_PER_SECOND: perSecond, ADDRESS_MAX_FAILURES_PER_MINUTE: mayFail, TRUSTED_PROXIES: '127.0.0.0/8' },
  };
  const start = (): Promise<RunningGateway> => startGateway(Object.assign(new GatewayConfig(), config));
  gateways = await Promise.all([start(), start()]);
  await Promise.all(
    gateways.map(({ port }) =>
      eventually(
        () => fetch(`http://127.0.0.1:${port}/readyz`),
        ({ ok }) => ok,
      ),
    ),
  );
});
afterAll(async () => {
  await Promise.all(gateways.map((gateway) => gateway.close()));
  await suite.close();
});

const url = (gateway: number): string => `http://127.0.0.1:${gateways[gateway]!.port}${prefix}`;
const newKey = async (): Promise<string> =>
  (await suite.api.data<{ key: string }>('/keys', { method: 'POST', body: { name: 'eager', role: 'client' } })).key;
/** As through a proxy that says whose request it is. */
const ask = (gateway: number, key: string, address = '198.51.100.1'): Promise<Answer> =>
  new Api(url(gateway), key).send('/types', { headers: { 'x-forwarded-for': address } });
const statusesOf = async (count: number, one: () => Promise<Answer>): Promise<number[]> => {
  const statuses: number[] = [];
  for (let at = 0; at < count; at++) statuses.push((await one()).status);
  return statuses;
};

describe('the limit of a key', () => {
  it('answers what is over it with 429, a stable code and Retry-After, and lets other keys be', async () => {
    const [key, other] = [await newKey(), await newKey()];
    await eventually(
      () => ask(0, other),
      ({ status }) => status === 200,
    );
    const answers = await Promise.all(Array.from({ length: 12 * perSecond }, () => ask(0, key)));
    const refused = answers.filter(({ status }) => status === 429);
    // A machine that other tests keep busy takes seconds for them, in which more may pass.
    expect(refused.length).toBeGreaterThanOrEqual(perSecond);
    expect(answers.length - refused.length).toBeGreaterThanOrEqual(perSecond);
    const { headers, body } = refused[0]!;
    expect(headers.get('retry-after')).toBe('1');
    expect(body).toMatchObject({ success: false, error: { code: 'TOO_MANY_REQUESTS', details: { retry_after_seconds: 1 } } });
    expect((await ask(0, other)).status).toBe(200);
  });

  it('is one for all gateways', async () => {
    const key = await newKey();
    await told();
    const began = performance.now();
    let passed = 0;
    while (performance.now() - began < 2_500) {
      const answers = await Promise.all([0, 1].map((gateway) => ask(gateway, key)));
      passed += answers.filter(({ status }) => status === 200).length;
    }
    // A burst at each of them and one rate: by itself each would let as much through again as its rate.
    const seconds = (performance.now() - began) / 1000;
    expect(passed).toBeLessThanOrEqual(3 * perSecond + seconds * perSecond);
  });

  it('believes no message that is none of a gateway', async () => {
    const connection = await connectTo(suite.nats_urls.gateway);
    for (const text of [
      '',
      'null',
      '{"gateway":"x","limit":"keys","spent":[["k",-1]]}',
      '{"gateway":"x","limit":"__proto__","spent":[["k",1]]}',
    ])
      connection.publish(spentSubject, text);
    await connection.drain();
    expect((await ask(0, await newKey().then(async (key) => (await told(), key)))).status).toBe(200);
  });
});

it('a key that is revoked at one gateway ends at the others', async () => {
  const { key_id, key } = await suite.api.data<{ key_id: string; key: string }>('/keys', {
    method: 'POST',
    body: { name: 'revoked', role: 'viewer' },
  });
  const statusIs = (status: number) => (answer: Answer) => answer.status === status;
  await eventually(() => ask(0, key), statusIs(200));
  await suite.api.data(`/keys/${key_id}`, { method: 'DELETE' });
  await eventually(() => ask(0, key), statusIs(401), 3_000);
});

describe('an address that shows wrong keys', () => {
  const wrong = (at: number): string => `guess_${at}`.padEnd(40, 'x');

  it('must wait after so many, at every gateway, whoever it then says it is; with a key of ours it goes on', async () => {
    const address = '203.0.113.7';
    const key = await newKey();
    await told();
    let guesses = 0;
    const guess = (gateway: number): Promise<Answer> => ask(gateway, wrong((guesses += 1)), address);
    expect(await statusesOf(mayFail, () => guess(0))).toEqual(Array(mayFail).fill(401));
    const refused = await guess(0);
    expect([refused.status, Number(refused.headers.get('retry-after')) > 1]).toEqual([429, true]);
    expect(refused.body).toMatchObject({ error: { code: 'TOO_MANY_REQUESTS' } });
    await told();
    expect((await guess(1)).status).toBe(429);
    // The bootstrap key is one that somebody chose: not even it is tried. Whoever shows one that was made here goes on.
    expect((await ask(1, suite.admin_key, address)).status).toBe(429);
    expect((await ask(1, key, address)).status).toBe(200);
    // Nobody else waits.
    expect((await ask(1, suite.admin_key, '203.0.113.8')).status).toBe(200);
  });

  it('is counted as its whole network where it is IPv6', async () => {
    let host = 0;
    const guess = (): Promise<Answer> => ask(0, wrong(host), `2001:db8::${(host += 1).toString(16)}`);
    expect(await statusesOf(mayFail, guess)).toEqual(Array(mayFail).fill(401));
    expect((await guess()).status).toBe(429);
  });

  it('is not counted for keys that have ended, nor for none', async () => {
    const address = '203.0.113.9';
    const { key_id, key } = await suite.api.data<{ key_id: string; key: string }>('/keys', {
      method: 'POST',
      body: { name: 'forgotten', role: 'viewer' },
    });
    await suite.api.data(`/keys/${key_id}`, { method: 'DELETE' });
    await told();
    expect(new Set(await statusesOf(2 * mayFail, () => ask(0, key, address)))).toEqual(new Set([401]));
    const keyless = (): Promise<Answer> => new Api(url(0), null).send('/types', { headers: { 'x-forwarded-for': address } });
    expect(new Set(await statusesOf(2 * mayFail, keyless))).toEqual(new Set([401]));
    expect((await ask(0, wrong(0), address)).status).toBe(401);
  });

  it('must wait also with what only looks like a key of ours', async () => {
    const address = '203.0.113.10';
    const made = (): string => newKeyText('live', crypto.getRandomValues(new Uint8Array(36))).key;
    expect(await statusesOf(mayFail, () => ask(0, made(), address))).toEqual(Array(mayFail).fill(401));
    expect((await ask(0, `${made().slice(0, -1)}!`, address)).status).toBe(429);
    expect((await ask(0, made(), address)).status).toBe(429);
  });
});

it('believes X-Forwarded-For of a proxy that it was told of alone', async () => {
  // The suite's own gateway trusts none: all are the one address that they come from.
  let shown = 0;
  const guess = (): Promise<Answer> =>
    suite.as(`guess_${shown}`.padEnd(40, 'x')).send('/types', { headers: { 'x-forwarded-for': `192.0.2.${(shown += 1)}` } });
  while ((await guess()).status === 401) expect(shown).toBeLessThan(200);
  expect(shown).toBeGreaterThan(60);
});

it('an address has a limit of its own where one is set', async () => {
  const config = {
    NATS_URL: suite.nats_urls.gateway,
    KEY_PEPPER: suite.key_pepper,
    LOG_LEVEL: 'silent',
    DRAIN_SECONDS: 0,
    HOST: '127.0.0.1',
    PORT: 0,
  };
  const gateway = await startGateway(Object.assign(new GatewayConfig(), config, { ADDRESS_MAX_PER_SECOND: 3 }));
  const statuses = await Promise.all(
    Array.from({ length: 40 }, async () => (await fetch(`http://127.0.0.1:${gateway.port}${prefix}/types`)).status),
  );
  expect(statuses.filter((status) => status === 429).length).toBeGreaterThanOrEqual(4);
  expect((await fetch(`http://127.0.0.1:${gateway.port}/livez`)).status).toBe(200);
  await gateway.close();
});

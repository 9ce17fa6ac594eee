import { exportSPKI, generateKeyPair, SignJWT } from 'jose';
import { GatewayConfig } from '#gateway/gateway.config.js';
import { type RunningGateway, startGateway } from '#gateway/gateway.server.js';
import { Api, eventually } from './api.harness.js';
import { audience, Issuer } from './issuer.harness.js';
import { TestSuite } from './suite.harness.js';

let suite: TestSuite;
let issuer: Issuer;
let gateway: RunningGateway;

/** A gateway that takes the issuer's tokens beside keys. */
async function startTrusting(): Promise<RunningGateway> {
  const config = {
    NATS_URL: suite.nats_urls.gateway,
    ...{ KEY_PEPPER: suite.key_pepper, LOG_LEVEL: 'silent', DRAIN_SECONDS: 0, HOST: '127.0.0.1', PORT: 0 },
    ...{ OIDC_ISSUER: issuer.url, OIDC_AUDIENCE: audience, OIDC_ROLES: 'ml-readers=viewer,ml-apps=client,ml-leads=releaser' },
    ADDRESS_MAX_FAILURES_PER_MINUTE: 0,
  };
  const started = await startGateway(Object.assign(new GatewayConfig(), config));
  await eventually(
    () => fetch(`http://127.0.0.1:${started.port}/readyz`),
    ({ ok }) => ok,
  );
  return started;
}

beforeAll(async () => {
  [suite, issuer] = await Promise.all([TestSuite.start(), Issuer.start()]);
  gateway = await startTrusting();
  const token = await issuer.token();
  await eventually(
    () => as(token).send('/types'),
    ({ status }) => status === 200,
  );
});
afterAll(async () => {
  await gateway.close();
  await issuer.stop();
  await suite.close();
});

const as = (token: string | null, at = gateway): Api => new Api(`http://127.0.0.1:${at.port}/api/models/enterprise`, token);
const seconds = (fromNow: number): number => Math.floor(Date.now() / 1000) + fromNow;

describe('a token of the issuer', () => {
  it('stands for a role beside keys, and its bearer is named in what it changes', async () => {
    const lead = as(await issuer.token({ sub: 'lead-1', roles: ['ml-readers', 'ml-leads', 'other'] }));
    const { model_id, created_by } = await lead.register();
    expect(created_by).toBe('lead-1');
    const [entry] = await suite.api.data<{ actor: string; key_id: string }[]>(`/audit?subject_id=${model_id}`);
    expect(entry).toMatchObject({ actor: 'lead-1', key_id: expect.stringMatching(/^t_[0-9a-f]{24}$/) as string });
    const reader = as(await issuer.token());
    expect((await reader.send('/registry')).status).toBe(200);
    expect(await reader.failure('/registry', { method: 'POST', body: {} })).toMatchObject({ status: 403, code: 'ROLE_TOO_SMALL' });
    expect((await as(suite.admin_key).send('/keys')).status).toBe(200);
  });

  it('is narrowed by its claims as a key is', async () => {
    const [mine, foreign] = [await suite.api.register({ sport: 'NBA' }), await suite.api.register({ sport: 'NFL' })];
    const narrow = as(await issuer.token({ emr_sports: ['NBA'] }));
    await eventually(
      () => narrow.send(`/registry/${mine.model_id}`),
      ({ status }) => status === 200,
    );
    expect(await narrow.failure(`/registry/${foreign.model_id}`)).toMatchObject({ status: 404, code: 'MODEL_NOT_FOUND' });
    expect((await narrow.data<{ sport: string }[]>('/registry')).map(({ sport }) => sport)).not.toContain('NFL');
  });

  it('is good for half a minute more than it says, for clocks that differ', async () => {
    for (const claims of [{ exp: seconds(-20) }, { nbf: seconds(20) }])
      expect((await as(await issuer.token(claims)).send('/types')).status).toBe(200);
  });

  it.each<[string, () => Promise<string>]>([
    ['for somebody else', () => issuer.token({ aud: 'payments' })],
    ['for nobody in particular', () => issuer.token({ aud: undefined })],
    ['of another issuer', () => issuer.token({ iss: 'https://id.example.com' })],
    ['that has ended', () => issuer.token({ exp: seconds(-60) })],
    ['that never ends', () => issuer.token({ exp: undefined })],
    ['that has not begun', () => issuer.token({ nbf: seconds(60) })],
    ['of nobody', () => issuer.token({ sub: undefined })],
    ['without a role of ours', () => issuer.token({ roles: ['admin'] })],
    ['with a narrowing that cannot be read', () => issuer.token({ emr_sports: { all: true } })],
    [
      'signed by somebody else under the same name',
      async () => issuer.token({}, { ...(await generateKeyPair('RS256')), kid: issuer.key.kid }),
    ],
    ['that was changed', async () => changed(await issuer.token(), { roles: ['ml-leads'] })],
    ['without a signature', async () => withoutSignature(await issuer.token())],
    ['signed with the public key as a shared secret', signedWithPublicKey],
    ['that is not whole', async () => (await issuer.token()).slice(0, -10)],
  ])('%s is refused as no key is', async (_, make) => {
    const answer = await as(await make()).send('/types');
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    expect(answer.body).toEqual((await as(null).send('/types')).body);
  });

  it('is taken at no gateway that was not told of the issuer', async () => {
    expect((await suite.as(await issuer.token()).send('/types')).status).toBe(401);
  });

  it('opens the stream of changes that OFREP names, for as long as it lasts', async () => {
    const root = `http://127.0.0.1:${gateway.port}`;
    const authorization = `Bearer ${await issuer.token({ sub: 'app-1', roles: 'ml-apps' })}`;
    const answer = await fetch(`${root}/ofrep/v1/evaluate/flags`, { method: 'POST', headers: { authorization } });
    const { eventStreams } = (await answer.json()) as { eventStreams: { endpoint: { requestUri: string } }[] };
    const stream = await fetch(root + eventStreams[0]!.endpoint.requestUri);
    expect(stream.status).toBe(200);
    await stream.body!.cancel();
  });
});

describe('the issuer’s keys', () => {
  it('are asked for once, however many tokens come', async () => {
    const before = issuer.asked;
    const tokens = await Promise.all(Array.from({ length: 10 }, (_, at) => issuer.token({ sub: `many-${at}` })));
    const statuses = await Promise.all(tokens.map(async (token) => (await as(token).send('/types')).status));
    expect(statuses).toEqual(tokens.map(() => 200));
    expect(issuer.asked - before).toBeLessThanOrEqual(1);
  });

  it('may change: a token by a new one is taken as soon as they may be asked for again', async () => {
    const old = await issuer.token({ sub: 'before' });
    await issuer.rotate();
    const fresh = as(await issuer.token({ sub: 'after' }));
    await eventually(
      () => fresh.send('/types'),
      ({ status }) => status === 200,
    );
    expect((await as(old).send('/types')).status).toBe(200);
  });

  it('may be withdrawn: once the keys were asked for again, a token by that key is refused, also one that was signed before', async () => {
    const withdrawn = issuer.key;
    const before = await issuer.token({ sub: 'signed before' });
    await issuer.rotate();
    issuer.withdraw(withdrawn);
    const fresh = as(await issuer.token({ sub: 'by another' }));
    await eventually(
      () => fresh.send('/types'),
      ({ status }) => status === 200,
    );
    for (const token of [before, await issuer.token({ sub: 'signed after' }, withdrawn)])
      expect((await as(token).send('/types')).status).toBe(401);
  });
});

describe('while the issuer is away', () => {
  it('known tokens and known keys go on; a gateway that knows none answers 503 to tokens, and takes them when it is back', async () => {
    const known = await issuer.token({ sub: 'known' });
    await as(known).data('/types');
    const unseen = await issuer.token({ sub: 'unseen' });
    await issuer.stop();
    const late = await startTrusting();
    try {
      for (const token of [known, unseen]) expect((await as(token).send('/types')).status).toBe(200);
      const refused = await as(unseen, late).send('/types');
      expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
      expect(refused.body).toMatchObject({ error: { code: 'SERVICE_UNAVAILABLE', details: { service: 'issuer' } } });
      expect((await as(suite.admin_key, late).send('/types')).status).toBe(200);
      await issuer.listen();
      await eventually(
        () => as(unseen, late).send('/types'),
        ({ status }) => status === 200,
      );
    } finally {
      await late.close();
    }
  });
});

const partOf = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function changed(token: string, claims: object): string {
  const [header, payload = '', signature] = token.split('.');
  return [header, partOf({ ...(JSON.parse(Buffer.from(payload, 'base64url').toString()) as object), ...claims }), signature].join('.');
}

const withoutSignature = (token: string): string => [partOf({ alg: 'none', typ: 'JWT' }), token.split('.')[1], 'x'].join('.');

/** What passes where the algorithm is taken from the token, and the key for whatever it names. */
async function signedWithPublicKey(): Promise<string> {
  const secret = new TextEncoder().encode(await exportSPKI(issuer.key.publicKey));
  return new SignJWT({ iss: issuer.url, aud: audience, sub: 'ann', exp: seconds(300), roles: ['ml-leads'] })
    .setProtectedHeader({ alg: 'HS256', kid: issuer.key.kid })
    .sign(secret);
}

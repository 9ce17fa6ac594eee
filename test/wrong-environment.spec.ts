import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DataClass } from '#contracts/fields.js';
import { natsBinary, systemLookup } from '#embedded/nats-binary.js';
import { freePort } from '#embedded/ports.js';
import { GatewayConfig } from '#gateway/gateway.config.js';
import { MetricsConfig } from '#metrics/metrics.config.js';
import { RegistryConfig } from '#registry/registry.config.js';
import { ConfigError, readConfig, ServiceConfig } from '#runtime/config.js';
import { StandaloneConfig } from '#standalone/standalone.config.js';
import { ownNats } from '#testing/nats.js';
import { ValidationConfig } from '#validation/validation.config.js';
import { type App, type Ended, runToEnd } from './processes.harness.js';
import { eventually } from './api.harness.js';

let directory: string;
let nats: Awaited<ReturnType<typeof ownNats>>;
/** Wants a password, and has no JetStream. */
let guarded: { url: string; child: ChildProcess };
let stranger: Server;
let takenPort: string;

beforeAll(async () => {
  directory = await mkdtemp(join(process.env.TEST_SERVERS_DIR ?? tmpdir(), 'wrong-'));
  nats = await ownNats();
  const port = await freePort();
  const args = ['-a', '127.0.0.1', '-p', String(port), '--user', 'emr', '--pass', 'right'];
  const child = spawn(await natsBinary(systemLookup(), () => undefined), args, { stdio: 'ignore' });
  guarded = { url: `127.0.0.1:${port}`, child };
  stranger = createServer();
  await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
  takenPort = String((stranger.address() as AddressInfo).port);
});
afterAll(async () => {
  const exit = once(guarded.child, 'exit');
  guarded.child.kill('SIGTERM');
  await exit;
  await nats.stop();
  await new Promise((resolve) => stranger.close(resolve));
  await rm(directory, { recursive: true, force: true });
});

const secret = 'k'.repeat(40);

/** How an app ends whose environment is right but for this. */
async function endOf(app: App | 'standalone', wrong: Record<string, string>): Promise<Ended> {
  const host = '127.0.0.1';
  const others: Record<string, string> =
    app === 'standalone'
      ? { DATA_DIR: directory, PORT: String(await freePort()) }
      : {
          NATS_URL: nats.url,
          DATABASE_URL: 'postgres://nobody@127.0.0.1:9/none',
          KEY_PEPPER: secret,
          HOST: host,
          PORT: '0',
          PROBE_HOST: host,
          PROBE_PORT: '0',
          LOG_LEVEL: 'error',
          ...(wrong.OIDC_AUDIENCE !== undefined && { OIDC_ISSUER: 'https://id.example.com' }),
        };
  return runToEnd(app, { ...others, ...wrong }, 60_000);
}

/** Not a stack trace, and nothing beside the sentence but what to do. */
function expectSentence({ output }: Ended, variable: string): void {
  expect(output).toContain(variable);
  expect(output).not.toMatch(/^\s+at /m);
  expect(output.trim().split('\n').length).toBeLessThanOrEqual(2);
}

/** All that a process may be told, and right. */
const right = {
  NATS_URL: 'nats://127.0.0.1:4222',
  DATABASE_URL: 'postgres://emr:secret@127.0.0.1:5432/emr',
  KEY_PEPPER: secret,
  BOOTSTRAP_ADMIN_KEY: secret,
};

it.each<[DataClass, variable: string, value: string]>([
  [ServiceConfig, 'NATS_URL', 'nats://:::'],
  [ServiceConfig, 'DATABASE_URL', 'postgres://:::'],
  [ServiceConfig, 'PROBE_PORT', '65536'],
  [ValidationConfig, 'NIGHTLY_CRON', '99 99 * * *'],
  [ValidationConfig, 'VALIDATION_NATS_PREFIX', 'emr.rpc'],
  [ValidationConfig, 'VALIDATION_ALLOWED_NETWORKS', '999.1.1.1/33'],
  [MetricsConfig, 'WEBHOOK_ALLOWED_NETWORKS', 'http://x'],
  [RegistryConfig, 'BOOTSTRAP_ADMIN_KEY', `${secret} and a space`],
  [GatewayConfig, 'KEY_PEPPER', 'too short'],
  [GatewayConfig, 'CORS_ORIGINS', 'https://*.example.com'],
  [GatewayConfig, 'TRUSTED_PROXIES', 'proxy.internal'],
  [GatewayConfig, 'OIDC_ISSUER', 'http://id.example.com'],
  [GatewayConfig, 'OIDC_ALGORITHMS', 'RS256,HS256'],
  [GatewayConfig, 'OIDC_ROLES', 'ml-admins=owner'],
  [StandaloneConfig, 'NATS_URL', 'nats://:::'],
  [StandaloneConfig, 'BOOTSTRAP_ADMIN_KEY', `"${secret}"`],
])('%p refuses a wrong %s, names it alone and does not repeat its value', (type, variable, value) => {
  expect(() => readConfig(type, right)).not.toThrow();
  let refusal: unknown;
  try {
    readConfig(type, { ...right, [variable]: value });
  } catch (error) {
    refusal = error;
  }
  expect(refusal).toBeInstanceOf(ConfigError);
  const [, sentence, ...more] = (refusal as ConfigError).message.split('\n');
  expect(sentence).toMatch(new RegExp(`^  ${variable}: must be .`));
  expect(sentence).not.toContain(value);
  expect(more).toEqual([]);
});

it('a wrong variable ends a service or the gateway with code 78 and a sentence that names it', async () => {
  const wrongPassword = new URL(process.env.TEST_DATABASE_URL!);
  wrongPassword.password = 'wrong';
  const cases: [App, string, string][] = [
    ['flags', 'NATS_URL', 'nats://:::'],
    ['flags', 'NATS_URL', `nats://emr:wrong@${guarded.url}`],
    ['gateway', 'NATS_URL', `nats://${guarded.url}`],
    ['flags', 'DATABASE_URL', wrongPassword.href],
    ['gateway', 'OIDC_AUDIENCE', ''],
    ['flags', 'PROBE_HOST', 'no-such-host.invalid'],
    ['gateway', 'PORT', takenPort],
  ];
  const ends = await Promise.all(cases.map(([app, variable, value]) => endOf(app, { [variable]: value })));
  cases.forEach(([app, variable], index) => {
    expect([app, variable, ends[index]?.code]).toEqual([app, variable, 78]);
    expectSentence(ends[index]!, variable);
  });
}, 120_000);

it('npm start ends with a sentence for a NATS without JetStream, a data folder that is none, an address that is not ours', async () => {
  const cases: [string, string][] = [
    ['NATS_URL', `nats://emr:right@${guarded.url}`],
    ['DATA_DIR', '/etc/passwd'],
    // Known only once everything else runs, and then stopped again.
    ['HOST', '192.0.2.1'],
  ];
  const ends = await Promise.all(cases.map(([variable, value]) => endOf('standalone', { [variable]: value })));
  cases.forEach(([variable], index) => {
    expect([variable, ends[index]?.code]).toEqual([variable, 1]);
    expectSentence(ends[index]!, variable);
  });
}, 120_000);

describe.each(['flags', 'gateway'] as const)('%s while NATS cannot be reached', (app) => {
  it('waits, alive and not ready, names it in /readyz and warns once', async () => {
    const port = String(await freePort());
    const child = spawn(process.execPath, [join(process.cwd(), 'dist/apps', app, 'main.js')], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        NATS_URL: `nats://127.0.0.1:${await freePort()}`,
        ...{ DATABASE_URL: 'postgres://nobody@127.0.0.1:9/none', KEY_PEPPER: secret, LOG_LEVEL: 'warn' },
        ...{ HOST: '127.0.0.1', PORT: port, PROBE_HOST: '127.0.0.1', PROBE_PORT: port },
      },
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const get = (path: string): Promise<Response | null> => fetch(`http://127.0.0.1:${port}${path}`).catch(() => null);
    const readyz = await eventually(
      () => get('/readyz'),
      (response) => response !== null,
      30_000,
    );
    expect(readyz?.status).toBe(503);
    expect(await readyz?.json()).toMatchObject({ ready: false, checks: { process: 'starting', nats: 'not connected yet' } });
    expect((await get('/livez'))?.status).toBe(200);
    const refused = await get('/api/models/enterprise/types');
    expect([refused?.status, refused?.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await refused?.json()).toMatchObject({ success: false, error: { code: 'SERVICE_UNAVAILABLE' } });
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(
      output
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { msg: string }).msg),
    ).toEqual([expect.stringMatching(/^NATS is not there yet, waiting for it: /) as string]);
    const exit = once(child, 'exit') as Promise<[number | null]>;
    child.kill('SIGTERM');
    expect((await exit)[0]).toBe(143);
  }, 60_000);
});

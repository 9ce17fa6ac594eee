import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { factStream } from '#contracts/alerts.js';
import { natsBinary, systemLookup } from '#embedded/nats-binary.js';
import { freePort } from '#embedded/ports.js';
import { ensureFactStream } from '#runtime/fact.stream.js';
import { Logger } from '#runtime/logger.js';
import { Nats } from '#runtime/nats.js';
import { connectTo } from '#testing/nats.js';
import { eventually } from './api.harness.js';
import { Authority, openssl } from './certificates.harness.js';

const password = 'known';
const users = ['GATEWAY', 'REGISTRY', 'METRICS', 'VALIDATION', 'FLAGS', 'PUBLISHER', 'SUBSCRIBER', 'MODEL_SERVER', 'OPERATOR', 'ROUTE'];

interface Ports {
  client: number;
  cluster: number;
  http: number;
}

let directory: string;
/** Of the authority that the servers' certificate is of; without openssl there is none, and no TLS. */
let caFile: string | undefined;
let ports: Ports[];
const servers: ChildProcess[] = [];

/** The configuration of Kubernetes; only ports and folders are of this machine. */
async function configured(index: number): Promise<string> {
  const folder = join(directory, String(index));
  await mkdir(folder);
  await copyFile('deploy/nats/users.conf', join(folder, 'users.conf'));
  for (const name of ['tls.conf', 'cluster-tls.conf']) {
    const text = await readFile(join(caFile ? 'k8s/components/nats-tls' : 'k8s/base/nats', name), 'utf8');
    await writeFile(join(folder, name), text.replaceAll('/etc/nats-tls', directory));
  }
  const { client, cluster, http } = ports[index]!;
  const text = (await readFile('k8s/base/nats/nats.conf', 'utf8'))
    .replace('port: 4222', `host: 127.0.0.1\nport: ${client}`)
    .replace('port: 6222', `host: 127.0.0.1\n  port: ${cluster}`)
    .replace('127.0.0.1:8222', `127.0.0.1:${http}`)
    .replace('/data', join(folder, 'data'))
    .replace('/tmp/nats.pid', join(folder, 'nats.pid'));
  await writeFile(join(folder, 'nats.conf'), text);
  return join(folder, 'nats.conf');
}

async function start(binary: string, index: number, file: string): Promise<ChildProcess> {
  const routes = Object.fromEntries(
    ports.map(({ cluster }, other) => [`NATS_ROUTE_${other}`, `nats://route:${password}@127.0.0.1:${cluster}`]),
  );
  const passwords = Object.fromEntries(users.map((user) => [`NATS_PASSWORD_${user}`, password]));
  const child = spawn(binary, ['--config', file, '--name', `nats-${index}`], {
    stdio: 'ignore',
    env: { PATH: process.env.PATH, NATS_MAX_FILE_STORE: '1GB', ...routes, ...passwords },
  });
  await once(child, 'spawn');
  return child;
}

const isHealthy = ({ http }: Ports): Promise<boolean> =>
  fetch(`http://127.0.0.1:${http}/healthz`).then(
    ({ ok }) => ok,
    () => false,
  );

const tls = () => (caFile ? { tls: { caFile } } : {});

beforeAll(async () => {
  directory = await mkdtemp(join(process.env.TEST_SERVERS_DIR ?? tmpdir(), 'cluster-'));
  if (openssl) {
    const authority = await Authority.make(directory, 'ca');
    caFile = join(directory, 'ca.crt');
    await copyFile(authority.caFile, caFile);
    const { certFile, keyFile } = await authority.sign('server', 'DNS:localhost,IP:127.0.0.1');
    await copyFile(certFile, join(directory, 'tls.crt'));
    await copyFile(keyFile, join(directory, 'tls.key'));
  }
  ports = [];
  for (let index = 0; index < 3; index++) ports.push({ client: await freePort(), cluster: await freePort(), http: await freePort() });
  const binary = await natsBinary(systemLookup(), () => undefined);
  for (let index = 0; index < 3; index++) servers.push(await start(binary, index, await configured(index)));
  for (const one of ports) await eventually(() => isHealthy(one), Boolean, 30_000);
}, 60_000);
afterAll(async () => {
  for (const server of servers.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)) {
    const exit = once(server, 'exit');
    server.kill('SIGKILL');
    await exit;
  }
  await rm(directory, { recursive: true, force: true });
});

it('nobody without a password joins the cluster or gets in', async () => {
  await expect(connectTo(`nats://operator:wrong@127.0.0.1:${ports[0]!.client}`, { ...tls(), reconnect: false })).rejects.toThrow(
    /authorization/i,
  );
});

it('a service makes its stream on NATS_REPLICAS servers, with no more rights than it has', async () => {
  const config = { NATS_TLS_CA: caFile, NATS_URL: `nats://metrics:${password}@127.0.0.1:${ports[0]!.client}`, NATS_REPLICAS: 3 };
  const nats = await Nats.connect('metrics', config, Logger.create('test', 'silent'));
  // The servers have to choose a leader first.
  await eventually(
    () => ensureFactStream(nats).then(() => 'made', String),
    (seen) => seen === 'made',
    40_000,
  );
  await nats.close();
  const operator = await connectTo(`nats://operator:${password}@127.0.0.1:${ports[1]!.client}`, tls());
  const { config: made } = await (await jetstreamManager(operator)).streams.info(factStream.name);
  expect(made.num_replicas).toBe(3);
  await operator.close();
}, 60_000);

it('three servers of the configuration for Kubernetes keep a stream that one of them takes with it', async () => {
  const at = (index: number): string => `nats://operator:${password}@127.0.0.1:${ports[index]!.client}`;
  const connection = await connectTo(at(0), tls());
  const manager = await jetstreamManager(connection);
  await eventually(
    () =>
      manager.streams.add({ name: 'KEPT', subjects: ['kept'], num_replicas: 3 }).then(
        ({ cluster }) => cluster?.replicas?.length,
        () => 0,
      ),
    (others) => others === 2,
    30_000,
  );
  await jetstream(connection).publish('kept', 'before');
  const { cluster } = await manager.streams.info('KEPT');
  await connection.close();
  const leader = Number(cluster!.leader!.at(-1));
  servers[leader]!.kill('SIGKILL');

  const other = await connectTo(at((leader + 1) % 3), tls());
  const afterwards = jetstream(other);
  const publish = (): Promise<number> =>
    afterwards.publish('kept', 'after', { timeout: 1_000 }).then(
      ({ seq }) => seq,
      () => 0,
    );
  expect(await eventually(publish, (seq) => seq > 0, 30_000)).toBeGreaterThanOrEqual(2);
  const kept = async (): Promise<string | undefined> =>
    (await (await jetstreamManager(other)).streams.getMessage('KEPT', { seq: 1 }))?.string();
  // The cluster may still be choosing who answers for it.
  expect(
    await eventually(
      () => kept().catch(String),
      (seen) => seen === 'before',
      30_000,
    ),
  ).toBe('before');
  await other.close();
}, 90_000);

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { factStream } from '#contracts/alerts.js';
import { natsBinary, systemLookup } from '#embedded/nats-binary.js';
import { natsUsers, type NatsPasswords, passwordVariables, usersFile } from '#embedded/nats-users.js';
import { freePort } from '#embedded/ports.js';
import { ensureFactStream } from '#runtime/fact.stream.js';
import { Logger } from '#runtime/logger.js';
import { Nats } from '#runtime/nats.js';
import { connectTo } from '#testing/nats.js';
import { eventually } from './api.harness.js';

const passwords = Object.fromEntries(natsUsers.map((user) => [user, `of-${user}`])) as NatsPasswords;
const servers: ChildProcess[] = [];
let directory: string;
let ports: number[];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'emr-cluster-'));
  const binary = await natsBinary(systemLookup(), () => undefined);
  const free: number[] = [];
  while (free.length < 6) free.push(await freePort());
  ports = free.slice(0, 3);
  const routes = free.slice(3).map((port) => `nats://127.0.0.1:${port}`);
  ports.forEach((port, index) => {
    const args = ['-c', usersFile, '-a', '127.0.0.1', '-p', String(port), '-n', `n${index}`, '-js', '-sd', join(directory, String(index))];
    const cluster = ['--cluster_name', 'emr', '--cluster', routes[index]!, '--routes', routes.join(',')];
    const env = { PATH: process.env.PATH, ...passwordVariables(passwords) };
    servers.push(spawn(binary, [...args, ...cluster], { stdio: 'ignore', env }));
  });
});
afterAll(async () => {
  for (const server of servers) {
    const ended = once(server, 'exit');
    server.kill('SIGKILL');
    await ended;
  }
  await rm(directory, { recursive: true, force: true });
});

it('a service makes its stream on NATS_REPLICAS servers of a cluster, with no more rights than it has', async () => {
  const config = { NATS_URL: `nats://metrics:${passwords.metrics}@127.0.0.1:${ports[0]}`, NATS_REPLICAS: 3 };
  const nats = await Nats.connect('metrics', config, Logger.create('test', 'silent'));
  // The servers have to find one another and choose a leader first.
  await eventually(
    () => ensureFactStream(nats).then(() => 'made', String),
    (seen) => seen === 'made',
    40_000,
  );
  await nats.close();
  const operator = await connectTo(`nats://operator:${passwords.operator}@127.0.0.1:${ports[1]}`);
  const { config: made } = await (await jetstreamManager(operator)).streams.info(factStream.name);
  expect(made.num_replicas).toBe(3);
  await operator.close();
}, 60_000);

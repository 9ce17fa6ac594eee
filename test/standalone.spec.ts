import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startOf } from '#embedded/os-process.js';
import { freePort } from '#embedded/ports.js';
import { eventually } from './api.harness.js';

let directory: string;
let port: number;
const children: ChildProcess[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(process.env.TEST_SERVERS_DIR ?? tmpdir(), 'standalone-'));
  port = await freePort();
});
afterAll(async () => {
  for (const child of children.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)) {
    const exit = once(child, 'exit');
    child.kill('SIGTERM');
    await exit;
  }
  await rm(directory, { recursive: true, force: true });
});

interface Started {
  child: ChildProcess;
  said: () => string;
  url: string;
  /** The pids of its PostgreSQL and nats-server. */
  servers: number[];
}

/** What `npm start` runs once everything is built. */
async function start(environment: Record<string, string> = {}): Promise<Started> {
  const child = spawn(process.execPath, [join(process.cwd(), 'dist/apps/standalone/main.js')], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, DATA_DIR: directory, PORT: String(port), ...environment },
  });
  children.push(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const said = (): string => output;
  await eventually(
    () => Promise.resolve(output),
    (text) => text.includes('is ready.') || child.exitCode !== null,
    60_000,
  );
  const [, url] = /REST +(\S+)/.exec(output) ?? [];
  if (!url) throw new Error(`It did not become ready; it said: ${output}`);
  const servers = await Promise.all(['postgres', 'nats'].map(async (name) => Number(await readFile(join(directory, name, 'server.pid')))));
  return { child, said, url, servers };
}

async function end({ child }: Started, signal: NodeJS.Signals): Promise<number | null> {
  const exit = once(child, 'exit') as Promise<[number | null]>;
  child.kill(signal);
  return (await exit)[0];
}

const livingOf = (pids: number[]): number[] => pids.filter((pid) => startOf(pid) !== undefined);

it('moves on from a busy port and says so; leaves no server behind when its terminal is closed', async () => {
  const stranger = createServer();
  await new Promise<void>((resolve) => stranger.listen(port, '127.0.0.1', resolve));
  const started = await start();
  await new Promise((resolve) => stranger.close(resolve));
  expect(started.said()).toMatch(new RegExp(`Port ${port} is taken; using \\d+\\.`));
  expect(started.url).not.toContain(`:${port}/`);
  const [, key = ''] = /Key +(\S+)/.exec(started.said()) ?? [];
  expect((await fetch(`${started.url}/types`, { headers: { authorization: `Bearer ${key}` } })).status).toBe(200);

  expect(livingOf(started.servers)).toHaveLength(2);
  expect(await end(started, 'SIGHUP')).toBe(0);
  expect(livingOf(started.servers)).toEqual([]);
}, 90_000);

it('works again after a kill -9, with the servers that this left behind ended', async () => {
  const killed = await start();
  await end(killed, 'SIGKILL');
  const again = await start();
  expect(again.url).toContain(`:${port}/`);
  expect(livingOf(killed.servers)).toEqual([]);
  expect(livingOf(again.servers)).toHaveLength(2);
  expect(await end(again, 'SIGTERM')).toBe(0);
  expect(livingOf(again.servers)).toEqual([]);
}, 120_000);

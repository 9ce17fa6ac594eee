import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startOf } from './os-process.js';

/** A directory of mode 0700, as `mktemp -d` makes them. */
export const newDirectory = (): Promise<string> => mkdtemp(join(process.env.TEST_SERVERS_DIR ?? tmpdir(), 'embedded-'));

export const removeDirectory = (directory: string): Promise<void> => rm(directory, { recursive: true, force: true });

export async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

export interface Owner {
  process: ChildProcess;
  /** The first line it printed. */
  said: string;
}

/** Another Node process that runs this, with `dist/libs/embedded` imported as `embedded`, until it is killed. */
export async function startOwner(module: 'postgres' | 'nats' | 'owner-lock', code: string): Promise<Owner> {
  const script = `import * as embedded from '#embedded/${module}.js';\n${code}\nsetInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const said = await new Promise<string>((resolve, reject) => {
    child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString('utf8').trim()));
    child.once('exit', (code) => reject(new Error(`The owner ended with code ${code}`)));
  });
  return { process: child, said };
}

export async function killHard({ process: child }: Owner): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}

export const isAlive = (pid: number): boolean => startOf(pid) !== undefined;

/** Listens on 127.0.0.1 as a stranger would. */
export async function occupy(port: number): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return server;
}

export async function until(holds: () => boolean | Promise<boolean>, withinMs = 10_000): Promise<void> {
  for (const deadline = Date.now() + withinMs; Date.now() < deadline;) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`Not within ${withinMs} ms`);
}

import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNats } from '#embedded/nats.js';
import { freePort } from '#embedded/ports.js';
import { startPostgres } from '#embedded/postgres.js';

export interface SuiteProcesses {
  url: string;
  key: string;
  directory: string;
  spawn(script: string, args: string[], environment?: Record<string, string>): ChildProcess;
  close(): Promise<void>;
}

/** The whole suite as in production, one process a service, on a PostgreSQL and a nats-server of its own. */
export async function startProcesses(): Promise<SuiteProcesses> {
  const directory = await mkdtemp(join(tmpdir(), 'emr-bench-'));
  const postgres = await startPostgres({ dataDir: join(directory, 'postgres') });
  const nats = await startNats({ storeDir: join(directory, 'nats') });
  const key = randomBytes(24).toString('hex');
  const children: ChildProcess[] = [];
  const start = (script: string, args: string[], environment: Record<string, string> = {}): ChildProcess => {
    const child = spawn(process.execPath, [script, ...args], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { PATH: process.env.PATH, ...environment },
    });
    children.push(child);
    return child;
  };
  const common = {
    NATS_URL: nats.url,
    DATABASE_URL: postgres.url,
    KEY_PEPPER: key,
    BOOTSTRAP_ADMIN_KEY: key,
    LOG_LEVEL: 'warn',
    HOST: '127.0.0.1',
    PROBE_HOST: '127.0.0.1',
  };
  let url = '';
  for (const app of ['registry', 'metrics', 'validation', 'flags', 'gateway']) {
    const port = String(await freePort());
    start(`dist/apps/${app}/main.js`, [], { ...common, PORT: port, PROBE_PORT: port });
    url = `http://127.0.0.1:${port}`;
    await untilOk(`${url}/readyz`);
  }
  return {
    url: `${url}/api/models/enterprise`,
    key,
    directory,
    spawn: start,
    async close() {
      for (const child of children) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        const exit = once(child, 'exit');
        child.kill('SIGTERM');
        await exit;
      }
      await Promise.all([postgres.stop(), nats.stop()]);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export async function untilOk(url: string): Promise<void> {
  for (let attempt = 0; attempt < 400; attempt++) {
    const ok = await fetch(url).then(
      (response) => response.ok,
      () => false,
    );
    if (ok) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${url} did not answer within 20 s`);
}

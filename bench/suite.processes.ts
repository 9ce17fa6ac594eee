import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNats } from '#embedded/nats.js';
import { freePort } from '#embedded/ports.js';
import { startPostgres } from '#embedded/postgres.js';

export type App = 'registry' | 'metrics' | 'validation' | 'flags' | 'gateway';

interface Launch {
  environment?: Record<string, string>;
  /** Whether it speaks with its parent by messages. */
  channel?: boolean;
}

export interface SuiteProcesses {
  /** Where the gateway listens, without a path. */
  origin: string;
  /** Of the REST surface, an absolute path. */
  prefix: string;
  url: string;
  key: string;
  nats_url: string;
  database_url: string;
  directory: string;
  /** Starts one more process of an app, and resolves once it is ready to where it listens. */
  start(app: App): Promise<string>;
  /** Ends processes of an app as an orchestrator does, the oldest first and all unless said otherwise, and waits for it. */
  stop(app: App, count?: number): Promise<void>;
  /** Runs a script of dist, which is ended with the suite. */
  spawn(script: string, args: string[], launch?: Launch): ChildProcess;
  close(): Promise<void>;
}

/** The whole suite as in production, one process a service, on a PostgreSQL and a nats-server of its own. */
export async function startProcesses(): Promise<SuiteProcesses> {
  const directory = await mkdtemp(join(tmpdir(), 'emr-bench-'));
  const postgres = await startPostgres({ dataDir: join(directory, 'postgres') });
  const nats = await startNats({ storeDir: join(directory, 'nats') });
  const key = randomBytes(24).toString('hex');
  const gatewayPort = await freePort();
  const origin = `http://127.0.0.1:${gatewayPort}`;
  const prefix = '/api/models/enterprise';
  const children: ChildProcess[] = [];
  const apps = new Map<App, ChildProcess[]>();
  const launch = (script: string, args: string[], { environment, channel = false }: Launch = {}): ChildProcess => {
    const child = spawn(process.execPath, [script, ...args], {
      stdio: ['ignore', 'ignore', 'inherit', ...(channel ? (['ipc'] as const) : [])],
      env: { PATH: process.env.PATH, ...environment },
    });
    children.push(child);
    return child;
  };
  const start = async (app: App): Promise<string> => {
    const port = String(app === 'gateway' && !apps.get(app)?.length ? gatewayPort : await freePort());
    const child = launch(`dist/apps/${app}/main.js`, [], {
      environment: {
        NATS_URL: nats.urls[app],
        ...(app !== 'gateway' && { DATABASE_URL: postgres.urls[app] }),
        KEY_PEPPER: key,
        BOOTSTRAP_ADMIN_KEY: key,
        LOG_LEVEL: 'warn',
        DRAIN_SECONDS: '0',
        VALIDATION_ALLOWED_NETWORKS: '127.0.0.0/8',
        HOST: '127.0.0.1',
        PROBE_HOST: '127.0.0.1',
        PORT: port,
        PROBE_PORT: port,
      },
    });
    apps.set(app, [...(apps.get(app) ?? []), child]);
    const root = `http://127.0.0.1:${port}`;
    await untilOk(`${root}/readyz`);
    return root;
  };
  const end = async (child: ChildProcess): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill('SIGTERM');
    await exit;
  };
  for (const app of ['registry', 'metrics', 'validation', 'flags', 'gateway'] as const) await start(app);
  return {
    origin,
    prefix,
    url: origin + prefix,
    key,
    nats_url: nats.url,
    database_url: postgres.url,
    directory,
    start,
    async stop(app, count = Infinity) {
      await Promise.all((apps.get(app) ?? []).splice(0, count).map(end));
    },
    spawn: launch,
    async close() {
      for (const child of children) await end(child);
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

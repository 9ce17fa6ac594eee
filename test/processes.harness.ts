import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { createDatabase, servicesTemplate } from '#testing/database.js';
import { ownNats } from '#testing/nats.js';
import { type DatabaseRole } from '#embedded/postgres-roles.js';
import { freePort } from '#embedded/ports.js';
import { Api, eventually } from './api.harness.js';

export const services = ['registry', 'metrics', 'validation', 'flags'] as const;
/** A second replica of a service is told from the first by a letter. */
export type App = (typeof services)[number] | 'gateway' | 'gateway-b' | 'metrics-b' | 'validation-b' | 'flags-b';

/** What a process left behind when it ended. */
export interface Ended {
  code: number | null;
  output: string;
}

/** The command that runs a script of dist. */
export type Launch = (script: string) => [command: string, ...args: string[]];

const fromDist: Launch = (script) => [process.execPath, join(process.cwd(), script)];

/** Runs a script of dist until it ends by itself; kills it, and fails, when it does not. */
export async function runToEnd(app: string, environment: Record<string, string>, withinMs = 15_000): Promise<Ended> {
  const child = spawn(process.execPath, [join(process.cwd(), 'dist/apps', app, 'main.js')], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, ...environment },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const timer = setTimeout(() => child.kill('SIGKILL'), withinMs);
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  if (child.signalCode === 'SIGKILL') throw new Error(`${app} did not end within ${withinMs} ms; it said: ${output}`);
  return { code, output };
}

/**
 * Below those that a system gives to who asks for any port, and of this worker alone: another process may take a port that is free now before the one
 * that it is meant for starts, and would be taken for it.
 */
const portsOfWorker = 20_000 + (Number(process.env.VITEST_POOL_ID ?? 0) % 12) * 1_000;
let portsTaken = 0;

async function ownPort(): Promise<number> {
  const port = await freePort(portsOfWorker + (portsTaken % 900));
  portsTaken = port - portsOfWorker + 1;
  return port;
}

/** Real processes from dist, as in production: what a signal does to one of them is not seen within one process. */
export class Processes {
  readonly admin_key = randomBytes(24).toString('hex');
  readonly pepper = randomBytes(24).toString('hex');
  private readonly children = new Map<App, ChildProcess>();
  private readonly outputs = new Map<App, string>();
  private readonly ports = new Map<App, number>();

  private constructor(
    readonly nats: Awaited<ReturnType<typeof ownNats>>,
    readonly database: Awaited<ReturnType<typeof createDatabase>>,
    private readonly environment: Record<string, string>,
    private readonly launch: Launch,
  ) {}

  /** On a database and a nats-server of their own; none runs yet. */
  static async prepare(environment: Record<string, string> = {}, launch: Launch = fromDist): Promise<Processes> {
    const [database, nats] = await Promise.all([createDatabase(servicesTemplate), ownNats()]);
    const processes = new Processes(nats, database, environment, launch);
    for (const app of [...services, 'gateway', 'gateway-b', 'metrics-b', 'validation-b', 'flags-b'] as const)
      processes.ports.set(app, await ownPort());
    return processes;
  }

  /** Starts an app, with more environment than the others have, and waits until it is ready. */
  async start(app: App, environment: Record<string, string> = {}): Promise<void> {
    const [command, ...rest] = this.launch(`dist/apps/${app.replace(/-.*/, '')}/main.js`);
    const child = spawn(command, rest, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...this.environmentOf(app), ...environment },
    });
    this.children.set(app, child);
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => this.outputs.set(app, this.outputOf(app) + chunk.toString()));
    const isReady = (): Promise<boolean> =>
      fetch(`${this.rootOf(app)}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      );
    await eventually(isReady, Boolean, 50_000).catch((error: unknown) => {
      throw new Error(`${app} is not ready; it said: ${this.outputOf(app)}`, { cause: error });
    });
  }

  environmentOf(app: App): Record<string, string> {
    const port = String(this.ports.get(app));
    const service = app.replace(/-.*/, '') as 'gateway' | DatabaseRole;
    return {
      PATH: process.env.PATH ?? '',
      NATS_URL: this.nats.urls[service],
      ...(service !== 'gateway' && { DATABASE_URL: this.database.urls[service] }),
      KEY_PEPPER: this.pepper,
      BOOTSTRAP_ADMIN_KEY: this.admin_key,
      HOST: '127.0.0.1',
      PORT: port,
      PROBE_HOST: '127.0.0.1',
      PROBE_PORT: port,
      LOG_LEVEL: 'silent',
      DRAIN_SECONDS: '0',
      ...this.environment,
    };
  }

  signal(app: App, signal: NodeJS.Signals): void {
    this.children.get(app)?.kill(signal);
  }

  /** Resolves to the exit code, null when a signal ended it or it had ended before. */
  async end(app: App, signal: NodeJS.Signals): Promise<number | null> {
    const child = this.children.get(app);
    if (!child || child.exitCode !== null || child.signalCode !== null) return null;
    const exit = once(child, 'exit') as Promise<[number | null]>;
    child.kill(signal);
    return (await exit)[0];
  }

  pidOf(app: App): number {
    return this.children.get(app)!.pid!;
  }

  /** Everything that it wrote so far, in all its starts. */
  outputOf(app: App): string {
    return this.outputs.get(app) ?? '';
  }

  rootOf(app: App): string {
    return `http://127.0.0.1:${this.ports.get(app)}`;
  }

  /** The REST surface as the bootstrap admin. */
  get api(): Api {
    return this.apiOf('gateway');
  }

  apiOf(gateway: 'gateway' | 'gateway-b', key = this.admin_key): Api {
    return new Api(`${this.rootOf(gateway)}/api/models/enterprise`, key);
  }

  async close(): Promise<void> {
    for (const app of this.children.keys()) await this.end(app, 'SIGKILL');
    await this.nats.stop();
    await this.database.drop();
  }
}

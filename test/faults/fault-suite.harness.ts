import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import {
  AckPolicy,
  type ConsumerInfo,
  DeliverPolicy,
  DiscardPolicy,
  jetstreamManager,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
} from '@nats-io/jetstream';
import { nanos, type NatsConnection } from '@nats-io/transport-node';
import pg from 'pg';
import { inferenceStream } from '#contracts/inference.js';
import { freePort } from '#embedded/ports.js';
import { type DatabaseRole } from '#embedded/postgres-roles.js';
import { connectTo, lastingPort, ownNats, type OwnNats } from '#testing/nats.js';
import { Api, eventually } from '../api.harness.js';
import { logsDirectory, promisedMs } from './seed.harness.js';
import { killablePostgres, type Postgres, sharedPostgres } from './postgres.harness.js';
import { TcpProxy } from './tcp-proxy.harness.js';

const setpriv = '/usr/bin/setpriv';
/** What a child of this process is started with, so that none outlives it, however it ends. */
const notAlone = process.platform === 'linux' && existsSync(setpriv) ? [setpriv, '--pdeathsig', 'KILL', '--'] : [];

/** Ends it if it runs; also one that is frozen. */
export async function killHard(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

/** `output`: a file to which its standard output is appended. */
export function spawnNode(args: string[], environment: Record<string, string> = {}, output?: string): ChildProcess {
  const [command, ...rest] = [...notAlone, process.execPath, ...args];
  const file = output === undefined ? undefined : openSync(output, 'a');
  try {
    return spawn(command!, rest, { stdio: ['ignore', file ?? 'ignore', 'pipe'], env: { PATH: process.env.PATH, ...environment } });
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

export interface FaultSuiteOptions {
  /** Replicas of metrics, `metrics-<anything>`; without it none, and they are the caller's to run. */
  replicas?: string[];
  /** A PostgreSQL that may be killed; without it a database on the one that the spec files share. */
  ownPostgres?: boolean;
  /** Where the nats-server keeps its streams. */
  storeDir?: string;
  /** As an operator may have set the stream and its consumer before; the services keep both. */
  maxBytes?: number;
  /** What all processes are told beside the rest. */
  environment?: Record<string, string>;
  /** Whether the processes reach NATS and PostgreSQL through proxies, `toNats` and `toPostgres`. */
  proxied?: boolean;
}

/** Messages are lent for a short time, so that nobody waits half a minute for what a dead replica had in hand. */
const consumerSettings = { ack_wait: nanos(2_000), max_ack_pending: 4_000 };
/** Minutes are folded while events of them still come, and while whoever folds them is killed. */
const foldAfterSeconds = '1';
/** Ten processes that start at once on two busy cores. */
const startWithinMs = 50_000;
/** Far shorter than the outages, so that it helps nobody to be counted once. */
const duplicateWindowMs = 1_000;

/** Gateway, registry and replicas of metrics as processes of their own, on servers that may be killed. The caller closes it. */
export class FaultSuite {
  private readonly children = new Map<string, ChildProcess>();
  private readonly ports = new Map<string, number>();
  /** What a process wrote to its standard error, in all its starts: why it ended by itself. */
  private readonly said = new Map<string, string>();
  readonly key = randomBytes(24).toString('hex');
  api!: Api;
  connection!: NatsConnection;
  private closing = false;

  private constructor(
    readonly nats: OwnNats,
    readonly postgres: Postgres,
    private readonly environment: Record<string, string>,
    readonly toNats: TcpProxy | undefined,
    readonly toPostgres: TcpProxy | undefined,
  ) {}

  /** With all of them ready. */
  static async start({
    replicas = [],
    ownPostgres = false,
    storeDir,
    maxBytes = 256 * 1024 ** 2,
    environment = {},
    proxied = false,
  }: FaultSuiteOptions = {}): Promise<FaultSuite> {
    const [nats, postgres] = await Promise.all([ownNats(storeDir), ownPostgres ? killablePostgres() : sharedPostgres()]);
    const proxies = proxied ? [nats.port, Number(new URL(postgres.url).port)].map((port) => TcpProxy.to(port)) : [];
    const suite = new FaultSuite(nats, postgres, environment, await proxies[0], await proxies[1]);
    try {
      suite.connection = await connectTo(nats.url, { maxReconnectAttempts: -1, reconnectTimeWait: 100, ignoreAuthErrorAbort: true });
      await suite.makeStream(maxBytes);
      const names = ['registry', 'flags', 'gateway', ...replicas];
      await Promise.all(names.map((name) => suite.run(name)));
      suite.api = new Api(`${suite.rootOf('gateway')}/api/models/enterprise`, suite.key);
      const started = await Promise.allSettled(names.map((name) => suite.ready(name, startWithinMs)));
      // Who waits for whom is seen from all of them.
      const late = started.flatMap((one) => (one.status === 'rejected' ? [(one.reason as Error).message] : []));
      if (late.length) throw new Error(late.join('\n'));
      return suite;
    } catch (error) {
      await suite.close();
      throw error;
    }
  }

  manager(): Promise<JetStreamManager> {
    return jetstreamManager(this.connection, { checkAPI: false });
  }

  /** `name`: the app, or `metrics-<anything>` for one of several replicas. Does not wait until it is ready. */
  async run(name: string, environment: Record<string, string> = {}): Promise<ChildProcess> {
    const port = this.ports.get(name) ?? (await freePort(lastingPort()));
    if (this.closing) throw new Error('The suite is being closed');
    this.ports.set(name, port);
    const app = name.replace(/-.*/, '') as 'gateway' | DatabaseRole;
    const through = (proxy: TcpProxy | undefined, url: string): string => proxy?.between(url) ?? url;
    const settings = {
      NATS_URL: through(this.toNats, this.nats.urls[app]),
      ...(app !== 'gateway' && { DATABASE_URL: through(this.toPostgres, this.postgres.urls[app]) }),
      KEY_PEPPER: this.key,
      BOOTSTRAP_ADMIN_KEY: this.key,
      HOST: '127.0.0.1',
      PORT: String(port),
      PROBE_HOST: '127.0.0.1',
      PROBE_PORT: String(port),
      LOG_LEVEL: logsDirectory ? 'info' : 'silent',
      FOLD_AFTER_SECONDS: foldAfterSeconds,
      DRAIN_SECONDS: '0',
      ...this.environment,
      ...environment,
    };
    const log = logsDirectory && join(logsDirectory, `${name}.log`);
    const child = spawnNode([join(process.cwd(), 'dist/apps', app, 'main.js')], settings, log);
    child.stderr!.on('data', (chunk: Buffer) => this.said.set(name, (this.said.get(name) ?? '') + chunk.toString()));
    this.children.set(name, child);
    return child;
  }

  /** All processes that were ever run. */
  get names(): string[] {
    return [...this.children.keys()];
  }

  rootOf(name: string): string {
    return `http://127.0.0.1:${this.ports.get(name)}`;
  }

  pidOf(name: string): number {
    return this.children.get(name)!.pid!;
  }

  /** To its standard error, in all its starts. */
  saidBy(name: string): string {
    return this.said.get(name) ?? '';
  }

  signal(name: string, signal: NodeJS.Signals): void {
    this.children.get(name)?.kill(signal);
  }

  /** Resolves to the exit code, null when a signal ended it. */
  async end(name: string, signal: NodeJS.Signals = 'SIGKILL'): Promise<number | null> {
    const child = this.children.get(name);
    if (!child || child.exitCode !== null || child.signalCode !== null) return null;
    const exit = once(child, 'exit') as Promise<[number | null]>;
    child.kill(signal);
    return (await exit)[0];
  }

  /** Whatever a test has killed and not started again runs from here on. */
  async whole(): Promise<void> {
    for (const [name, child] of this.children) if (child.exitCode !== null || child.signalCode !== null) await this.run(name);
    await Promise.all([...this.children.keys()].map((name) => this.ready(name)));
    await this.restoreConsumer();
  }

  /** A nats-server that is killed while it writes a consumer down may lose it; the services then make it anew, as they would. */
  private async restoreConsumer(): Promise<void> {
    const restored = async (): Promise<string> =>
      (await this.manager()).consumers
        .update(inferenceStream.name, inferenceStream.durable, consumerSettings)
        .then(() => 'restored', String);
    await eventually(restored, (answer) => answer === 'restored', 30_000);
  }

  /** Throws after `withinMs`, and at once when the process has ended by itself. */
  async ready(name: string, withinMs = promisedMs(30_000)): Promise<void> {
    const look = async (): Promise<string> => {
      const code = this.children.get(name)?.exitCode;
      if (typeof code === 'number') throw new Error(`${name} has ended with ${code}; it said: ${this.saidBy(name) || 'nothing'}`);
      return fetch(`${this.rootOf(name)}/readyz`).then(
        (response) => response.text(),
        (error: Error) => error.message,
      );
    };
    await eventually(look, (answer) => answer.startsWith('{"ready":true'), withinMs).catch((error: unknown) => {
      throw new Error(`${name} is not ready: ${(error as Error).message}`);
    });
  }

  /** Messages that the replicas, which must all be answering, were given although they had been counted; each since it was started. */
  async repeats(): Promise<number> {
    const replicas = [...this.ports].filter(([name]) => name.startsWith('metrics'));
    const counts = await Promise.all(
      replicas.map(async ([, port]) => {
        const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
        return Number(/^emr_inference_events_total\{.*outcome="repeated_message".*\} (\d+)$/m.exec(metrics)?.[1] ?? 0);
      }),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** Until nothing waits on the stream and nothing is in anybody's hands, within 30 s of quiet. */
  async lagIsZero(): Promise<void> {
    await this.restoreConsumer();
    const look = async (): Promise<Pick<ConsumerInfo, 'num_pending' | 'num_ack_pending'> | string> => {
      try {
        const { num_pending, num_ack_pending } = await (await this.manager()).consumers.info(inferenceStream.name, inferenceStream.durable);
        return { num_pending, num_ack_pending };
      } catch (error) {
        return String(error);
      }
    };
    await eventually(look, (seen) => typeof seen === 'object' && seen.num_pending === 0 && seen.num_ack_pending === 0, promisedMs(30_000));
    // A replica may still hold second copies of what another one has acknowledged: counting them again would show only after them.
    await eventually(
      () => this.rows<{ quiet: boolean }>("SELECT coalesce(now() - max(seen_at) > '700 ms', true) AS quiet FROM metrics.ingest_ledger"),
      ([row]) => row?.quiet === true,
      30_000,
    );
  }

  async rows<Row extends pg.QueryResultRow>(sql: string, values: unknown[] = []): Promise<Row[]> {
    const client = await this.session();
    try {
      return (await client.query<Row>(sql, values)).rows;
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  /** A connection of the test's own; a server that is killed takes it along without a word. */
  async session(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.postgres.url, connectionTimeoutMillis: 5_000 });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }

  /** New models that no other test knows. */
  async models(count: number): Promise<string[]> {
    const models: string[] = [];
    while (models.length < count) {
      const several = Array.from({ length: Math.min(8, count - models.length) }, () => this.api.register());
      models.push(...(await Promise.all(several)).map(({ model_id }) => model_id));
    }
    return models.sort();
  }

  async close(): Promise<void> {
    this.closing = true;
    await Promise.all([...this.children.values()].map(killHard));
    await this.connection?.close();
    await this.nats.stop();
    await this.postgres.drop();
    await this.toNats?.close();
    await this.toPostgres?.close();
  }

  private async makeStream(max_bytes: number): Promise<void> {
    const manager = await this.manager();
    await manager.streams.add({
      name: inferenceStream.name,
      subjects: [inferenceStream.subjects],
      storage: StorageType.File,
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.New,
      max_bytes,
      duplicate_window: nanos(duplicateWindowMs),
      deny_delete: true,
    });
    await manager.consumers.add(inferenceStream.name, {
      durable_name: inferenceStream.durable,
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      max_deliver: -1,
      ...consumerSettings,
    });
  }
}

import { constants } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import pg from 'pg';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { type RunningNats, startNats } from '#embedded/nats.js';
import { natsUsers } from '#embedded/nats-users.js';
import { freePort } from '#embedded/ports.js';
import { type RunningPostgres, startPostgres } from '#embedded/postgres.js';
import { databaseRoles } from '#embedded/postgres-roles.js';
import { connectionOptions } from '#runtime/nats.js';
import { type Running } from '#runtime/service.js';
import { loadSecrets } from './secrets.store.js';
import { type StandaloneConfig } from './standalone.config.js';
import { rootOf, startSuite } from './suite.process.js';

export interface Standalone extends Running {
  /** The REST surface, with its prefix. */
  url: string;
  root: string;
  key: string;
  /** For services that report inferences. */
  nats_url: string;
  dataDir: string;
}

type NatsUrls = RunningNats['urls'];
type DatabaseUrls = RunningPostgres['urls'];

/** Something that the person at the terminal can mend; its message says how. */
export class StartError extends Error {}

/** Model servers and webhooks on this machine may be called: that is what a laptop is for. */
const allowedNetworks = '127.0.0.0/8,::1/128,localhost';

/** The whole suite on this machine: its own PostgreSQL and NATS unless told of others. `notice` takes what a person should know. */
export async function startStandalone(config: StandaloneConfig, notice: (line: string) => void): Promise<Standalone> {
  const dataDir = resolve(config.DATA_DIR);
  await assertUsable(dataDir);
  const stops: (() => Promise<void>)[] = [];
  const { NATS_TLS_CA, NATS_TLS_CERT, NATS_TLS_KEY } = config;
  const tls = { NATS_TLS_CA, NATS_TLS_CERT, NATS_TLS_KEY };
  const close = async (): Promise<void> => {
    for (const stop of stops.reverse()) await stop();
    stops.length = 0;
  };
  try {
    const [secrets, port] = await Promise.all([
      loadSecrets(dataDir),
      freePort(config.PORT),
      config.DATABASE_URL && assertReachablePostgres(config.DATABASE_URL),
      config.NATS_URL && assertReachableNats({ ...tls, NATS_URL: config.NATS_URL }),
    ]);
    // Settled, both of them: a server that is still starting could not be stopped.
    const servers = await Promise.allSettled([
      config.DATABASE_URL ? sameForAll(databaseRoles, config.DATABASE_URL) : embeddedPostgres(dataDir, notice, stops),
      config.NATS_URL ? sameForAll(natsUsers, config.NATS_URL) : embeddedNats(dataDir, notice, stops),
    ]);
    const [database_urls, nats_urls] = [valueOf(servers[0]), valueOf(servers[1])];
    if (port !== config.PORT) notice(`Port ${config.PORT} is taken; using ${port}.`);
    const key = config.BOOTSTRAP_ADMIN_KEY ?? secrets.bootstrap_admin_key;
    const suite = await startSuite({
      host: config.HOST,
      port,
      database_urls,
      nats_urls,
      nats_tls: config.NATS_URL ? tls : {},
      key_pepper: secrets.key_pepper,
      bootstrap_admin_key: key,
      log_level: config.LOG_LEVEL,
      otlp_endpoint: config.OTEL_EXPORTER_OTLP_ENDPOINT,
      allowed_networks: allowedNetworks,
      cors_origins: config.CORS_ORIGINS,
      secrets_dir: config.VALIDATION_SECRETS_DIR ?? '',
      health_tick_seconds: 10,
      validation_lease_seconds: 15,
      rollout_tick_seconds: 10,
      selection_tick_seconds: 1,
      breaker_open_seconds: 30,
    });
    stops.push(() => suite.close());
    const root = rootOf(config.HOST, port);
    return { url: `${root}/api/models/enterprise`, root, key, nats_url: nats_urls.publisher, dataDir, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function embeddedPostgres(dataDir: string, onNotice: (line: string) => void, stops: (() => Promise<void>)[]): Promise<DatabaseUrls> {
  const { urls, stop } = await startPostgres({ dataDir: join(dataDir, 'postgres'), onNotice });
  stops.push(stop);
  return urls;
}

async function embeddedNats(dataDir: string, onNotice: (line: string) => void, stops: (() => Promise<void>)[]): Promise<NatsUrls> {
  const { urls, stop } = await startNats({ storeDir: join(dataDir, 'nats'), onNotice });
  stops.push(stop);
  return urls;
}

/** A server of one's own, whose users are one's own too. */
const sameForAll = <User extends string>(users: readonly User[], url: string): Record<User, string> =>
  Object.fromEntries(users.map((user) => [user, url])) as Record<User, string>;

function valueOf<Value>(settled: PromiseSettledResult<Value>): Value {
  if (settled.status === 'rejected') throw settled.reason;
  return settled.value;
}

async function assertUsable(dataDir: string): Promise<void> {
  try {
    await mkdir(dataDir, { recursive: true });
    await access(dataDir, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new StartError(
      `DATA_DIR cannot be used: ${messageOf(error)}\nSet DATA_DIR to a folder that may be written to, or leave it unset.`,
    );
  }
}

async function assertReachablePostgres(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  try {
    await client.connect();
  } catch (error) {
    throw new StartError(
      `DATABASE_URL does not work: ${messageOf(error)}\nCheck the address, or leave DATABASE_URL unset to use the embedded PostgreSQL.`,
    );
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function assertReachableNats(at: Parameters<typeof connectionOptions>[0]): Promise<void> {
  try {
    const connection = await connect({ ...connectionOptions(at), timeout: 5_000, reconnect: false });
    try {
      // Throws where there is no JetStream.
      await jetstreamManager(connection);
    } finally {
      await connection.close();
    }
  } catch (error) {
    throw new StartError(
      `NATS_URL does not work: ${messageOf(error)}\nCheck the address and that JetStream is on (nats-server -js), or leave NATS_URL unset to use a local nats-server.`,
    );
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message || error.name : String(error));

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningPostgres, startPostgres } from '#embedded/postgres.js';
import { createDatabase, servicesTemplate } from '#testing/database.js';
import { lastingPort } from '#testing/nats.js';

export interface Postgres {
  readonly url: string;
  readonly urls: RunningPostgres['urls'];
  readonly pid: () => number;
  readonly kill: () => Promise<void>;
  readonly restart: () => Promise<void>;
  readonly drop: () => Promise<void>;
}

/** A database on the server that all spec files share. */
export async function sharedPostgres(): Promise<Postgres> {
  const { url, urls, drop } = await createDatabase(servicesTemplate);
  const notOurs = (): never => {
    throw new Error('The shared PostgreSQL is nobody’s to kill');
  };
  return { url, urls, drop, pid: notOurs, kill: notOurs, restart: notOurs };
}

/** Waits for the disk as in production: what it has committed must outlive a kill. */
export async function killablePostgres(): Promise<Postgres> {
  const dataDir = await mkdtemp(join(process.env.TEST_SERVERS_DIR ?? tmpdir(), 'postgres-'));
  let server = await startPostgres({ dataDir, port: lastingPort(), revive: false });
  const { url, urls, port } = server;
  const pid = (): number => {
    if (server.pid === undefined) throw new Error('PostgreSQL is down');
    return server.pid;
  };
  return {
    url,
    urls,
    pid,
    async kill() {
      process.kill(pid(), 'SIGKILL');
      await server.stop();
    },
    async restart() {
      await server.stop();
      server = await startPostgres({ dataDir, port, revive: false });
      if (server.port !== port) throw new Error(`Port ${port} was taken while PostgreSQL was down`);
    },
    async drop() {
      await server.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

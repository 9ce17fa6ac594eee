import { randomInt } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type NatsConnection, type NodeConnectionOptions } from '@nats-io/transport-node';
import { type RunningNats, startNats } from '#embedded/nats.js';

export interface OwnNats {
  /** The operator's, who may do everything. */
  readonly url: string;
  readonly urls: RunningNats['urls'];
  readonly port: number;
  /** Where its streams are: for tests that do something to them while it is down. */
  readonly storeDir: string;
  readonly stop: () => Promise<void>;
  /** As `kill -9`: no goodbye, nothing flushed. */
  readonly kill: () => Promise<void>;
  /** Starts it again on the same port and store, stopping it first if it runs. */
  readonly restart: () => Promise<void>;
  /** As a disk that is lost: everything that JetStream kept is gone. Only while it is down. */
  readonly loseStore: () => Promise<void>;
}

/**
 * A port to try first for a server that will be down for a while: below those that systems give to clients. One of its clients could
 * otherwise get the server's port as its own when it connects again, and so keep the server from coming back.
 */
export const lastingPort = (): number => randomInt(12_000, 30_000);

/** A connection as the user that the address names, heard on that user's own inbox. */
export function connectTo(url: string, options: NodeConnectionOptions = {}): Promise<NatsConnection> {
  const { host, username, password } = new URL(url);
  return connect({ servers: host, user: username, pass: password, inboxPrefix: `_INBOX.${username}`, ...options });
}

const refusedService = /Violation.*User "(gateway|registry|metrics|validation|flags)"/;
/** The leave to answer goes with the connection that was asked: a service that answers after it was cut off is refused that, and nobody waits for it any more. */
const lateAnswer = /Publish Violation.*Subject "_INBOX\./;

/** What its services wanted and may not do, as the server wrote it down since the start before its latest. */
async function refusals(storeDir: string): Promise<string[]> {
  const logs = ['server.log.previous', 'server.log'].map((name) => readFile(join(storeDir, name), 'utf8').catch(() => ''));
  return (await Promise.all(logs)).flatMap((log) => log.split('\n').filter((line) => refusedService.test(line) && !lateAnswer.test(line)));
}

/**
 * A nats-server with JetStream for one spec file alone; its store is removed with it, also where the caller chose its place. Stopping it throws
 * when it has refused a service anything: the permissions must suffice for every story.
 */
export async function ownNats(place?: string): Promise<OwnNats> {
  const storeDir = place ?? (await mkdtemp(join(process.env.TEST_SERVERS_DIR ?? tmpdir(), 'nats-')));
  let server = await startNats({ storeDir, port: lastingPort(), revive: false });
  const { url, urls, port } = server;
  return {
    url,
    urls,
    port,
    storeDir,
    async stop() {
      await server.stop();
      const refused = await refusals(storeDir);
      await rm(storeDir, { recursive: true, force: true });
      if (refused.length) throw new Error(`NATS refused what a service wanted:\n${refused.join('\n')}`);
    },
    async kill() {
      if (server.pid !== undefined) process.kill(server.pid, 'SIGKILL');
      await server.stop();
    },
    loseStore: () => rm(join(storeDir, 'jetstream'), { recursive: true, force: true }),
    async restart() {
      await server.stop();
      server = await startNats({ storeDir, port, revive: false });
      // A client that reconnects in the very moment in which the port is tried out holds it for an instant.
      for (let attempt = 0; server.port !== port && attempt < 20; attempt++) {
        await server.stop();
        await new Promise((resolve) => setTimeout(resolve, 250));
        server = await startNats({ storeDir, port, revive: false });
      }
      if (server.port !== port) throw new Error(`Port ${port} was taken while the nats-server was down`);
    },
  };
}

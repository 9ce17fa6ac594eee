import { randomUUID } from 'node:crypto';
import { mkdirSync, realpathSync } from 'node:fs';
import { connect } from 'node:net';
import { type RunningServer, type ServerPlan, startManaged, type StartOptions, stopOrphan } from './managed-server.js';
import { natsBinary, systemLookup } from './nats-binary.js';
import { type NatsPasswords, natsUsers, passwordsOf, passwordVariables, type NatsUser, usersFile } from './nats-users.js';

export interface NatsOptions extends StartOptions {
  /** Made if missing. Holds JetStream's files, the log, the pid file and the owner lock. */
  storeDir: string;
}

export interface RunningNats extends RunningServer {
  /** Addresses with user and password; `url` is the operator's. */
  readonly urls: Readonly<Record<NatsUser, string>>;
}

const answerWithinMs = 2_000;

/**
 * Starts the nats-server of this machine with JetStream, at 127.0.0.1 only and without a monitoring port, with the users and permissions that
 * it has in production; installs the server first where it is missing and this process may do so. Streams and passwords in `storeDir` outlive a restart; a server left there by an owner that was killed is
 * ended first. Throws DirectoryInUse while another process owns `storeDir`, or a ServerError that says what to do next.
 */
export async function startNats({ storeDir, ...options }: NatsOptions): Promise<RunningNats> {
  const binary = await natsBinary(systemLookup(), options.onNotice ?? (() => undefined));
  mkdirSync(storeDir, { recursive: true });
  const directory = realpathSync(storeDir);
  // By its name the server is told from a stranger that was quicker to take the port.
  const name = `emr-${randomUUID()}`;
  let passwords: NatsPasswords | undefined;
  const urlOf = (user: NatsUser, port: number): string => `nats://${user}:${passwords?.[user]}@127.0.0.1:${port}`;
  const plan: ServerPlan = {
    ...traits(directory),
    // Large streams are read through before the first answer.
    readyWithinMs: 60_000,
    advice: `If the streams may be lost, remove ${directory} and start again; or set NATS_URL to a NATS server with JetStream.`,
    async prepare() {
      passwords = passwordsOf(directory);
    },
    clear: () => undefined,
    invoke: (port) => ({
      command: binary,
      args: ['-c', usersFile, '-a', '127.0.0.1', '-p', String(port), '-n', name, '-js', '-sd', directory],
      env: passwords && passwordVariables(passwords),
    }),
    answers: async (port) => (await greeting(port)).includes(`"server_name":"${name}"`),
    url: (port) => urlOf('operator', port),
  };
  const server = await startManaged(plan, options);
  const urls = Object.fromEntries(natsUsers.map((user) => [user, urlOf(user, server.port)])) as Record<NatsUser, string>;
  return Object.assign(server, { urls });
}

/** Ends a nats-server that was left running on `storeDir`; the owner must be dead. */
export async function stopOrphanedNats(storeDir: string): Promise<void> {
  await stopOrphan(traits(realpathSync(storeDir)));
}

const traits = (directory: string): Pick<ServerPlan, 'name' | 'directory' | 'marks' | 'shutdown'> => ({
  name: 'nats-server',
  directory,
  marks: ['-sd', directory],
  shutdown: [
    ['SIGTERM', 10_000],
    ['SIGKILL', 5_000],
  ],
});

/** The line with which a NATS server greets every connection, or nothing. */
function greeting(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', timeout: answerWithinMs });
    const end = (line: string): void => {
      socket.destroy();
      resolve(line);
    };
    socket.once('data', (chunk) => end(chunk.toString('utf8')));
    for (const event of ['error', 'timeout', 'close'] as const) socket.once(event, () => end(''));
  });
}

import { once } from 'node:events';
import { statSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { join } from 'node:path';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { isAlive, killHard, newDirectory, occupy, type Owner, removeDirectory, startOwner, until } from './embedded.harness.js';
import { type RunningServer } from './managed-server.js';
import { type NatsOptions, type RunningNats, startNats, stopOrphanedNats } from './nats.js';
import { freePort } from './ports.js';

describe('the embedded nats-server', () => {
  let directory: string;
  const servers: RunningServer[] = [];
  const owners: Owner[] = [];

  const start = async (options: Partial<NatsOptions> = {}): Promise<RunningNats> => {
    const server = await startNats({ storeDir: directory, ...options });
    servers.push(server);
    return server;
  };
  const startElsewhere = async (): Promise<{ owner: Owner; pid: number; url: string }> => {
    const options = JSON.stringify({ storeDir: directory });
    const owner = await startOwner('nats', `const { pid, url } = await embedded.startNats(${options}); console.log(pid, url);`);
    owners.push(owner);
    const [pid = '', url = ''] = owner.said.split(' ');
    return { owner, pid: Number(pid), url };
  };
  const withConnection = async <Result>(url: string, use: (connection: NatsConnection) => Promise<Result>): Promise<Result> => {
    const { host, username, password } = new URL(url);
    const connection = await connect({ servers: host, user: username, pass: password, reconnect: false });
    try {
      return await use(connection);
    } finally {
      await connection.close();
    }
  };
  const keep = (url: string, text: string): Promise<void> =>
    withConnection(url, async (connection) => {
      await (await jetstreamManager(connection)).streams.add({ name: 'KEPT', subjects: ['kept'] });
      await jetstream(connection).publish('kept', text);
    });
  const kept = (url: string): Promise<string | undefined> =>
    withConnection(url, async (connection) => {
      const message = await (await jetstreamManager(connection)).streams.getMessage('KEPT', { seq: 1 });
      return message?.string();
    });

  beforeEach(async () => {
    directory = await newDirectory();
  });

  afterEach(async () => {
    for (const server of servers.splice(0)) await server.stop();
    for (const owner of owners.splice(0)) await killHard(owner);
    await stopOrphanedNats(directory);
    await removeDirectory(directory);
  });

  it('keeps streams over a restart', async () => {
    const first = await start();
    await keep(first.url, 'a word');
    await first.stop();
    const second = await start();
    expect(await kept(second.url)).toBe('a word');
  });

  it('takes the next port when the one asked for is taken', async () => {
    const port = await freePort();
    const stranger = await occupy(port);
    const server = await start({ port });
    stranger.close();
    expect(server.port).toBeGreaterThan(port);
    expect(new URL(server.url).port).toBe(String(server.port));
  });

  it('knows nobody without a password, keeps passwords to its owner, and has the same ones after a restart', async () => {
    const first = await start();
    await expect(connect({ servers: `127.0.0.1:${first.port}`, reconnect: false })).rejects.toThrow(/Authorization/i);
    expect(statSync(join(directory, 'passwords.json')).mode & 0o777).toBe(0o600);
    await first.stop();
    const second = await start({ port: first.port });
    expect(second.urls).toEqual(first.urls);
  });

  it('refuses a second owner while the first one lives', async () => {
    await startElsewhere();
    await expect(start()).rejects.toThrow(/is in use by process \d+/);
  });

  it('ends the server that a killed owner left behind and goes on with its streams', async () => {
    const { owner, pid, url } = await startElsewhere();
    await keep(url, 'a word');
    await killHard(owner);
    expect(isAlive(pid)).toBe(true);
    const server = await start();
    expect(isAlive(pid)).toBe(false);
    expect(await kept(server.url)).toBe('a word');
  });

  it('cuts off who does not answer', async () => {
    const { port, url } = await start();
    const { username, password } = new URL(url);
    const socket = connectSocket({ port, host: '127.0.0.1' });
    let said = '';
    socket.on('data', (chunk: Buffer) => (said += chunk.toString()));
    socket.write(`CONNECT ${JSON.stringify({ user: username, pass: password, verbose: false })}\r\nSUB asked replicas 1\r\n`);
    await once(socket, 'close');
    expect(said).toContain('Stale Connection');
  }, 30_000);

  it('comes back on its port by itself when it is killed', async () => {
    const notices: string[] = [];
    const server = await start({ onNotice: (line) => notices.push(line) });
    await keep(server.url, 'a word');
    process.kill(server.pid!, 'SIGKILL');
    await until(() => notices.length === 2);
    expect(notices[1]).toBe(`nats-server is back on port ${server.port}.`);
    expect(await kept(server.url)).toBe('a word');
  });

  it('stays down where it is not to be revived', async () => {
    const notices: string[] = [];
    const server = await start({ revive: false, onNotice: (line) => notices.push(line) });
    process.kill(server.pid!, 'SIGKILL');
    await until(() => server.pid === undefined);
    expect(notices).toEqual(['nats-server ended by itself (SIGKILL).']);
    await server.stop();
  });
});

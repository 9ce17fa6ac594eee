import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isAlive, killHard, newDirectory, occupy, type Owner, query, removeDirectory, startOwner, until } from './embedded.harness.js';
import { type RunningServer } from './managed-server.js';
import { freePort } from './ports.js';
import { type PostgresOptions, startPostgres, stopOrphanedPostgres } from './postgres.js';
import { runAs } from './postgres-user.js';

describe('the embedded PostgreSQL', () => {
  /** Made once for all tests that are not about the making, which costs a second each: every test leaves both as they can be started. */
  let directory: string;
  let other: string;
  const servers: RunningServer[] = [];
  const owners: Owner[] = [];

  const start = async (options: Partial<PostgresOptions> = {}): Promise<RunningServer> => {
    const server = await startPostgres({ dataDir: directory, durable: false, ...options });
    servers.push(server);
    return server;
  };
  /** A PostgreSQL on `directory` that another process owns; `said` is its pid and its URL. */
  const startElsewhere = async (): Promise<{ owner: Owner; pid: number; url: string }> => {
    const options = JSON.stringify({ dataDir: directory, durable: false });
    const owner = await startOwner('postgres', `const { pid, url } = await embedded.startPostgres(${options}); console.log(pid, url);`);
    owners.push(owner);
    const [pid = '', url = ''] = owner.said.split(' ');
    return { owner, pid: Number(pid), url };
  };

  beforeAll(async () => {
    [directory, other] = await Promise.all([newDirectory(), newDirectory()]);
    for (const server of await Promise.all([start(), start({ dataDir: other })])) await server.stop();
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.stop();
    for (const owner of owners.splice(0)) await killHard(owner);
    for (const used of [directory, other]) await stopOrphanedPostgres(used);
  });
  afterAll(() => Promise.all([directory, other].map(removeDirectory)));

  it('has one empty database in UTF-8 with byte-wise order, which survives a restart', async () => {
    const first = await start();
    const [settings] = await query(
      first.url,
      "SELECT current_database() AS name, pg_encoding_to_char(encoding) AS encoding, datcollate FROM pg_database WHERE datname = 'emr'",
    );
    expect(settings).toEqual({ name: 'emr', encoding: 'UTF8', datcollate: 'C' });
    await query(first.url, "CREATE TABLE kept AS SELECT 'café' AS word");
    await first.stop();
    expect(first.pid).toBeUndefined();
    const second = await start();
    expect(await query(second.url, 'SELECT word FROM kept')).toEqual([{ word: 'café' }]);
  });

  it('listens on 127.0.0.1 alone, without a socket file, and asks for its password', async () => {
    const { url, port } = await start();
    const listening = await query(
      url,
      "SELECT name, setting FROM pg_settings WHERE name IN ('listen_addresses', 'unix_socket_directories') ORDER BY 1",
    );
    expect(listening).toEqual([
      { name: 'listen_addresses', setting: '127.0.0.1' },
      { name: 'unix_socket_directories', setting: '' },
    ]);
    await expect(query(`postgres://emr:wrong@127.0.0.1:${port}/emr`, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
    expect(statSync(join(directory, 'password')).mode & 0o777).toBe(0o600);
  });

  it('takes the next port when the one asked for is taken', async () => {
    const port = await freePort();
    const stranger = await occupy(port);
    const server = await start({ port });
    stranger.close();
    expect(server.port).toBeGreaterThan(port);
    expect(await query(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('runs twice at once on two directories', async () => {
    const [one, two] = await Promise.all([start(), start({ dataDir: other })]);
    await query(one.url, 'CREATE TABLE only_here ()');
    await expect(query(two.url, 'SELECT * FROM only_here')).rejects.toMatchObject({ code: '42P01' });
  });

  it('refuses a second owner while the first one lives', async () => {
    await startElsewhere();
    await expect(start()).rejects.toThrow(/is in use by process \d+; stop that one first, or set DATA_DIR to another folder/);
  });

  it('ends the server that a killed owner left behind, and has all that was committed', async () => {
    const { owner, pid, url } = await startElsewhere();
    await query(url, 'CREATE TABLE kept_of_the_dead AS SELECT 1 AS one');
    await killHard(owner);
    expect(isAlive(pid)).toBe(true);
    const server = await start();
    expect(isAlive(pid)).toBe(false);
    expect(await query(server.url, 'SELECT one FROM kept_of_the_dead')).toEqual([{ one: 1 }]);
  });

  it('starts over the lock files of a server that was killed, even when its pid now belongs to somebody else', async () => {
    const { owner, pid } = await startElsewhere();
    await killHard(owner);
    process.kill(pid, 'SIGKILL');
    await until(() => !isAlive(pid));
    const lock = join(directory, 'data', 'postmaster.pid');
    expect(existsSync(lock)).toBe(true);
    const stranger = await startOwner('owner-lock', "console.log('here');");
    owners.push(stranger);
    writeFileSync(lock, readFileSync(lock, 'utf8').replace(String(pid), String(stranger.process.pid)));
    writeFileSync(join(directory, 'server.pid'), String(stranger.process.pid));
    const server = await start();
    expect(await query(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(stranger.process.exitCode ?? stranger.process.signalCode).toBeNull();
  });

  it('comes back on its port by itself when it is killed, and says so', async () => {
    const notices: string[] = [];
    const server = await start({ onNotice: (line) => notices.push(line) });
    process.kill(server.pid!, 'SIGKILL');
    await until(() => notices.length === 2);
    expect(notices).toEqual(['PostgreSQL ended by itself (SIGKILL); starting it again.', `PostgreSQL is back on port ${server.port}.`]);
    expect(await query(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('ends with its owner when that ends without stopping it', async () => {
    const { pid } = await startElsewhere();
    const options = JSON.stringify({ dataDir: other, durable: false });
    const crashing = await startOwner(
      'postgres',
      `const { pid } = await embedded.startPostgres(${options}); console.log(pid); setTimeout(() => process.exit(3), 50);`,
    );
    await until(() => !isAlive(Number(crashing.said)));
    expect(isAlive(pid)).toBe(true);
  });

  it('reports a start that fails with the end of the log and what to do next', async () => {
    const control = join(directory, 'data', 'global', 'pg_control');
    renameSync(control, `${control}.away`);
    await expect(start()).rejects.toThrow(
      /PostgreSQL did not start: it ended with code \d+[^]*pg_control[^]*remove .* and start again; or set DATABASE_URL/,
    );
    renameSync(`${control}.away`, control);
  });

  it('begins anew after an initdb that was interrupted', async () => {
    const interrupted = await newDirectory();
    await mkdir(join(interrupted, 'data.new'));
    writeFileSync(join(interrupted, 'data.new', 'PG_VERSION'), '18\n');
    const server = await start({ dataDir: interrupted });
    expect(await query(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await server.stop();
    await removeDirectory(interrupted);
  });

  it.each([0o700, 0o755])('runs as somebody other than root below a directory of mode %o, which it leaves alone', async (mode) => {
    const above = await mkdtemp(join(tmpdir(), 'emr-embedded-'));
    await chmod(above, mode);
    const server = await start({ dataDir: join(above, 'postgres') });
    expect(await query(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(statSync(above).mode & 0o777).toBe(mode);
    expect(statSync(join(above, 'postgres', 'data')).uid).not.toBe(0);
    await server.stop();
    await removeDirectory(above);
  });
});

describe('runAs', () => {
  it('says what to do when PostgreSQL’s account has no way in', () => {
    expect(() => runAs({ uid: 65_534, gid: 65_534 }, '/bin/true', '/no/such/folder')).toThrow(
      /the user with id 65534 .*; start as an ordinary user, .* or set DATABASE_URL/,
    );
  });
});

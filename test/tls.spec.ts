import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import pg from 'pg';
import { registrySchema } from '#registry/registry.module.js';
import { natsBinary, systemLookup } from '#embedded/nats-binary.js';
import { natsUsers, type NatsPasswords, passwordVariables, usersFile } from '#embedded/nats-users.js';
import { freePort } from '#embedded/ports.js';
import { type RunningPostgres, startPostgres } from '#embedded/postgres.js';
import { ConfigError, type ServiceConfig } from '#runtime/config.js';
import { DatabaseModule, openDatabase } from '#runtime/database.module.js';
import { connectionOptions } from '#runtime/nats.js';
import { eventually } from './api.harness.js';
import { runToEnd } from './processes.harness.js';
import { Authority, type Certificate, openssl } from './certificates.harness.js';

let directory: string;
let ours: Authority;
let strangers: Authority;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'emr-tls-'));
  if (!openssl) return;
  [ours, strangers] = await Promise.all([Authority.make(directory, 'ours'), Authority.make(directory, 'strangers')]);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** Without openssl there are no certificates to try it with. */
const describeTls = openssl ? describe : describe.skip;

describeTls('NATS over TLS', () => {
  const servers: ChildProcess[] = [];
  let own: Certificate;
  let port: number;

  /** Resolves to its port once it answers. */
  const serve = async ({ certFile, keyFile }: Certificate): Promise<number> => {
    const at = await freePort();
    const passwords = Object.fromEntries(natsUsers.map((user) => [user, `of-${user}`])) as NatsPasswords;
    const args = ['-c', usersFile, '-a', '127.0.0.1', '-p', String(at), '-js', '-sd', join(directory, `nats-${at}`)];
    const tls = ['--tls', '--tlscert', certFile, '--tlskey', keyFile, '--tlsverify', '--tlscacert', ours.caFile];
    const env = { PATH: process.env.PATH, ...passwordVariables(passwords) };
    servers.push(spawn(await natsBinary(systemLookup(), () => undefined), [...args, ...tls], { stdio: 'ignore', env }));
    await eventually(
      () => outcome(files(), 'tls://127.0.0.1', at),
      (seen) => !/ECONNREFUSED|connection refused/.test(seen),
    );
    return at;
  };

  beforeAll(async () => {
    const [one, registry] = await Promise.all([ours.sign('nats', 'DNS:localhost'), ours.sign('registry', 'DNS:registry')]);
    own = registry;
    port = await serve(one);
  });
  afterAll(async () => {
    for (const server of servers) {
      const ended = once(server, 'exit');
      server.kill();
      await ended;
    }
  });

  type Files = Partial<Record<'NATS_TLS_CA' | 'NATS_TLS_CERT' | 'NATS_TLS_KEY', string>>;
  const files = (): Files => ({ NATS_TLS_CA: ours.caFile, NATS_TLS_CERT: own.certFile, NATS_TLS_KEY: own.keyFile });
  const outcome = async (given: Files, address = 'tls://registry:of-registry@localhost', at = port): Promise<string> => {
    try {
      const connection = await connect({ ...connectionOptions({ NATS_URL: `${address}:${at}`, ...given }), reconnect: false });
      await connection.flush();
      await connection.close();
      return 'connected';
    } catch (error) {
      if (error instanceof ConfigError) throw error;
      return `refused: ${String(error)}`;
    }
  };

  it('connects with a certificate that the authority in NATS_TLS_CA has signed, also where the address says nats://', async () => {
    expect(await outcome(files())).toBe('connected');
    expect(await outcome(files(), 'nats://registry:of-registry@localhost')).toBe('connected');
  });

  it('refuses a server of another authority or of another name', async () => {
    expect(await outcome({ ...files(), NATS_TLS_CA: strangers.caFile })).toMatch(/^refused/);
    expect(await outcome({ ...files(), NATS_TLS_CA: undefined })).toMatch(/^refused/);
    expect(await outcome(files(), 'tls://registry:of-registry@127.0.0.1')).toMatch(/^refused.*altnames/);
    const elsewhere = await serve(await ours.sign('elsewhere', 'DNS:elsewhere.example'));
    expect(await outcome(files(), undefined, elsewhere)).toMatch(/^refused.*altnames/);
  });

  it('knows a server whose address is a number by that number', async () => {
    const numbered = await serve(await ours.sign('numbered', 'IP:127.0.0.1'));
    expect(await outcome(files(), 'tls://registry:of-registry@127.0.0.1', numbered)).toBe('connected');
    expect(await outcome(files(), undefined, numbered)).toMatch(/^refused.*altnames/);
  });

  it('is refused by a server that asks for a certificate when it has none, and with a wrong password when it has one', async () => {
    expect(await outcome({ NATS_TLS_CA: ours.caFile })).toMatch(/^refused/);
    expect(await outcome(files(), 'tls://registry:of-flags@localhost')).toMatch(/^refused.*Authorization/);
  });

  it('is what npm start uses too, when it is given the files', async () => {
    const address = { NATS_URL: `tls://operator:wrong@localhost:${port}`, DATABASE_URL: process.env.TEST_DATABASE_URL! };
    const start = async (given: Files): Promise<string> =>
      (await runToEnd('standalone', { ...address, ...given, DATA_DIR: join(directory, 'data') })).output;
    expect(await start({ ...files(), NATS_TLS_CA: strangers.caFile })).toMatch(/^NATS_URL does not work: .*certificate/);
    // It got as far as the password.
    expect(await start(files())).toMatch(/^NATS_URL does not work: Authorization/);
  });

  it('names the variable of a file that cannot be read, or that is given alone', async () => {
    await expect(outcome({ NATS_TLS_CA: '/nowhere.pem' })).rejects.toThrow(/^NATS_TLS_CA: the file cannot be read/);
    await expect(outcome({ NATS_TLS_CERT: own.certFile })).rejects.toThrow('NATS_TLS_CERT, NATS_TLS_KEY: must be given together');
  });
});

describeTls('PostgreSQL over TLS', () => {
  let postgres: RunningPostgres;

  beforeAll(async () => {
    const dataDir = join(directory, 'postgres');
    postgres = await startPostgres({ dataDir, durable: false });
    // Its key has to be its own.
    const { uid, gid } = await stat(join(dataDir, 'data'));
    const { certFile, keyFile } = await ours.sign('postgres', 'IP:127.0.0.1');
    for (const path of [directory, certFile, keyFile]) await chown(path, uid, gid);
    const client = new pg.Client({ connectionString: postgres.url });
    await client.connect();
    for (const sql of [`cert_file = '${certFile}'`, `key_file = '${keyFile}'`, 'min_protocol_version = "TLSv1.2"'])
      await client.query(`ALTER SYSTEM SET ssl_${sql.replaceAll('"', "'")}`);
    await client.query('ALTER SYSTEM SET ssl = on');
    await client.query('SELECT pg_reload_conf()');
    await client.end();
  }, 60_000);
  afterAll(() => postgres.stop());

  const outcome = async (query: string, host = '127.0.0.1'): Promise<string> => {
    const url = postgres.urls.registry.replace('127.0.0.1', host) + query;
    try {
      const database = await openDatabase(registrySchema, { DATABASE_URL: url, DATABASE_POOL_SIZE: 1 });
      const [row] = await database.query<{ ssl: boolean }[]>('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()');
      await database.destroy();
      return row?.ssl ? 'encrypted' : 'plain';
    } catch (error) {
      return `refused: ${String(error)}`;
    }
  };

  it('is used when DATABASE_URL says so, and only with a server whose authority and name are right', async () => {
    const verified = `?sslmode=verify-full&sslrootcert=${ours.caFile}`;
    expect(
      await eventually(
        () => outcome(verified),
        (seen) => seen === 'encrypted',
      ),
    ).toBe('encrypted');
    expect(await outcome('')).toBe('plain');
    expect(await outcome(`?sslmode=verify-full&sslrootcert=${strangers.caFile}`)).toMatch(/^refused/);
    expect(await outcome('?sslmode=verify-full')).toMatch(/^refused/);
    expect(await outcome(verified, 'localhost')).toMatch(/^refused/);
    expect(() =>
      DatabaseModule.forSchema(registrySchema, { DATABASE_URL: `${postgres.url}?sslrootcert=/nowhere.pem` } as ServiceConfig),
    ).toThrow(/^DATABASE_URL: .*nowhere.pem/);
  });
});

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { type RunningServer, type ServerPlan, startManaged, type StartOptions, stopOrphan } from './managed-server.js';
import { type PostgresBinaries, postgresBinaries } from './postgres-binaries.js';
import { type DatabaseRole, makeRoles, roleUrls } from './postgres-roles.js';
import { accountForPostgres, runAs, type RunAs } from './postgres-user.js';
import { ServerError } from './server-error.js';

export interface PostgresOptions extends StartOptions {
  /** Made if missing. Holds the data, the password (mode 0600), the log, the pid file and the owner lock. */
  dataDir: string;
  /** False where the data are thrown away: nothing waits for the disk, and a power cut may ruin them. True unless said otherwise. */
  durable?: boolean | undefined;
}

export interface RunningPostgres extends RunningServer {
  /** Addresses of the services' roles, which may use their own schema alone; `url` is the owner's, who may do everything. */
  readonly urls: Readonly<Record<DatabaseRole, string>>;
}

const user = 'emr';
const database = 'emr';
const wrongPassword = '28P01';

/**
 * Starts the PostgreSQL that npm installed, at 127.0.0.1 only, with one database `emr` (UTF-8, C locale) whose owner may do everything and
 * in which each service has a role and a schema.
 * Data in `dataDir` outlive a restart; a server left there by an owner that was killed is ended first. Throws DirectoryInUse while another
 * process owns `dataDir`, or a ServerError with the end of the server's log and what to do next.
 */
export async function startPostgres({ dataDir, durable = true, ...options }: PostgresOptions): Promise<RunningPostgres> {
  mkdirSync(dataDir, { recursive: true });
  const plan = new PostgresPlan(realpathSync(dataDir), postgresBinaries(), durable);
  const server = await startManaged(plan, options);
  try {
    await plan.createDatabase(server.port);
    await makeRoles(server.url);
    return Object.assign(server, { urls: roleUrls(server.url) });
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** Ends a PostgreSQL that was left running on `dataDir`; the owner must be dead. */
export async function stopOrphanedPostgres(dataDir: string): Promise<void> {
  await stopOrphan(traits(realpathSync(dataDir)));
}

const traits = (directory: string): Pick<ServerPlan, 'name' | 'directory' | 'marks' | 'shutdown'> => ({
  name: 'PostgreSQL',
  directory,
  marks: ['-D', join(directory, 'data')],
  // "Fast": open transactions are rolled back. Then "immediate": the next start replays the log. Then the hard way.
  shutdown: [
    ['SIGINT', 10_000],
    ['SIGQUIT', 5_000],
    ['SIGKILL', 5_000],
  ],
});

class PostgresPlan implements ServerPlan {
  readonly name;
  readonly marks;
  readonly shutdown;
  // After a crash the log is replayed before the first answer.
  readonly readyWithinMs = 60_000;
  readonly advice;
  private readonly data;
  private readonly passwordFile;
  private password = '';
  private run: RunAs | undefined;

  constructor(
    readonly directory: string,
    private readonly binaries: PostgresBinaries,
    private readonly durable: boolean,
  ) {
    ({ name: this.name, marks: this.marks, shutdown: this.shutdown } = traits(directory));
    this.data = join(directory, 'data');
    this.passwordFile = join(directory, 'password');
    this.advice = `If the data may be lost, remove ${directory} and start again; or set DATABASE_URL to a PostgreSQL of your own.`;
  }

  async prepare(): Promise<void> {
    if (existsSync(this.data)) {
      const account = accountForPostgres(statSync(this.data));
      this.run = runAs(account, this.binaries.postgres, this.data);
      this.password = this.readPassword();
    } else {
      await this.initialise();
    }
  }

  private readPassword(): string {
    try {
      return readFileSync(this.passwordFile, 'utf8').trim();
    } catch (error) {
      throw new ServerError(`The password of the data in ${this.directory} cannot be read: ${(error as Error).message}\n${this.advice}`);
    }
  }

  /** The data directory gets its name when it is complete: an initdb that was interrupted leaves nothing that looks like data. */
  private async initialise(): Promise<void> {
    const draft = `${this.data}.new`;
    rmSync(draft, { recursive: true, force: true });
    mkdirSync(draft, { mode: 0o700 });
    this.password = randomBytes(24).toString('hex');
    writeFileSync(this.passwordFile, `${this.password}\n`, { mode: 0o600 });
    const account = accountForPostgres(undefined);
    if (account) for (const path of [draft, this.passwordFile]) chownSync(path, account.uid, account.gid);
    this.run = runAs(account, this.binaries.postgres, draft);
    const { command, args, ...credentials } = this.run(this.binaries.initdb, [
      ...['-D', draft, '-U', user, `--pwfile=${this.passwordFile}`, '--auth=scram-sha-256', '--encoding=UTF8', '--locale=C'],
      ...(this.durable ? [] : ['--no-sync']),
    ]);
    await promisify(execFile)(command, args, { cwd: '/', env: { PATH: process.env.PATH, LC_ALL: 'C' }, ...credentials }).catch(
      (error: Error & { stderr?: string }) => {
        throw new ServerError(
          `PostgreSQL could not make its data directory ${draft}: ${error.stderr?.trim() || error.message}\n${this.advice}`,
        );
      },
    );
    renameSync(draft, this.data);
  }

  /** A killed server leaves its lock file, whose pid may since belong to anybody; that no server is left here has just been made sure of. */
  clear(): void {
    rmSync(join(this.data, 'postmaster.pid'), { force: true });
  }

  invoke(port: number): ReturnType<RunAs> {
    if (!this.run) throw new Error('prepare() comes first');
    const settings = [
      'listen_addresses=127.0.0.1',
      `port=${port}`,
      // No socket in /tmp that two instances could fight over.
      'unix_socket_directories=',
      'max_connections=200',
      'timezone=UTC',
      'log_timezone=UTC',
      ...(this.durable ? [] : ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off']),
    ];
    return this.run(this.binaries.postgres, ['-D', this.data, ...settings.flatMap((setting) => ['-c', setting])]);
  }

  url(port: number): string {
    return this.address(port, database);
  }

  async answers(port: number): Promise<boolean> {
    try {
      await this.query(port, 'SELECT 1');
      return true;
    } catch (error) {
      if ((error as pg.DatabaseError).code !== wrongPassword) return false;
      throw new ServerError(`it does not take the password in ${this.passwordFile}`);
    }
  }

  async createDatabase(port: number): Promise<void> {
    const found = await this.query(port, 'SELECT 1 FROM pg_database WHERE datname = $1', [database]);
    if (found.rowCount === 0) await this.query(port, `CREATE DATABASE ${database}`);
  }

  private async query(port: number, sql: string, values: string[] = []): Promise<pg.QueryResult> {
    const client = new pg.Client({ connectionString: this.address(port, 'postgres'), connectionTimeoutMillis: 5_000 });
    // A server that goes down again says so on the connection too.
    client.on('error', () => undefined);
    try {
      await client.connect();
      return await client.query(sql, values);
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  private address(port: number, name: string): string {
    return `postgres://${user}:${this.password}@127.0.0.1:${port}/${name}`;
  }
}

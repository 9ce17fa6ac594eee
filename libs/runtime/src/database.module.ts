import { type DynamicModule, Module, type Type } from '@nestjs/common';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import pg from 'pg';
import { DataSource, type DataSourceOptions, type MigrationInterface, type QueryRunner } from 'typeorm';
import { ConfigError, type ServiceConfig } from './config.js';
import { DatabaseClient } from './database-client.js';
import { isLoginRefused } from './database-fault.js';
import { type PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js';
import { measurePool } from './database.measurements.js';
import { Logger } from './logger.js';
import { Readiness } from './probes.js';
import { Telemetry } from './telemetry.js';

export interface Schema {
  /** The PostgreSQL schema, also the name of the service that alone uses it. */
  name: string;
  entities: Type[];
  migrations: (new () => MigrationInterface)[];
}

// One number for all services: CREATE SCHEMA of two services on one new database would race otherwise.
const migrationLock = 3_727_144_905;

/** The TypeORM options of a service's schema. `schema` in them makes every entity and the migrations table live there. */
export function databaseOptions(schema: Schema, config: Pick<ServiceConfig, 'DATABASE_URL' | 'DATABASE_POOL_SIZE'>): DataSourceOptions {
  return {
    type: 'postgres',
    // TypeORM would look for it below node_modules, which an image does not have.
    driver: pg,
    url: config.DATABASE_URL,
    schema: schema.name,
    entities: schema.entities,
    migrations: schema.migrations,
    migrationsTableName: 'migrations',
    poolSize: config.DATABASE_POOL_SIZE,
    connectTimeoutMS: 1_500,
    applicationName: `emr-${schema.name}`,
    logging: false,
    extra: {
      Client: DatabaseClient,
      // Both below the time that an asker waits, so that a slow database is answered as an error and not as silence.
      statement_timeout: 1_800,
      query_timeout: 1_900,
      idle_in_transaction_session_timeout: 10_000,
      keepAlive: true,
    },
  };
}

/**
 * Connects, having brought the schema up to date unless another process does. Replicas that start together take turns; a migration runs once.
 * Throws while a migration that this process knows has not run and it may not run it itself.
 */
export async function openDatabase(
  schema: Schema,
  config: Pick<ServiceConfig, 'DATABASE_URL' | 'DATABASE_POOL_SIZE'> & Partial<Pick<ServiceConfig, 'MIGRATIONS'>>,
): Promise<DataSource> {
  if (config.MIGRATIONS !== 'wait') await migrate(schema, config.DATABASE_URL);
  const source = await new DataSource(databaseOptions(schema, config)).initialize();
  try {
    if (config.MIGRATIONS === 'wait') await assertMigrated(schema, source);
    return source;
  } catch (error) {
    await source.destroy();
    throw error;
  }
}

/** What has run beyond what this process knows is no matter: it is of a later release, which keeps what this one needs. */
async function assertMigrated({ name }: Schema, source: DataSource): Promise<void> {
  // TypeORM would make the table of migrations where it is missing.
  const [found] = await source.query<{ present: boolean }[]>('SELECT to_regclass($1) IS NOT NULL AS present', [`"${name}".migrations`]);
  if (!found?.present || (await source.showMigrations())) throw new Error('migrations that this release needs have not run yet');
}

/** Has the collation by which names are searched. */
const leastVersion = 17;

async function assertVersion(runner: QueryRunner): Promise<void> {
  const [found] = (await runner.query(`SELECT current_setting('server_version_num')::int / 10000 AS version`)) as { version: number }[];
  const version = found?.version ?? 0;
  if (version < leastVersion) throw new Error(`it is PostgreSQL ${version}; ${leastVersion} or newer is needed`);
}

/** Brings the schema up to date; resolves to the names of the migrations that it ran. Killed in between, those before are done and the one in hand is not. */
export async function migrate(schema: Schema, url: string): Promise<string[]> {
  const options = databaseOptions(schema, { DATABASE_URL: url, DATABASE_POOL_SIZE: 2 });
  // A migration may take long, and waiting for another replica's turn too.
  const source = await new DataSource({ ...options, extra: { Client: DatabaseClient } }).initialize();
  const lock = source.createQueryRunner();
  try {
    await assertVersion(lock);
    await lock.query('SELECT pg_advisory_lock($1)', [migrationLock]);
    const [found] = (await lock.query('SELECT to_regnamespace($1) IS NOT NULL AS present', [schema.name])) as { present: boolean }[];
    if (!found?.present) await lock.query(`CREATE SCHEMA "${schema.name}"`);
    return (await source.runMigrations({ transaction: 'each' })).map(({ name }) => name);
  } finally {
    await lock.query('SELECT pg_advisory_unlock($1)', [migrationLock]).catch(() => undefined);
    await lock.release();
    await source.destroy();
  }
}

/** The certificates that an address names are read by pg, which would be tried again for ever. */
function assertFiles({ DATABASE_URL }: ServiceConfig): void {
  try {
    new pg.Client({ connectionString: DATABASE_URL });
  } catch (error) {
    throw new ConfigError(`DATABASE_URL: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** As `openDatabase`; throws ConfigError where PostgreSQL is there and refuses who asks, which no waiting mends. */
async function openForService(schema: Schema, config: ServiceConfig): Promise<DataSource> {
  try {
    return await openDatabase(schema, config);
  } catch (error) {
    if (!isLoginRefused(error)) throw error;
    throw new ConfigError(`DATABASE_URL: PostgreSQL refuses its user or password (${(error as Error).message})`);
  }
}

/**
 * A service's database. While PostgreSQL is away at the start it tries again for ever: the process is alive and not ready. A wrong password ends it
 * instead, as a wrong one of NATS does: whoever starts it sees why, and starts it again.
 */
@Module({})
export class DatabaseModule {
  static forSchema(schema: Schema, config: ServiceConfig): DynamicModule {
    assertFiles(config);
    return {
      module: DatabaseModule,
      imports: [
        // Named, since the standalone process has several.
        TypeOrmModule.forRootAsync({
          name: schema.name,
          inject: [Logger, Readiness],
          useFactory: (logger: Logger, readiness: Readiness) => {
            readiness.add('postgres', () => {
              throw new Error('not connected yet');
            });
            return {
              ...databaseOptions(schema, config),
              retryAttempts: Number.MAX_SAFE_INTEGER,
              retryDelay: 1_000,
              toRetry: (error: Error) => {
                if (error instanceof ConfigError) return false;
                readiness.add('postgres', () => {
                  throw new Error(`not connected yet: ${error.message}`);
                });
                logger.warn(`PostgreSQL is not there yet: ${error.message}`, 'database');
                return true;
              },
            };
          },
          dataSourceFactory: () => openForService(schema, config),
        }),
        TypeOrmModule.forFeature(schema.entities, schema.name),
      ],
      exports: [TypeOrmModule, DataSource],
      providers: [
        { provide: DataSource, useExisting: getDataSourceToken(schema.name) },
        {
          provide: 'DATABASE_READINESS',
          inject: [DataSource, Readiness, Telemetry],
          useFactory: (database: DataSource, readiness: Readiness, telemetry: Telemetry) => {
            measurePool(telemetry, 'service', config.DATABASE_POOL_SIZE, (database.driver as PostgresDriver).master as pg.Pool);
            readiness.add('postgres', async () => {
              await database.query('SELECT 1');
            });
            readiness.add('migrations', async () => {
              if (await database.showMigrations()) throw new Error('some have not run');
            });
          },
        },
      ],
    };
  }
}

import { Decimal, OneOf, Text, Whole } from '#contracts/fields.js';
import { type DataClass, fieldsOf } from '#contracts/fields.js';
import { AppError, type FieldProblem } from '#contracts/errors.js';
import { fromTexts, parse } from '#contracts/parse.js';

export const logLevels = ['silent', 'error', 'warn', 'info', 'debug'] as const;

/** Whether a text is an address whose user and password can be decoded. */
function isAddress(text: string): boolean {
  try {
    const { username, password } = new URL(text);
    decodeURIComponent(username + password);
    return true;
  } catch {
    return false;
  }
}

export const NatsUrl = (options: { optional?: boolean } = {}): PropertyDecorator =>
  Text({
    ...options,
    max: 2000,
    pattern: /^(nats|tls):\/\/[^\s]+$/,
    rule: isAddress,
    accepted: 'a NATS address such as nats://user:password@127.0.0.1:4222',
  });

export const DatabaseUrl = (options: { optional?: boolean } = {}): PropertyDecorator =>
  Text({
    ...options,
    max: 2000,
    pattern: /^postgres(ql)?:\/\/[^\s]+$/,
    rule: isAddress,
    accepted: 'a PostgreSQL address such as postgres://user:password@127.0.0.1:5432/emr',
  });

export const CollectorUrl = (): PropertyDecorator =>
  Text({
    optional: true,
    max: 2000,
    pattern: /^https?:\/\/[^\s]+$/,
    rule: isAddress,
    accepted: 'the address of an OpenTelemetry collector such as http://127.0.0.1:4318',
  });

/** What every process is told by its environment. */
export class ProcessConfig {
  @NatsUrl()
  NATS_URL!: string;

  /** File with the certificates that NATS's own is checked against, where they are not the system's. */
  @Text({ max: 1000, optional: true })
  NATS_TLS_CA?: string;

  /** Files with the certificate that this process shows to NATS, and its key. */
  @Text({ max: 1000, optional: true })
  NATS_TLS_CERT?: string;

  @Text({ max: 1000, optional: true })
  NATS_TLS_KEY?: string;

  /** Of streams and buckets that are made because they are missing: on so many servers of NATS's cluster. */
  @Whole({ min: 1, max: 5, optional: true })
  NATS_REPLICAS = 1;

  @OneOf(logLevels, { optional: true })
  LOG_LEVEL: (typeof logLevels)[number] = 'info';

  /** Where traces go, over HTTP; without it there are none. */
  @CollectorUrl()
  OTEL_EXPORTER_OTLP_ENDPOINT?: string;

  /** Which share of the traces that begin here is recorded. */
  @Decimal({ min: 0, max: 1, optional: true })
  OTEL_TRACES_SAMPLER_ARG = 1;
}

export class ServiceConfig extends ProcessConfig {
  @DatabaseUrl()
  DATABASE_URL!: string;

  @Whole({ min: 1, max: 200, optional: true })
  DATABASE_POOL_SIZE = 10;

  /** Whether this process brings its schema up to date when it starts, or waits until another one has, as whose role it may not. */
  @OneOf(['run', 'wait'], { optional: true })
  MIGRATIONS: 'run' | 'wait' = 'run';

  @Text({ max: 100, optional: true })
  PROBE_HOST = '0.0.0.0';

  @Whole({ max: 65_535, optional: true })
  PROBE_PORT = 3000;
}

/** What a process is told that migrates a schema and does nothing else. */
export class MigrationConfig {
  /** As the owner of the schema. */
  @DatabaseUrl()
  DATABASE_URL!: string;
}

/** A mistake in the environment: every bad variable with what it accepts. Values are left out, since they may be secrets. */
export class ConfigError extends Error {
  override name = 'ConfigError';
}

/** Reads a process's configuration from its environment, once, and refuses to go on with a variable that is missing or wrong. */
export function readConfig<T extends object>(type: DataClass<T>, environment: Record<string, string | undefined>): T {
  const known = [...fieldsOf(type).keys()].filter((name) => environment[name] !== undefined && environment[name] !== '');
  const given = Object.fromEntries(known.map((name) => [name, environment[name]]));
  try {
    return parse(type, fromTexts(type, given));
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const problems = (error.details!.fields as FieldProblem[]).map(({ field, accepted }) => `  ${field}: must be ${accepted}`);
    throw new ConfigError(`These environment variables are missing or wrong:\n${problems.join('\n')}`);
  }
}

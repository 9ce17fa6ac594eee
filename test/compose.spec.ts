import { execFileSync, spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { type DataClass } from '#contracts/fields.js';
import { FlagsConfig } from '#flags/flags.config.js';
import { GatewayConfig } from '#gateway/gateway.config.js';
import { MetricsConfig } from '#metrics/metrics.config.js';
import { RegistryConfig } from '#registry/registry.config.js';
import { MigrationConfig, readConfig } from '#runtime/config.js';
import { ValidationConfig } from '#validation/validation.config.js';

interface Service {
  image?: string;
  command?: string[];
  environment?: Record<string, string | number>;
  volumes?: string[];
  ports?: string[];
  depends_on?: Record<string, { condition: string }>;
  profiles?: string[];
  [other: string]: unknown;
}

const apps: Record<string, DataClass> = {
  registry: RegistryConfig,
  metrics: MetricsConfig,
  validation: ValidationConfig,
  flags: FlagsConfig,
  gateway: GatewayConfig,
};
/** As `sh deploy/secrets.sh > .env` makes them. */
const secrets: Record<string, string> = Object.fromEntries(
  execFileSync('sh', ['deploy/secrets.sh'], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => line.split('=') as [string, string]),
);
let text: string;
let services: Record<string, Service>;

/** Compose's own rules for `${NAME}`, `${NAME:-default}` and `${NAME:?message}`. */
function interpolated(value: string | number): string {
  return String(value).replaceAll(/\$\{(\w+)(?::([-?])([^}]*))?\}/g, (_, name: string, kind?: string, rest?: string) => {
    const found = secrets[name] ?? (kind === '-' ? rest : undefined);
    if (found === undefined) throw new Error(`${name} is not set`);
    return found;
  });
}

const environmentOf = ({ environment = {} }: Service): Record<string, string> =>
  Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, interpolated(value)]));

beforeAll(async () => {
  text = await readFile('docker-compose.yml', 'utf8');
  ({ services } = parse(text, { merge: true }) as { services: Record<string, Service> });
});

it('secrets are new each time, a letter first and long enough', () => {
  expect(Object.values(secrets).every((value) => /^[a-zA-Z][a-zA-Z0-9]{39}$/.test(value))).toBe(true);
  expect(new Set(Object.values(secrets)).size).toBe(Object.keys(secrets).length);
});

it('needs no secret that the script does not make, and gives none a default', () => {
  for (const [, name, kind, rest] of text.matchAll(/\$\{(\w+)(?::([-?])([^}]*))?\}/g)) {
    expect([name, kind === '-' || name! in secrets]).toEqual([name, true]);
    if (/PASSWORD|PEPPER|KEY$/.test(name!) && kind === '-') expect(rest).toBe('');
  }
});

it.each(Object.keys(apps))('%s is started with an environment that it accepts, as a role and a user of its own', (app) => {
  const service = services[app]!;
  const config = readConfig(apps[app]!, environmentOf(service)) as { NATS_URL: string; DATABASE_URL?: string; MIGRATIONS?: string };
  expect(new URL(config.NATS_URL).username).toBe(app);
  expect(service.command).toEqual([`dist/apps/${app}/main.js`]);
  expect(Object.keys(service.environment!).filter((name) => !(name in config) && environmentOf(service)[name] !== '')).toEqual([]);
  if (app === 'gateway') return;
  expect(new URL(config.DATABASE_URL!).username).toBe(app);
  expect(config.MIGRATIONS).toBe('wait');
});

it('each schema is migrated as the owner', () => {
  for (const app of Object.keys(apps).filter((name) => name !== 'gateway')) {
    const job = services[`migrate-${app}`]!;
    expect(job.command).toEqual([`dist/apps/${app}/main.js`, 'migrate']);
    expect(new URL(readConfig(MigrationConfig, environmentOf(job)).DATABASE_URL).username).toBe('emr_owner');
    expect(job.restart).toBe('on-failure');
  }
});

it('every container but the database is read-only, without capabilities, and none may gain rights', () => {
  for (const [name, service] of Object.entries(services)) {
    expect([name, service.security_opt]).toEqual([name, ['no-new-privileges:true']]);
    if (name !== 'postgres') expect([name, service.read_only, service.cap_drop]).toEqual([name, true, ['ALL']]);
    if (service.build) expect([name, service.mem_limit, service.stop_grace_period]).toEqual([name, '768m', '30s']);
  }
});

it('listens on this machine alone, and waits only for what has a health check', () => {
  for (const [name, { ports = [], depends_on = {} }] of Object.entries(services)) {
    for (const port of ports) expect([name, port]).toEqual([name, expect.stringMatching(/^127\.0\.0\.1:/)]);
    for (const [other, { condition }] of Object.entries(depends_on)) {
      expect([name, other, condition]).toEqual([name, other, 'service_healthy']);
      expect(services[other]).toHaveProperty('healthcheck.test');
    }
  }
});

const compose = [['docker', 'compose'], ['docker-compose']].find(
  ([command, ...args]) => spawnSync(command!, [...args, 'version'], { stdio: 'ignore' }).status === 0,
);

(compose ? it : it.skip)(`is read by compose itself${compose ? '' : ' (skipped: none here)'}`, () => {
  const [command, ...args] = compose!;
  const env = { PATH: process.env.PATH, ...secrets };
  const { status, stderr } = spawnSync(command!, [...args, '--profile', 'monitoring', 'config', '--quiet'], { env, encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
});

it('starts no monitoring unless asked to', () => {
  expect(Object.keys(services).filter((name) => services[name]!.profiles?.includes('monitoring'))).toEqual(['prometheus', 'grafana']);
});

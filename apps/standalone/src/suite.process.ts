import { GatewayConfig } from '#gateway/gateway.config.js';
import { type RunningGateway, startGateway } from '#gateway/gateway.server.js';
import { FlagsConfig } from '#flags/flags.config.js';
import { startFlags } from '#flags/flags.module.js';
import { MetricsConfig } from '#metrics/metrics.config.js';
import { startMetrics } from '#metrics/metrics.module.js';
import { RegistryConfig } from '#registry/registry.config.js';
import { startRegistry } from '#registry/registry.module.js';
import { type Running, type RunningService } from '#runtime/service.js';
import { type logLevels, type ProcessConfig } from '#runtime/config.js';
import { ValidationConfig } from '#validation/validation.config.js';
import { startValidation } from '#validation/validation.module.js';

export interface SuiteOptions {
  host: string;
  port: number;
  /** Each service's own, or the same for all. */
  database_urls: Record<keyof RunningSuite['services'], string>;
  /** Each service's own, or the same for all. */
  nats_urls: Record<'gateway' | keyof RunningSuite['services'], string>;
  nats_tls?: Pick<ProcessConfig, 'NATS_TLS_CA' | 'NATS_TLS_CERT' | 'NATS_TLS_KEY'>;
  key_pepper: string;
  bootstrap_admin_key: string;
  log_level: (typeof logLevels)[number];
  /** As CORS_ORIGINS. */
  cors_origins: string;
  /** Networks in which model servers and webhooks may be although they are private, as VALIDATION_ALLOWED_NETWORKS. */
  allowed_networks: string;
  /** As VALIDATION_SECRETS_DIR; empty: no secrets. */
  secrets_dir: string;
  /** As HEALTH_TICK_SECONDS. */
  health_tick_seconds: number;
  /** As VALIDATION_LEASE_SECONDS. */
  validation_lease_seconds: number;
  /** As ROLLOUT_TICK_SECONDS. */
  rollout_tick_seconds: number;
  /** As SELECTION_TICK_SECONDS. */
  selection_tick_seconds: number;
  /** As BREAKER_OPEN_SECONDS. */
  breaker_open_seconds: number;
  /** As OTEL_EXPORTER_OTLP_ENDPOINT. */
  otlp_endpoint?: string;
}

export interface RunningSuite extends Running {
  gateway: RunningGateway;
  services: Record<'registry' | 'metrics' | 'validation' | 'flags', RunningService>;
}

const readyDeadlineMs = 30_000;

/** All five services in one process, which still meet on NATS alone. Resolves when the gateway is ready. */
export async function startSuite(options: SuiteOptions): Promise<RunningSuite> {
  const { nats_urls, database_urls } = options;
  const common = {
    ...options.nats_tls,
    NATS_REPLICAS: 1,
    LOG_LEVEL: options.log_level,
    OTEL_EXPORTER_OTLP_ENDPOINT: options.otlp_endpoint,
  };
  const service = { ...common, DATABASE_POOL_SIZE: 10, MIGRATIONS: 'run' as const, PROBE_HOST: '127.0.0.1', PROBE_PORT: 0 };
  const secrets = { KEY_PEPPER: options.key_pepper };
  const started: Running[] = [];
  const close = async (): Promise<void> => {
    for (const part of started.reverse()) await part.close();
  };
  try {
    const add = async <Part extends Running>(start: Promise<Part>): Promise<Part> => {
      const part = await start;
      started.push(part);
      return part;
    };
    const registryConfig = Object.assign(new RegistryConfig(), service, secrets, {
      NATS_URL: nats_urls.registry,
      DATABASE_URL: database_urls.registry,
      BOOTSTRAP_ADMIN_KEY: options.bootstrap_admin_key,
    });
    const validationConfig = Object.assign(new ValidationConfig(), service, {
      NATS_URL: nats_urls.validation,
      DATABASE_URL: database_urls.validation,
      VALIDATION_ALLOWED_NETWORKS: options.allowed_networks,
      VALIDATION_SECRETS_DIR: options.secrets_dir,
      VALIDATION_LEASE_SECONDS: options.validation_lease_seconds,
    });
    const metricsConfig = Object.assign(new MetricsConfig(), service, {
      NATS_URL: nats_urls.metrics,
      DATABASE_URL: database_urls.metrics,
      HEALTH_TICK_SECONDS: options.health_tick_seconds,
      WEBHOOK_ALLOWED_NETWORKS: options.allowed_networks,
    });
    const flagsConfig = Object.assign(new FlagsConfig(), service, {
      NATS_URL: nats_urls.flags,
      DATABASE_URL: database_urls.flags,
      ROLLOUT_TICK_SECONDS: options.rollout_tick_seconds,
      SELECTION_TICK_SECONDS: options.selection_tick_seconds,
      BREAKER_OPEN_SECONDS: options.breaker_open_seconds,
    });
    const [registry, metrics, validation, flags] = await Promise.all([
      add(startRegistry(registryConfig)),
      add(startMetrics(metricsConfig)),
      add(startValidation(validationConfig)),
      add(startFlags(flagsConfig)),
    ]);
    const gateway = await add(
      startGateway(
        Object.assign(new GatewayConfig(), common, secrets, {
          NATS_URL: nats_urls.gateway,
          HOST: options.host,
          PORT: options.port,
          CORS_ORIGINS: options.cors_origins,
          // Nobody balances the load of one process.
          DRAIN_SECONDS: 0,
          // All services share the event loop: how long reading takes says nothing of what is asked of the gateway.
          OVERLOAD_AFTER_MS: 0,
        }),
      ),
    );
    const probes = [registry, metrics, validation, flags].map(({ probe_port }) => probe_port);
    await Promise.all([rootOf(options.host, gateway.port), ...probes.map((port) => rootOf('127.0.0.1', port))].map(untilReady));
    return { gateway, services: { registry, metrics, validation, flags }, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The address at which a client on this machine reaches what listens at `host`. */
export function rootOf(host: string, port: number): string {
  if (host === '0.0.0.0' || host === '::') return `http://127.0.0.1:${port}`;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

async function untilReady(root: string): Promise<void> {
  const deadline = Date.now() + readyDeadlineMs;
  for (;;) {
    const response = await fetch(`${root}/readyz`);
    if (response.ok) return;
    if (Date.now() > deadline) throw new Error(`Not ready within ${readyDeadlineMs / 1000} s: ${await response.text()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

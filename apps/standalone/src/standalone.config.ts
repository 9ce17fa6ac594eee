import { bearerSecret } from '#contracts/access.js';
import { CorsOrigins } from '#gateway/gateway.config.js';
import { OneOf, Text, Whole } from '#contracts/fields.js';
import { CollectorUrl, DatabaseUrl, logLevels, NatsUrl } from '#runtime/config.js';

/** What `npm start` may be told by its environment; everything has a default. */
export class StandaloneConfig {
  @Text({ max: 100, optional: true })
  HOST = '127.0.0.1';

  /** Where it is taken, the next free one. */
  @Whole({ min: 1, max: 65_535, optional: true })
  PORT = 8080;

  @Text({ max: 1000, optional: true })
  DATA_DIR = '.data';

  @Text({ ...bearerSecret, optional: true })
  BOOTSTRAP_ADMIN_KEY?: string;

  /** Replaces the embedded PostgreSQL. */
  @DatabaseUrl({ optional: true })
  DATABASE_URL?: string;

  /** Replaces the local nats-server. */
  @NatsUrl({ optional: true })
  NATS_URL?: string;

  /** As every service's, with NATS_URL. */
  @Text({ max: 1000, optional: true })
  NATS_TLS_CA?: string;

  @Text({ max: 1000, optional: true })
  NATS_TLS_CERT?: string;

  @Text({ max: 1000, optional: true })
  NATS_TLS_KEY?: string;

  /** As the validation service's. */
  @Text({ max: 1000, optional: true })
  VALIDATION_SECRETS_DIR?: string;

  /** As the gateway's. */
  @CorsOrigins()
  CORS_ORIGINS = '';

  @OneOf(logLevels, { optional: true })
  LOG_LEVEL: (typeof logLevels)[number] = 'warn';

  /** Where traces go; without it there are none. */
  @CollectorUrl()
  OTEL_EXPORTER_OTLP_ENDPOINT?: string;
}

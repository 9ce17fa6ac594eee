import { jetstream, type JetStreamClient, jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import {
  AuthorizationError,
  connect,
  type ConnectionOptions,
  type NatsConnection,
  UserAuthenticationExpiredError,
} from '@nats-io/transport-node';
import { ConfigError } from './config.js';
import { type Logger } from './logger.js';

const retryMs = 250;

/** What a `nats://` or `tls://` address says, as the client wants it. */
export function connectionOptions(url: string): ConnectionOptions {
  const { protocol, host, username, password } = new URL(url);
  return {
    servers: host,
    ...(username && { user: decodeURIComponent(username), pass: decodeURIComponent(password) }),
    ...(protocol === 'tls:' && { tls: {} }),
  };
}

/** Waits for NATS for as long as it is away, and says so once. Throws ConfigError when NATS is there and refuses. */
async function firstConnection(url: string, logger: Logger, options: ConnectionOptions): Promise<NatsConnection> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await connect({ ...connectionOptions(url), ...options });
    } catch (error) {
      if (error instanceof AuthorizationError || error instanceof UserAuthenticationExpiredError)
        throw new ConfigError(`NATS_URL: NATS refuses its user or password (${error.message})`);
      if (attempt === 1)
        logger.warn(`NATS is not there yet, waiting for it: ${error instanceof Error ? error.message : String(error)}`, 'nats');
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  }
}

/**
 * The process's one connection to NATS, shared by requests, replies and JetStream. It waits for the first connection and reconnects for
 * ever; what is published on it while it is down is lost, so whoever publishes looks at `connected` or waits for an acknowledgement.
 */
export class Nats {
  connected = true;
  private readonly reconnected: (() => void)[] = [];

  private constructor(
    readonly connection: NatsConnection,
    readonly js: JetStreamClient,
    private readonly logger: Logger,
  ) {
    void this.followStatus();
  }

  static async connect(service: string, url: string, logger: Logger): Promise<Nats> {
    const connection = await firstConnection(url, logger, {
      name: `emr-${service}`,
      maxReconnectAttempts: -1,
      reconnectTimeWait: retryMs,
      // Half of all request time otherwise goes into stack traces that nobody reads.
      noAsyncTraces: true,
      pingInterval: 5_000,
      maxPingOut: 2,
    });
    return new Nats(connection, jetstream(connection), logger);
  }

  async manager(): Promise<JetStreamManager> {
    return jetstreamManager(this.connection, { checkAPI: false });
  }

  /** The server that is back may be another, or have lost what it stored: whoever relies on that looks again. */
  onReconnect(look: () => void): void {
    this.reconnected.push(look);
  }

  async close(): Promise<void> {
    // A drain would wait for the server's answer, which never comes while the server is away.
    if (this.connected) await this.connection.drain().catch(() => this.connection.close());
    else await this.connection.close();
  }

  private async followStatus(): Promise<void> {
    for await (const status of this.connection.status()) {
      if (status.type === 'disconnect') this.connected = false;
      if (status.type === 'reconnect') {
        this.connected = true;
        for (const look of this.reconnected) look();
      }
      if (status.type === 'disconnect' || status.type === 'reconnect' || status.type === 'error') {
        this.logger.warn(`NATS ${status.type}`, 'nats');
      }
    }
  }
}

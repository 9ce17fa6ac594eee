import { jetstream, type JetStreamClient, jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { type Logger } from './logger.js';

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
    const { protocol, host, username, password } = new URL(url);
    const connection = await connect({
      servers: host,
      name: `emr-${service}`,
      ...(username && { user: decodeURIComponent(username), pass: decodeURIComponent(password) }),
      ...(protocol === 'tls:' && { tls: {} }),
      maxReconnectAttempts: -1,
      reconnectTimeWait: 250,
      waitOnFirstConnect: true,
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

import { accessSync, constants } from 'node:fs';
import { isIP } from 'node:net';
import { jetstream, type JetStreamClient, jetstreamManager, type JetStreamManager, type JetStreamOptions } from '@nats-io/jetstream';
import {
  AuthorizationError,
  connect,
  headers as createHeaders,
  type MsgHdrs,
  type NatsConnection,
  type NodeConnectionOptions,
  UserAuthenticationExpiredError,
} from '@nats-io/transport-node';
import { ConfigError, type ProcessConfig } from './config.js';
import { type Logger } from './logger.js';
import { traceHeader } from './trace-context.js';
import { currentTrace } from './tracing.js';

const retryMs = 250;

type Reached = Pick<ProcessConfig, 'NATS_URL' | 'NATS_TLS_CA' | 'NATS_TLS_CERT' | 'NATS_TLS_KEY'>;

/**
 * What a `nats://` or `tls://` address says, as the client wants it. With a file for TLS there is TLS in any case. The client reads the files
 * anew at each connection, so that certificates may be renewed; ones that cannot be read throw ConfigError. Where the host is a number, the certificate must be
 * for that number, also those of other servers that the first one tells of.
 */
export function connectionOptions({ NATS_URL, NATS_TLS_CA, NATS_TLS_CERT, NATS_TLS_KEY }: Reached): NodeConnectionOptions {
  const { protocol, host, hostname, username, password } = new URL(NATS_URL);
  const address = hostname.replace(/^\[|\]$/g, '');
  if (!NATS_TLS_CERT !== !NATS_TLS_KEY) throw new ConfigError('NATS_TLS_CERT, NATS_TLS_KEY: must be given together');
  const files = { caFile: readable({ NATS_TLS_CA }), certFile: readable({ NATS_TLS_CERT }), keyFile: readable({ NATS_TLS_KEY }) };
  const given = Object.fromEntries(Object.entries(files).filter(([, file]) => file));
  // The client names no server whose address is a number, and TLS would then look for localhost in the certificate.
  const named: NodeConnectionOptions['tls'] & { host?: string } = isIP(address) ? { host: address } : {};
  return {
    servers: host,
    ...(username && { user: decodeURIComponent(username), pass: decodeURIComponent(password) }),
    ...((protocol === 'tls:' || Object.keys(given).length > 0) && { tls: { ...given, ...named } }),
  };
}

function readable(named: Record<string, string | undefined>): string | undefined {
  for (const [name, file] of Object.entries(named)) {
    if (!file) continue;
    try {
      accessSync(file, constants.R_OK);
      return file;
    } catch (error) {
      throw new ConfigError(`${name}: the file cannot be read (${error instanceof Error ? error.message : String(error)})`);
    }
  }
  return undefined;
}

/** Whether NATS does not let this user in. That it waited in vain for user and password says that one of both sides is busy or cut off. */
const isRefused = (error: unknown): error is Error =>
  (error instanceof AuthorizationError && !/timeout/i.test(error.message)) || error instanceof UserAuthenticationExpiredError;

/** Waits for NATS for as long as it is away, and says so once. Throws ConfigError when NATS is there and refuses. */
async function firstConnection(options: NodeConnectionOptions, logger: Logger): Promise<NatsConnection> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await connect(options);
    } catch (error) {
      if (isRefused(error)) throw new ConfigError(`NATS_URL: NATS refuses its user or password (${error.message})`);
      if (attempt === 1)
        logger.warn(`NATS is not there yet, waiting for it: ${error instanceof Error ? error.message : String(error)}`, 'nats');
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  }
}

/** Headers of a message that is a part of the trace under way, with those that it has already. */
export function traced<Options extends { headers?: MsgHdrs }>(options?: Options): Options | { headers: MsgHdrs } | undefined {
  const traceparent = currentTrace();
  if (!traceparent) return options;
  const headers = options?.headers ?? createHeaders();
  headers.set(traceHeader, traceparent);
  return { ...options, headers };
}

/** JetStream, and with it KV, whose messages are each a part of the trace under way where there is one. */
export function tracedJetStream(connection: NatsConnection, options?: JetStreamOptions): JetStreamClient {
  const js = jetstream(connection, options);
  const publish = js.publish.bind(js);
  js.publish = (subject, payload, given) => publish(subject, payload, traced(given));
  return js;
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
    /** What comes back to this process, and to its service alone, comes on subjects below it. */
    readonly inboxPrefix: string,
    /** Of streams and buckets that this process makes: on so many servers. */
    readonly replicas: number,
    private readonly logger: Logger,
  ) {
    void this.followStatus();
  }

  static async connect(service: string, config: Reached & Pick<ProcessConfig, 'NATS_REPLICAS'>, logger: Logger): Promise<Nats> {
    const inboxPrefix = `_INBOX.${service}`;
    const options = {
      ...connectionOptions(config),
      name: `emr-${service}`,
      inboxPrefix,
      maxReconnectAttempts: -1,
      reconnectTimeWait: retryMs,
      // The client would otherwise give up for good after its second refusal, however long ago the first one was.
      ignoreAuthErrorAbort: true,
      // Half of all request time otherwise goes into stack traces that nobody reads.
      noAsyncTraces: true,
      pingInterval: 5_000,
      maxPingOut: 2,
    };
    const connection = await firstConnection(options, logger);
    return new Nats(connection, tracedJetStream(connection), inboxPrefix, config.NATS_REPLICAS, logger);
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
        this.logger.warn(`NATS ${status.type}${status.type === 'error' ? `: ${status.error.message}` : ''}`, 'nats');
      }
    }
  }
}

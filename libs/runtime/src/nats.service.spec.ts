import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { ownNats, type OwnNats } from '#testing/nats.js';
import { ConfigError, ProcessConfig } from './config.js';
import { Logger } from './logger.js';
import { Nats } from './nats.js';

const logger = Logger.create('metrics', 'silent');

let server: OwnNats;
let between: Server;
let url: string;
/** How the next connections end that are not let through, in order. */
const refusals: string[] = [];
const links = new Set<Socket>();
let nats: Nats | undefined;

/** Says so in the server's place, as a server does that was not given user and password in time. */
function refuse(client: Socket, error: string): void {
  const info = { server_id: 'refusing', version: '2.12.7', proto: 1, max_payload: 1_048_576, auth_required: true };
  client.write(`INFO ${JSON.stringify(info)}\r\n`);
  client.once('data', () => client.end(`-ERR '${error}'\r\n`));
}

beforeAll(async () => {
  server = await ownNats();
  between = createServer((client) => {
    client.on('error', () => undefined);
    const refusal = refusals.shift();
    if (refusal) return refuse(client, refusal);
    const upstream = connect(server.port, '127.0.0.1');
    upstream.on('error', () => undefined);
    client.pipe(upstream).pipe(client);
    links.add(client);
    client.on('close', () => {
      links.delete(client);
      upstream.destroy();
    });
  });
  between.listen(0, '127.0.0.1');
  await once(between, 'listening');
  const through = new URL(server.urls.metrics);
  through.port = String((between.address() as AddressInfo).port);
  url = through.href;
});
afterEach(async () => {
  await nats?.close();
  nats = undefined;
});
afterAll(async () => {
  between.close();
  await server.stop();
});

const connected = (): Promise<Nats> => Nats.connect('metrics', Object.assign(new ProcessConfig(), { NATS_URL: url }), logger);

describe('a server that is too busy to take user and password in time', () => {
  it('is tried again at the start', async () => {
    refusals.push('Authentication Timeout', 'Authentication Timeout');
    nats = await connected();
    await nats.connection.flush();
    expect(refusals).toEqual([]);
  });

  it('is tried again for ever by whoever was connected', async () => {
    nats = await connected();
    const again = new Promise<void>((resolve) => nats!.onReconnect(resolve));
    refusals.push('Authentication Timeout', 'Authentication Timeout', 'Authentication Timeout');
    for (const link of links) link.destroy();
    await again;
    await nats.connection.flush();
    expect([refusals, nats.connected]).toEqual([[], true]);
  });
});

describe('a server that refuses user and password', () => {
  it('ends whoever starts with a sentence', async () => {
    refusals.push('Authorization Violation');
    const refused = connected();
    await expect(refused).rejects.toThrow(ConfigError);
    await expect(refused).rejects.toThrow('NATS_URL: NATS refuses its user or password (Authorization Violation)');
  });

  it('is tried again for ever by whoever was connected: it may be given the new password before or after', async () => {
    nats = await connected();
    const again = new Promise<void>((resolve) => nats!.onReconnect(resolve));
    refusals.push('Authorization Violation', 'Authorization Violation', 'Authorization Violation');
    for (const link of links) link.destroy();
    await again;
    expect(refusals).toEqual([]);
  });
});

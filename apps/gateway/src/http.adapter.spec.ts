import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { Logger } from '#runtime/logger.js';
import { Telemetry } from '#runtime/telemetry.js';
import { type GatewayAdapter, httpAdapter } from './http.adapter.js';

const atOnce = 4;
let adapter: GatewayAdapter;
let port: number;
let asked = 0;

beforeAll(async () => {
  const limits = { OVERLOAD_AFTER_MS: 0, MAX_UNDER_WAY: atOnce, MAX_CONNECTIONS: 100, trustedProxies: [] };
  adapter = httpAdapter(Logger.create('gateway', 'error'), new Telemetry('gateway'), limits);
  const fastify = adapter.getInstance();
  fastify.get('/never', () => {
    asked += 1;
    return new Promise(() => undefined);
  });
  fastify.get('/now', () => 'now');
  await fastify.listen({ port: 0, host: '127.0.0.1' });
  ({ port } = fastify.server.address() as AddressInfo);
});
afterAll(() => adapter.getInstance().close());

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nhost: gateway\r\n\r\n`;
const status = async (path: string): Promise<number> => (await fetch(`http://127.0.0.1:${port}${path}`)).status;

async function send(text: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write(text);
  return socket;
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe('requests under way', () => {
  it('are no longer counted when they are answered, nor when whoever sent them is gone', async () => {
    for (let request = 0; request < 10 * atOnce; request++) expect(await status('/now')).toBe(200);
    for (let round = 1; round <= 3; round++) {
      // Two of them in a row over one connection.
      const sockets = await Promise.all([send(get('/never') + get('/never')), send(get('/never')), send(get('/never'))]);
      await until(() => asked === round * atOnce);
      expect(await status('/now')).toBe(503);
      for (const socket of sockets) socket.destroy();
      await until(async () => (await status('/now')) === 200);
    }
    for (let request = 0; request < 10 * atOnce; request++) expect(await status('/now')).toBe(200);
  });
});

describe('a target that is no path', () => {
  it('is not found, by whatever it is matched, and harms nobody', async () => {
    for (const target of ['*now', '*', '*never']) {
      const socket = await send(get(target));
      const [answer] = (await once(socket, 'data')) as [Buffer];
      socket.destroy();
      expect(answer.toString()).toMatch(/^HTTP\/1.1 404 /);
      expect(await status('/now')).toBe(200);
    }
  });
});

import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { Processes } from './processes.harness.js';
import { startTestSuite, type TestSuite } from './suite.harness.js';

let suite: TestSuite;
beforeAll(async () => {
  suite = await startTestSuite();
});
afterAll(() => suite.close());

/** All that comes back on a connection until it is closed. */
async function everythingOf(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (chunk) => (text += chunk.toString()));
  await once(socket, 'close');
  return text;
}

const connected = async (port: number): Promise<Socket> => {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
};

const head = (key: string, length: number): string =>
  `POST /api/models/enterprise/registry HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;

describe('a request that never becomes whole', () => {
  it('is answered 408 in the envelope, and its connection closed', async () => {
    const server = suite.suite.gateway.app.getHttpServer();
    const { headersTimeout, requestTimeout } = server;
    expect([headersTimeout, requestTimeout]).toEqual([30_000, 30_000]);
    Object.assign(server, { headersTimeout: 200, requestTimeout: 200 });
    try {
      const socket = await connected(suite.suite.gateway.port);
      socket.write(`${head(suite.admin_key, 100)}{"name":`);
      const answer = await everythingOf(socket);
      expect(answer).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/);
      expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toMatchObject({
        success: false,
        data: null,
        error: { code: 'REQUEST_TIMEOUT' },
      });
    } finally {
      Object.assign(server, { headersTimeout, requestTimeout });
    }
  });
});

describe('in a process of its own', () => {
  let processes: Processes;
  beforeAll(async () => {
    processes = await Processes.prepare({ LOG_LEVEL: 'info' });
    await processes.start('registry');
    await processes.start('gateway');
  }, 120_000);
  afterAll(() => processes.close());

  it('a client that goes away in the middle of its body is no error of ours', async () => {
    const socket = await connected(Number(new URL(processes.rootOf('gateway')).port));
    socket.write(`${head(processes.admin_key, 100)}{"name":`);
    await new Promise((resolve) => setTimeout(resolve, 100));
    socket.destroy();
    await processes.api.data('/types');
    expect(processes.outputOf('gateway')).not.toContain('"level":"error"');
  });

  it('what arrives while the gateway closes is answered in the envelope, with when to try again', async () => {
    const socket = await connected(Number(new URL(processes.rootOf('gateway')).port));
    // A request whose body is not whole keeps the gateway from closing; the next one follows it on the same connection.
    const next = `GET /api/models/enterprise/types HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${processes.admin_key}\r\n\r\n`;
    socket.write(`${head(processes.admin_key, 2)}{`);
    await new Promise((resolve) => setTimeout(resolve, 100));
    processes.signal('gateway', 'SIGTERM');
    await new Promise((resolve) => setTimeout(resolve, 500));
    socket.write(`}${next}`);
    const [, first = '', second = ''] = (await everythingOf(socket)).split('HTTP/1.1 ');
    expect(first).toMatch(/^400 /);
    expect(second).toMatch(/^503 /);
    expect(second.toLowerCase()).toContain('\r\nretry-after: 1\r\n');
    expect(second.toLowerCase()).toContain('\r\nconnection: close\r\n');
    expect(JSON.parse(second.split('\r\n\r\n')[1] ?? '')).toMatchObject({
      success: false,
      data: null,
      error: { code: 'SERVICE_UNAVAILABLE' },
    });
  });
});

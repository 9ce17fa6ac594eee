import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server as TcpServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { asPartOf } from './tracing.js';
import { createEgress, EgressError, type EgressOptions, type EgressRequest, type EgressResponse } from './egress.js';

const servers = new Set<TcpServer>();
const sockets = new Set<Socket>();

async function listen(server: TcpServer | Server): Promise<number> {
  servers.add(server);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

const serve = (answer: RequestListener): Promise<number> => listen(createServer(answer));
const serveRaw = (onConnection: (socket: Socket) => void): Promise<number> => listen(createTcpServer(onConnection));

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await Promise.all([...servers].map((server) => new Promise((resolve) => server.close(resolve))));
  servers.clear();
});

const loopback = ['127.0.0.0/8'];

function call(request: Partial<EgressRequest> & { url: string }, options: Partial<EgressOptions> = {}): Promise<EgressResponse> {
  const egress = createEgress({ allowed_networks: loopback, max_response_bytes: 10_000, ...options });
  return egress.call({ method: 'GET', timeout_ms: 5000, ...request });
}

async function failure(promise: Promise<unknown>): Promise<EgressError> {
  const error = await promise.then(
    () => new Error('the call was answered'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof EgressError)) throw error;
  return error;
}

const codeOf = async (promise: Promise<unknown>): Promise<string> => (await failure(promise)).code;

describe('egress', () => {
  it('names the trace that it is a part of, and none where there is none', async () => {
    const port = await serve((request, response) => response.end(request.headers.traceparent ?? 'none'));
    const url = `http://127.0.0.1:${port}/`;
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    expect((await asPartOf(traceparent, () => call({ url }))).body.toString()).toBe(traceparent);
    expect((await asPartOf(null, () => call({ url }))).body.toString()).toBe('none');
  });

  it('sends method, path, headers and body and hands back status, headers, bytes and duration', async () => {
    const port = await serve((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        response.writeHead(201, { 'x-model': 'mlb' });
        response.end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers, body }));
      });
    });
    const answer = await call({
      url: `http://127.0.0.1:${port}/a%20b?c=d#e`,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"é":1}',
    });
    expect(answer.status).toBe(201);
    expect(answer.headers['x-model']).toBe('mlb');
    expect(answer.duration_ms).toBeGreaterThan(0);
    const seen = JSON.parse(answer.body.toString()) as { headers: Record<string, string> };
    expect(seen).toMatchObject({ method: 'POST', url: '/a%20b?c=d', body: '{"é":1}' });
    expect(seen.headers).toMatchObject({
      host: `127.0.0.1:${port}`,
      'content-type': 'application/json',
      'accept-encoding': 'identity',
      connection: 'close',
    });
  });

  it('hands back error statuses as answers', async () => {
    const port = await serve((_request, response) => response.writeHead(503).end('{"error":"busy"}'));
    expect(await call({ url: `http://127.0.0.1:${port}/` })).toMatchObject({ status: 503 });
  });

  it.each([
    'ftp://127.0.0.1/',
    'file:///etc/passwd',
    'gopher://127.0.0.1:70/',
    'http://user@127.0.0.1/',
    'http://user:secret@127.0.0.1/',
    'http://:secret@127.0.0.1/',
    'http://',
    'http://[::1',
    'http://.../',
    '/relative',
    '',
    'http://256.256.256.256/',
    `http://127.0.0.1/${'a'.repeat(2000)}`,
  ])('takes %j for no address to call', async (url) => {
    const error = await failure(call({ url }));
    expect(error.code).toBe('INVALID_ADDRESS');
    expect(error.message).toContain('accepted:');
    expect(error.message).not.toContain('secret');
  });

  it('reaches none of the spellings of loopback and of metadata services', async () => {
    let requests = 0;
    const port = await serve((_request, response) => {
      requests += 1;
      response.end();
    });
    const hosts = [
      '127.0.0.1',
      '127.1',
      '127.0.0.1.',
      '127.0.0.1..',
      '2130706433',
      '0x7f000001',
      '0x7f.1',
      '0177.0.0.1',
      '017700000001',
      '0',
      '0.0.0.0',
      '①②⑦.⓪.⓪.①',
      '127。0。0。1',
      '%31%32%37.0.0.1',
      'localhost',
      'LOCALHOST',
      'localhost.',
      'localhost..',
      '[::1]',
      '[::]',
      '[::127.0.0.1]',
      '[::ffff:127.0.0.1]',
      '[::ffff:7f00:1]',
      '[64:ff9b::7f00:1]',
      '[64:ff9b::a9fe:a9fe]',
      '[2002:7f00:1::]',
      '[2002:a9fe:a9fe::]',
      '[::a9fe:a9fe]',
      '[fd00:ec2::254]',
      '169.254.169.254',
      '2852039166',
      '0xa9fea9fe',
      '0251.0376.0251.0376',
      '169.254.43518',
      '[::ffff:a9fe:a9fe]',
      '[::ffff:169.254.169.254]',
      '[fe80::1]',
      '10.1',
      '0300.0250.1.1',
      '3232235777',
      '[::ffff:c0a8:101]',
      '168.63.129.16',
      '100.100.100.200',
      'metadata.google.internal',
      'Metadata.Google.Internal.',
    ];
    for (const host of hosts) {
      const code = await codeOf(call({ url: `http://${host}:${port}/` }, { allowed_networks: [] }));
      expect({ host, code }).toEqual({ host, code: 'ADDRESS_NOT_ALLOWED' });
    }
    expect(requests).toBe(0);
  });

  it('connects to the addresses it has checked and asks for them once', async () => {
    const port = await serve((request, response) => response.end(request.headers.host));
    let lookups = 0;
    const resolve = async (): Promise<string[]> => (++lookups === 1 ? ['127.0.0.1'] : ['10.0.0.1']);
    const answer = await call({ url: `http://Model.Test.:${port}/` }, { resolve });
    expect(answer.body.toString()).toBe(`model.test:${port}`);
    expect(lookups).toBe(1);
  });

  it('refuses a name when any one of its addresses is not allowed', async () => {
    let connections = 0;
    const port = await serveRaw(() => (connections += 1));
    for (const addresses of [
      ['10.0.0.1'],
      ['127.0.0.1', '10.0.0.1'],
      ['127.0.0.1', '::ffff:10.0.0.1'],
      ['127.0.0.1', 'fd00:ec2::254'],
      ['127.0.0.1', 'junk'],
    ]) {
      expect(await codeOf(call({ url: `http://model.test:${port}/` }, { resolve: async () => addresses }))).toBe('ADDRESS_NOT_ALLOWED');
    }
    const publicThenPrivate = { resolve: async (): Promise<string[]> => ['8.8.8.8', '127.0.0.1'], allowed_networks: [] };
    expect(await codeOf(call({ url: 'http://model.test/' }, publicThenPrivate))).toBe('ADDRESS_NOT_ALLOWED');
    expect(connections).toBe(0);
  });

  it('sends nothing when the connection reaches another address than was checked', async () => {
    const paths: (string | undefined)[] = [];
    const port = await serve((request, response) => {
      paths.push(request.url);
      response.end();
    });
    // Linux connects 0.0.0.0 to 127.0.0.1.
    const error = await failure(call({ url: `http://0.0.0.0:${port}/` }, { allowed_networks: ['0.0.0.0'] }));
    expect(error).toMatchObject({ code: 'ADDRESS_NOT_ALLOWED', message: expect.stringContaining('another address') as string });
    expect(paths).toEqual([]);
  });

  it('tries the next address when the first does not answer', async () => {
    const port = await serve((_request, response) => response.end('second'));
    const answer = await call(
      { url: `http://model.test:${port}/` },
      { resolve: async () => ['::1', '127.0.0.1'], allowed_networks: ['::1', '127.0.0.1'] },
    );
    expect(answer.body.toString()).toBe('second');
  });

  it('calls a host that is allowed by name, at its private address', async () => {
    const port = await serve((_request, response) => response.end('in the cluster'));
    const resolve = async (): Promise<string[]> => ['127.0.0.1'];
    const named = await call({ url: `http://models.internal.:${port}/` }, { resolve, allowed_networks: ['models.internal'] });
    expect(named.body.toString()).toBe('in the cluster');
    expect(await codeOf(call({ url: `http://other.internal:${port}/` }, { resolve, allowed_networks: ['models.internal'] }))).toBe(
      'ADDRESS_NOT_ALLOWED',
    );
  });

  it('gives the host, not the pinned address, as TLS server name and does not trust an unknown certificate', async () => {
    const names: string[] = [];
    const port = await listen(
      createTlsServer({
        SNICallback: (name, done) => {
          names.push(name);
          done(new Error('no certificate'));
        },
      }).on('tlsClientError', () => undefined),
    );
    const error = await failure(call({ url: `https://model.test.:${port}/` }, { resolve: async () => ['127.0.0.1'] }));
    expect(error.code).toBe('UNREACHABLE');
    expect(names).toEqual(['model.test']);
  });

  it.each([300, 301, 302, 303, 304, 307, 308])('refuses the redirect %d and does not follow it', async (status) => {
    const paths: (string | undefined)[] = [];
    const port = await serve((request, response) => {
      paths.push(request.url);
      response.writeHead(status, { location: '/elsewhere' }).end();
    });
    expect(await codeOf(call({ url: `http://127.0.0.1:${port}/start` }))).toBe('REDIRECT_REFUSED');
    expect(paths).toEqual(['/start']);
  });

  it.each(['file:///etc/passwd', 'gopher://127.0.0.1:70/', 'http://169.254.169.254/', '//127.0.0.1/', 'data:,x'])(
    'takes the redirect to %s nowhere',
    async (location) => {
      const port = await serve((_request, response) => response.writeHead(307, { location }).end());
      const error = await failure(call({ url: `http://127.0.0.1:${port}/`, headers: { authorization: 'Bearer secret' } }));
      expect(error.code).toBe('REDIRECT_REFUSED');
      expect(error.message).not.toContain(location);
    },
  );

  it('refuses a redirect without waiting for the endless body behind it', async () => {
    const port = await serve((_request, response) => {
      response.writeHead(302, { location: 'file:///etc/passwd' });
      response.write('x');
    });
    expect(await codeOf(call({ url: `http://127.0.0.1:${port}/` }))).toBe('REDIRECT_REFUSED');
  });

  it('names a refused connection, a broken answer and an unknown name UNREACHABLE', async () => {
    const closed = await serveRaw((socket) => socket.destroy());
    const garbage = await serveRaw((socket) => socket.end('220 smtp.example.com ready\r\n'));
    const cutShort = await serveRaw((socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf'));
    for (const port of [closed, garbage, cutShort, 1]) {
      expect(await codeOf(call({ url: `http://127.0.0.1:${port}/` }))).toBe('UNREACHABLE');
    }
    const unknown = async (): Promise<string[]> => Promise.reject(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }));
    const error = await failure(call({ url: 'http://model.test/' }, { resolve: unknown }));
    expect(error).toMatchObject({ code: 'UNREACHABLE', message: 'model.test cannot be reached (ENOTFOUND)' });
    expect(await codeOf(call({ url: 'http://model.test/' }, { resolve: async () => [] }))).toBe('UNREACHABLE');
  });

  describe('deadline', () => {
    const slowly = async (request: Partial<EgressRequest> & { url: string }, options?: Partial<EgressOptions>): Promise<void> => {
      const started = performance.now();
      expect(await codeOf(call({ ...request, timeout_ms: 200 }, options))).toBe('TIMEOUT');
      expect(performance.now() - started).toBeLessThan(2000);
    };

    it('covers the name look-up', async () => {
      await slowly({ url: 'http://model.test/' }, { resolve: () => new Promise(() => undefined) });
    });

    it('covers the TLS handshake', async () => {
      const port = await serveRaw(() => undefined);
      await slowly({ url: `https://127.0.0.1:${port}/` });
    });

    it('covers the wait for headers', async () => {
      const port = await serve(() => undefined);
      await slowly({ url: `http://127.0.0.1:${port}/` });
    });

    it('covers headers that drip', async () => {
      const port = await serveRaw((socket) => {
        socket.write('HTTP/1.1 200 OK\r\n');
        const drip = setInterval(() => socket.write('x-a: b\r\n'), 20);
        socket.on('close', () => clearInterval(drip));
      });
      await slowly({ url: `http://127.0.0.1:${port}/` });
    });

    it('covers a body that drips', async () => {
      const port = await serve((_request, response) => {
        const drip = setInterval(() => response.write(' '), 20);
        response.on('close', () => clearInterval(drip));
      });
      await slowly({ url: `http://127.0.0.1:${port}/` });
    });
  });

  it('stops when the caller cancels, before and during the call', async () => {
    let requests = 0;
    const port = await serve(() => (requests += 1));
    const url = `http://127.0.0.1:${port}/`;
    expect(await codeOf(call({ url, signal: AbortSignal.abort() }))).toBe('CANCELLED');
    expect(requests).toBe(0);
    expect(await codeOf(call({ url, signal: AbortSignal.timeout(100) }))).toBe('CANCELLED');
    expect(requests).toBe(1);
  });

  describe('size of the answer', () => {
    it('may be the limit and no byte more', async () => {
      const port = await serve((request, response) => {
        response.write('x'.repeat(Number(request.url?.slice(1)) - 1));
        response.end('x');
      });
      expect((await call({ url: `http://127.0.0.1:${port}/10000` })).body.length).toBe(10_000);
      expect(await codeOf(call({ url: `http://127.0.0.1:${port}/10001` }))).toBe('RESPONSE_TOO_LARGE');
    });

    it('is bounded for a body that never ends', async () => {
      const port = await serve((_request, response) => {
        const more = (): void => {
          while (response.write('x'.repeat(1000)));
        };
        response.on('drain', more);
        more();
      });
      expect(await codeOf(call({ url: `http://127.0.0.1:${port}/` }))).toBe('RESPONSE_TOO_LARGE');
    });

    it('is refused on the announced length before a byte is read', async () => {
      const port = await serve((_request, response) => {
        response.writeHead(200, { 'content-length': 10_001 });
        response.flushHeaders();
      });
      expect(await codeOf(call({ url: `http://127.0.0.1:${port}/` }))).toBe('RESPONSE_TOO_LARGE');
    });

    it('is bounded for headers', async () => {
      const port = await serve((_request, response) => response.writeHead(200, { 'x-large': 'x'.repeat(100_000) }).end());
      expect(await codeOf(call({ url: `http://127.0.0.1:${port}/` }))).toBe('RESPONSE_TOO_LARGE');
    });

    it('does not grow by decompression: a gzip bomb stays as it was sent', async () => {
      const bomb = gzipSync(Buffer.alloc(5_000_000));
      const port = await serve((_request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb));
      expect((await call({ url: `http://127.0.0.1:${port}/` })).body).toEqual(bomb);
    });
  });

  it('ignores the proxies of the environment', async () => {
    let proxied = 0;
    const proxy = await serve((_request, response) => {
      proxied += 1;
      response.end('proxy');
    });
    const port = await serve((_request, response) => response.end('server'));
    const names = ['HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'NODE_USE_ENV_PROXY'];
    const before = names.map((name) => process.env[name]);
    for (const name of names) process.env[name] = name === 'NODE_USE_ENV_PROXY' ? '1' : `http://127.0.0.1:${proxy}`;
    try {
      expect((await call({ url: `http://127.0.0.1:${port}/` })).body.toString()).toBe('server');
      expect(proxied).toBe(0);
    } finally {
      names.forEach((name, index) => {
        if (before[index] === undefined) delete process.env[name];
        else process.env[name] = before[index];
      });
    }
  });

  it('leaves no connection behind, whether a call ends well or not', async () => {
    const started = performance.now();
    const port = await serve((request, response) => {
      if (request.url === '/ok') response.end('ok');
      if (request.url === '/redirect') response.writeHead(302).write('x');
      if (request.url === '/large') response.write('x'.repeat(20_000));
    });
    for (const path of ['ok', 'redirect', 'large', 'silent']) {
      await call({ url: `http://127.0.0.1:${port}/${path}`, timeout_ms: 200 }).catch(() => undefined);
    }
    const silent = await serveRaw((socket) => socket.resume());
    const handshake = `https://127.0.0.1:${silent}/`;
    expect(await codeOf(call({ url: handshake, timeout_ms: 100 }))).toBe('TIMEOUT');
    expect(await codeOf(call({ url: handshake, timeout_ms: 20_000, signal: AbortSignal.timeout(100) }))).toBe('CANCELLED');
    for (let wait = 0; wait < 100 && sockets.size > 0; wait += 1) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(sockets.size).toBe(0);
    expect(performance.now() - started).toBeLessThan(5000);
  });

  it('does not start with an unusable list of networks', () => {
    expect(() => createEgress({ allowed_networks: ['10.0.0.0/99'], max_response_bytes: 1 })).toThrow('allowed_networks[0]');
  });
});

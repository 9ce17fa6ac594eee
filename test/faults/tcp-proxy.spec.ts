import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { eventually } from '../api.harness.js';
import { Random, seed, sleep } from './seed.harness.js';
import { TcpProxy } from './tcp-proxy.harness.js';

let echo: Server;
let proxy: TcpProxy;
const open = new Set<Socket>();

beforeAll(async () => {
  echo = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => undefined).pipe(socket);
  });
  echo.listen(0, '127.0.0.1');
  await once(echo, 'listening');
});
afterAll(async () => {
  for (const socket of open) socket.destroy();
  await new Promise((resolve) => echo.close(resolve));
});
beforeEach(async () => {
  proxy = await TcpProxy.to((echo.address() as AddressInfo).port);
});
afterEach(() => proxy.close());

/** A client, with what it has received and how its connection ended. */
async function client(): Promise<{ socket: Socket; received: () => string; chunks: string[]; end: () => string | undefined }> {
  const socket = connect(proxy.port, '127.0.0.1');
  open.add(socket);
  const chunks: string[] = [];
  let end: string | undefined;
  socket.setEncoding('latin1');
  socket.on('data', (chunk: string) => void chunks.push(chunk));
  socket.on('error', ({ code }: NodeJS.ErrnoException) => (end = code));
  socket.on('end', () => (end ??= 'FIN'));
  await once(socket, 'connect');
  return { socket, received: () => chunks.join(''), chunks, end: () => end };
}

const seen = <Value>(look: () => Value, value: Value): Promise<Value> =>
  eventually(
    async () => look(),
    (now) => now === value,
  );

describe('TcpProxy', () => {
  it('passes everything on, both ways, and the end too', async () => {
    const { socket, received, end } = await client();
    const text = 'x'.repeat(300_000);
    socket.write(text);
    await seen(() => received().length, text.length);
    expect(received()).toBe(text);
    socket.end('bye');
    await seen(end, 'FIN');
    expect(received()).toBe(`${text}bye`);
    await seen(() => proxy.connections, 0);
  });

  it('delays each way and keeps the order', async () => {
    const { socket, received } = await client();
    proxy.delay(100);
    const began = performance.now();
    for (const word of ['one ', 'two ', 'three']) socket.write(word);
    await seen(received, 'one two three');
    expect(performance.now() - began).toBeGreaterThanOrEqual(195);
  });

  it('cuts what it passes on at random places, which a seed repeats, and loses none of it', async () => {
    const { socket, received, chunks } = await client();
    proxy.slice(new Random(seed, 'slices'), 5);
    const text = Array.from({ length: 300 }, (_, index) => String(index % 10)).join('');
    socket.write(text);
    await seen(received, text);
    expect(chunks.length).toBeGreaterThan(10);
  });

  it('swallows one direction and not the other', async () => {
    const { socket, received, end } = await client();
    proxy.blackhole('up');
    socket.write('lost');
    await sleep(50);
    proxy.heal();
    socket.write('heard');
    await seen(received, 'heard');
    proxy.blackhole('down');
    socket.write('answered in vain');
    await sleep(50);
    expect([received(), end()]).toEqual(['heard', undefined]);
  });

  it('swallows from the very chunk that matches', async () => {
    const { socket, received } = await client();
    const come = proxy.blackholeFrom('up', (chunk) => chunk.includes('ACK'));
    socket.write('one ');
    await seen(received, 'one ');
    socket.write('ACK');
    await come;
    socket.write('two');
    await sleep(50);
    expect(received()).toBe('one ');
  });

  it('leaves a connection half open: the client hears nothing at all, not even after heal; a new one works', async () => {
    const { socket, received, end } = await client();
    socket.write('before ');
    await seen(received, 'before ');
    proxy.halfOpen();
    socket.write('after');
    proxy.heal();
    await sleep(50);
    expect([received(), end(), socket.destroyed]).toEqual(['before ', undefined, false]);
    const another = await client();
    another.socket.write('hello');
    await seen(another.received, 'hello');
    proxy.reset();
    await seen(end, 'ECONNRESET');
  });

  it('resets connections', async () => {
    const { socket, received, end } = await client();
    socket.write('before');
    await seen(received, 'before');
    proxy.reset();
    await seen(end, 'ECONNRESET');
  });
});

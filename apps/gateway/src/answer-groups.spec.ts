import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { fastify, type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { answerInGroups, GroupedResponse } from './answer-groups.js';
import { ownLoop } from './overload.js';

/** What became of so many requests that come at once, in order: `r` was read, `a` is answered, `e` is the end of the first one's pass. */
async function ofRequests(count: number): Promise<string> {
  const server = fastify();
  let order = '';
  server.addHook('onRequest', (_request, _reply, done) => {
    // As Overload does at the first of a pass, before handlers are put off.
    if (order === '') ownLoop.afterPass(() => (order += 'e'));
    order += 'r';
    done();
  });
  answerInGroups(server);
  server.get('/', () => {
    order += 'a';
    return {};
  });
  await server.ready();
  const answers = await Promise.all(Array.from({ length: count }, () => server.inject('/')));
  expect(answers.map(({ statusCode }) => statusCode)).toEqual(Array.from({ length: count }, () => 200));
  // What is due at the end of the pass is of these requests, and not of the next.
  await new Promise((resolve) => setImmediate(resolve));
  return order;
}

describe('Answers in groups', () => {
  it('reads what has come before anything of it is answered, which ends the pass', async () => {
    expect(await ofRequests(1)).toBe('rae');
    expect(await ofRequests(3)).toBe('rrraaae');
  });

  it('answers 64 as soon as they are read, and the rest when there is no more', async () => {
    const group = 'r'.repeat(64) + 'a'.repeat(64);
    expect(await ofRequests(64)).toBe(`${group}e`);
    expect(await ofRequests(150)).toBe(`${group}${group}${'r'.repeat(22)}${'a'.repeat(22)}e`);
  });

  it('goes on after a handler that throws', async () => {
    const server = fastify();
    answerInGroups(server);
    server.get('/', ({ query }) => {
      if ((query as { fail?: string }).fail) throw new Error('failed');
      return {};
    });
    const answers = await Promise.all(['/', '/?fail=1', '/'].map((url) => server.inject(url)));
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 500, 200]);
  });
});

describe('A grouped response', () => {
  let server: FastifyInstance;

  beforeEach(() => {
    server = fastify({ http: { ServerResponse: GroupedResponse } });
    answerInGroups(server);
  });
  afterEach(() => server.close());

  /** What comes back for requests that arrive in one piece, over one connection. */
  async function answersTo(paths: string[]): Promise<string> {
    await server.listen({ port: 0, host: '127.0.0.1' });
    const socket = connect((server.server.address() as AddressInfo).port, '127.0.0.1');
    const received: Buffer[] = [];
    socket.on('data', (bytes) => received.push(bytes));
    const last = paths.length - 1;
    socket.write(paths.map((path, at) => `GET ${path} HTTP/1.1\r\nhost: x\r\n${at === last ? 'connection: close\r\n' : ''}\r\n`).join(''));
    await once(socket, 'close');
    return Buffer.concat(received).toString();
  }

  it('leaves when all of its group are answered', async () => {
    const written: number[] = [];
    server.get('/:name', ({ params, raw }) => {
      written.push(raw.socket.bytesWritten);
      return { name: (params as { name: string }).name };
    });
    const text = await answersTo(['/first', '/second', '/third']);
    expect(text.match(/"name":"\w+"/g)).toEqual(['"name":"first"', '"name":"second"', '"name":"third"']);
    expect(written).toEqual([0, 0, 0]);
  });

  it('is sent as soon as it has ended, as far as Fastify goes', async () => {
    const sent: boolean[] = [];
    server.get('/', (_request, reply) => {
      sent.push(reply.sent);
      void reply.send('once');
      sent.push(reply.sent);
      void reply.send('twice');
    });
    const text = await answersTo(['/']);
    expect(sent).toEqual([false, true]);
    expect(text).toContain('once');
    expect(text).not.toContain('twice');
  });

  it('may be what an answer that comes later ends, and end twice', async () => {
    server.get('/', (_request, reply) => {
      setTimeout(() => {
        reply.hijack();
        reply.raw.writeHead(200, { 'content-length': 5 });
        reply.raw.end('later');
        reply.raw.end();
      }, 5);
    });
    expect(await answersTo(['/', '/'])).toMatch(/later[^]*later$/);
  });
});

import { fastify } from 'fastify';
import { describe, expect, it } from 'vitest';
import { answerInGroups } from './answer-groups.js';

/** What became of so many requests that come at once, in order: `r` was read, `a` is answered. */
async function ofRequests(count: number): Promise<string> {
  const server = fastify();
  let order = '';
  server.addHook('onRequest', (_request, _reply, done) => {
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
  return order;
}

describe('Answers in groups', () => {
  it('reads what has come before anything of it is answered', async () => {
    expect(await ofRequests(1)).toBe('ra');
    expect(await ofRequests(3)).toBe('rrraaa');
  });

  it('answers 64 as soon as they are read, and the rest when there is no more', async () => {
    const group = 'r'.repeat(64) + 'a'.repeat(64);
    expect(await ofRequests(64)).toBe(group);
    expect(await ofRequests(150)).toBe(group + group + 'r'.repeat(22) + 'a'.repeat(22));
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

import { type FastifyInstance } from 'fastify';

/** Enough that a client is woken seldom, few enough that nobody waits for long: under a millisecond of small answers. */
const groupSize = 64;

/**
 * Lets handlers run when what is readable has been read, so many at a time: answers that are at hand leave back to back. Read and answered one by
 * one, each answer wakes a client of the same machine that had just gone to sleep, which costs as much as all else about it: see
 * docs/adr/0037-answers-in-groups.md.
 */
export function answerInGroups(fastify: FastifyInstance): void {
  let waiting: (() => void)[] = [];
  const answer = (): void => {
    const group = waiting;
    waiting = [];
    for (const goOn of group) goOn();
  };
  fastify.addHook('preHandler', (_request, _reply, done) => {
    const count = waiting.push(done);
    if (count === groupSize) answer();
    else if (count === 1) setImmediate(answer);
  });
}

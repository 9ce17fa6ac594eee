import { type IncomingMessage, ServerResponse } from 'node:http';
import { type FastifyInstance } from 'fastify';

/** Enough that a client is woken seldom, few enough that nobody waits for long: under a millisecond of small answers. */
const groupSize = 64;

let finished: (() => void)[] = [];

function send(): void {
  const group = finished;
  finished = [];
  for (const end of group) end();
}

/** An answer that leaves together with what else is finished in this turn of the event loop. */
export class GroupedResponse<Request extends IncomingMessage = IncomingMessage> extends ServerResponse<Request> {
  private hasEnded = false;

  static {
    // Fastify, which takes what has ended for answered, need not know that it has not left.
    Object.defineProperty(this.prototype, 'writableEnded', {
      get(this: GroupedResponse): boolean {
        return this.hasEnded;
      },
    });
  }

  override end(...last: unknown[]): this {
    this.hasEnded = true;
    if (finished.push(() => super.end(...(last as []))) === 1) setImmediate(send);
    return this;
  }
}

/**
 * Lets handlers run when what is readable has been read, so many at a time, and sends what they have answered: back to back, where Node reads and
 * answers one request after another. Then each answer wakes a client of the same machine that has just gone to sleep, which costs as much as all
 * else about it: see docs/adr/0037-answers-in-groups.md.
 */
export function answerInGroups(fastify: FastifyInstance): void {
  let waiting: (() => void)[] = [];
  const answer = (): void => {
    const group = waiting;
    waiting = [];
    for (const goOn of group) goOn();
    send();
  };
  fastify.addHook('preHandler', (_request, _reply, done) => {
    const count = waiting.push(done);
    if (count === groupSize) answer();
    else if (count === 1) setImmediate(answer);
  });
}

import { type IncomingMessage, ServerResponse } from 'node:http';
import { type FastifyInstance } from 'fastify';

/** Enough that a client is woken seldom, few enough that nobody waits for long: under a millisecond of small answers. */
const groupSize = 64;

/** Of this process's event loop: handlers that may run, and answers that may leave. */
let waiting: (() => void)[] = [];
let finished: (() => void)[] = [];
let isDue = false;

/** Runs the handlers that wait and sends what is answered, by them and by others. Called when all that was readable has been read. */
export function answerWaiting(): void {
  isDue = false;
  const group = waiting;
  waiting = [];
  for (const goOn of group) goOn();
  const answers = finished;
  finished = [];
  for (const end of answers) end();
}

function answerSoon(): void {
  if (isDue) return;
  isDue = true;
  setImmediate(answerWaiting);
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
    finished.push(() => super.end(...(last as [])));
    answerSoon();
    return this;
  }
}

/**
 * Lets handlers run when what is readable has been read, so many at a time, and sends what they have answered: back to back, where Node reads and
 * answers one request after another. Then each answer wakes a client of the same machine that has just gone to sleep, which costs as much as all
 * else about it: see docs/adr/0037-answers-in-groups.md.
 */
export function answerInGroups(fastify: FastifyInstance): void {
  fastify.addHook('preHandler', (_request, _reply, done) => {
    waiting.push(done);
    if (waiting.length === groupSize) answerWaiting();
    else answerSoon();
  });
}

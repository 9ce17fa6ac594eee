import { type INestApplication } from '@nestjs/common';
import { type FastifyReply, type FastifyRequest } from 'fastify';
import { type Actor } from '#contracts/access.js';
import { toAppError } from '#runtime/errors.filter.js';
import { type Logger } from '#runtime/logger.js';
import { sendError } from './http-errors.filter.js';
import { KeyUses } from './key-use.store.js';
import { KeyGuard } from './key.guard.js';
import { Limits } from './limits/limits.store.js';
import { Tokens } from './oidc/tokens.store.js';
import { Cors } from './ofrep/cors.js';
import { receiveOfrep } from './ofrep/ofrep-routes.provider.js';
import { routeOf } from './route-traits.js';

type Hook = (request: FastifyRequest, reply: FastifyReply, done: () => void) => void;

/** What every request passes before its body is read, in this order: how often its address asks, who it is, how often its key asks. */
export function admission(app: INestApplication, logger: Logger): Hook {
  const [guard, tokens, limits] = [app.get(KeyGuard), app.get(Tokens), app.get(Limits)];
  const [uses, cors] = [app.get(KeyUses), app.get(Cors)];

  const goOn = (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
    if (request.actor) {
      limits.admitActor(request.actor);
      uses.note(request.actor.key_id);
    }
    if (!reply.sent) done();
  };

  const verify = async (token: string, request: FastifyRequest, reply: FastifyReply): Promise<Actor> => {
    const actor = await tokens.verify(token);
    if (typeof actor !== 'string') return actor;
    if (actor === 'wrong') limits.failed(request);
    throw guard.refusal(reply);
  };

  return (request, reply, done) => {
    if (routeOf(request).isPublic) {
      done();
      return;
    }
    const fail = (error: unknown): void => sendError(reply, toAppError(error, logger, { request_id: request.id }));
    try {
      limits.admitAddress(request);
      if (!receiveOfrep(guard, cors, request, reply)) {
        const token = tokens.tokenIn(request.headers.authorization);
        if (token === null) guard.admit(request, reply);
        else request.actor = tokens.recognise(token);
        if (token !== null && !request.actor) {
          verify(token, request, reply)
            .then((actor) => {
              request.actor = actor;
              goOn(request, reply, done);
            })
            .catch(fail);
          return;
        }
      }
      goOn(request, reply, done);
    } catch (error) {
      fail(error);
    }
  };
}

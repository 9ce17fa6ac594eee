import { type INestApplication } from '@nestjs/common';
import { type FastifyReply, type FastifyRequest } from 'fastify';
import { toAppError } from '#runtime/errors.filter.js';
import { type Logger } from '#runtime/logger.js';
import { sendError } from './http-errors.filter.js';
import { KeyUses } from './key-use.store.js';
import { KeyGuard } from './key.guard.js';
import { Limits } from './limits/limits.store.js';
import { receiveOfrep } from './ofrep/ofrep-routes.provider.js';

/** As the router matched them, so that no spelling of a path can pass for one of these. */
const publicRoutes = new Set([
  '/livez',
  '/readyz',
  '/metrics',
  '/openapi.json',
  '/docs',
  '/docs/start.js',
  '/docs/swagger-ui.css',
  '/docs/swagger-ui-bundle.js',
]);

type Hook = (request: FastifyRequest, reply: FastifyReply, done: () => void) => void;

/** What every request passes before its body is read, in this order: how often its address asks, who it is, how often its key asks. */
export function admission(app: INestApplication, logger: Logger): Hook {
  const [guard, limits, uses] = [app.get(KeyGuard), app.get(Limits), app.get(KeyUses)];
  return (request, reply, done) => {
    if (publicRoutes.has(request.routeOptions.url ?? '')) {
      done();
      return;
    }
    try {
      limits.admitAddress(request);
      if (!receiveOfrep(guard, request, reply)) guard.admit(request, reply);
      if (request.actor) {
        limits.admitActor(request.actor);
        uses.note(request.actor.key_id);
      }
      if (!reply.sent) done();
    } catch (error) {
      sendError(reply, toAppError(error, logger));
    }
  };
}

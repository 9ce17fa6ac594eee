import { type INestApplication } from '@nestjs/common';
import { type FastifyReply, type FastifyRequest } from 'fastify';
import { type Actor } from '#contracts/access.js';
import { toAppError } from '#runtime/errors.filter.js';
import { type Logger } from '#runtime/logger.js';
import { sendError } from '../http-errors.filter.js';
import { KeyGuard } from '../key.guard.js';
import { type RouteHandler } from '../served-routes.provider.js';
import { type Cors } from './cors.js';
import { ofrepBy } from './ofrep.decorator.js';
import { routeOf } from '../route-traits.js';

/** What a handler of OFREP is: it answers by itself, at once or later. */
type OfrepHandler = (request: FastifyRequest, reply: FastifyReply, actor: Actor) => Promise<void> | void;

/** As `servedRoutes`, for what `ServesOfrep` declares: role, method. */
export function ofrepRoutes(app: INestApplication, logger: Logger): (handler: object) => RouteHandler | null {
  const guard = app.get(KeyGuard);
  return (handler) => {
    const route = ofrepBy(handler);
    if (!route) return null;
    const instance = app.get<Record<string, OfrepHandler>>(route.controller);
    const target = instance[route.method]!.bind(instance);
    return (request, reply) => {
      const fail = (error: unknown): void => sendError(reply, toAppError(error, logger, { request_id: request.id }));
      try {
        const actor = guard.authorise(route, request);
        target(request, reply, actor)?.catch(fail);
      } catch (error) {
        fail(error);
      }
    };
  };
}

/**
 * What comes before a route of OFREP is looked at: a browser's preflight is answered, all others are authenticated, by either header or, where
 * only changes are told of, by a token in the address. True where nothing is left to do.
 */
export function receiveOfrep(guard: KeyGuard, cors: Cors, request: FastifyRequest, reply: FastifyReply): boolean {
  const { method, headers, raw } = request;
  const preflight = cors.preflightHeadersFor(method, raw.url ?? '', headers);
  if (preflight) {
    void reply.code(204).headers(preflight).send();
    return true;
  }
  const { isOfrep, isEvents } = routeOf(request);
  if (!isOfrep) return false;
  const allowed = cors.headersFor(headers.origin);
  if (allowed) reply.headers(allowed);
  const { token } = request.query as Record<string, unknown>;
  const actor = isEvents && typeof token === 'string' ? guard.actorOfStream(token) : null;
  if (actor) {
    request.actor = actor;
    return true;
  }
  const apiKey = headers['x-api-key'];
  if (headers.authorization !== undefined || typeof apiKey !== 'string') return false;
  guard.admit(request, reply, apiKey);
  return true;
}

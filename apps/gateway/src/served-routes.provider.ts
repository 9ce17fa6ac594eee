import { type INestApplication } from '@nestjs/common';
import { type FastifyReply, type FastifyRequest } from 'fastify';
import { toAppError } from '#runtime/errors.filter.js';
import { type Logger } from '#runtime/logger.js';
import { sendAnswer } from './envelope.js';
import { sendError } from './http-errors.filter.js';
import { KeyGuard } from './key.guard.js';
import { sourcesOf } from './parameter.js';
import { servedBy } from './serves.decorator.js';

export type RouteHandler = (request: FastifyRequest, reply: FastifyReply) => void;

/**
 * Makes the handlers of the routes that `Serves` declares: role, parameters, method, envelope; null for another route. Nest's own pipeline of
 * guards, pipes and interceptors, none of which these routes have, costs more than all of it: see docs/adr/0016-served-routes-beside-nests-pipeline.md.
 */
export function servedRoutes(app: INestApplication, logger: Logger): (handler: object) => RouteHandler | null {
  const guard = app.get(KeyGuard);
  return (handler) => {
    const served = servedBy(handler);
    if (!served) return null;
    const { controller, method } = served;
    const instance = app.get<Record<string, (...values: unknown[]) => object | Promise<object>>>(controller);
    const target = instance[method]!;
    const sources = sourcesOf(controller.prototype as object, method);
    return (request, reply) => {
      const fail = (error: unknown): void => sendError(reply, toAppError(error, logger, { request_id: request.id }));
      const send = (data: object): void => {
        try {
          sendAnswer(served, data, request, reply);
        } catch (error) {
          fail(error);
        }
      };
      try {
        guard.authorise(served, request);
        const values = sources.map((source) => source(request, served, reply));
        const answer = target.apply(instance, values);
        if (answer instanceof Promise) answer.then(send, fail);
        else send(answer);
      } catch (error) {
        fail(error);
      }
    };
  };
}

import { type FastifyReply, type FastifyRequest } from 'fastify';
import { type Served } from './served.js';

/** What a parameter of a handler is made of. Throws AppErrors for bad input. */
type Source = (request: FastifyRequest, served: Served, reply: FastifyReply) => unknown;

const parametersKey = 'emr:parameters';

/** Makes a parameter decorator for the handlers of `Serves` routes. */
export const parameter = (source: Source) => (): ParameterDecorator => (target, method, index) => {
  const before = (Reflect.getOwnMetadata(parametersKey, target, method!) as Source[] | undefined) ?? [];
  before[index] = source;
  Reflect.defineMetadata(parametersKey, before, target, method!);
};

/** In their order. Throws for a parameter that is decorated with nothing of the kind, which would be left undefined. */
export function sourcesOf(prototype: object, method: string): Source[] {
  const sources = (Reflect.getMetadata(parametersKey, prototype, method) as Source[] | undefined) ?? [];
  const expected = (Reflect.getMetadata('design:paramtypes', prototype, method) as unknown[]).length;
  const missing = Array.from({ length: expected }, (_, index) => index).find((index) => !sources[index]);
  if (missing !== undefined) throw new Error(`Parameter ${missing} of ${method} is none of @Input, @By, @Rows, @Ages and @IdempotencyKey`);
  return sources;
}

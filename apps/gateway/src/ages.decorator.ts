import { type FastifyReply } from 'fastify';
import { type Followed } from '#runtime/followed.js';
import { parameter } from './parameter.js';

/** Called by a handler with the projections that its answer is made of. */
export type SayAge = (...projections: Pick<Followed<object>, 'ageMs'>[]) => void;

/** Sets `Age`, in whole seconds: of the oldest projection, while an owner or NATS is not heard. */
export function sayAge(reply: FastifyReply, ...projections: Pick<Followed<object>, 'ageMs'>[]): void {
  const now = Date.now();
  let oldest: number | null = null;
  for (const projection of projections) {
    const age = projection.ageMs(now);
    if (age !== null && age >= (oldest ?? 0)) oldest = age;
  }
  if (oldest !== null) reply.header('age', String(Math.floor(oldest / 1000)));
}

/** For a handler that answers from projections: `getModel(@Input() input: ModelRef, @Ages() say: SayAge)`. */
export const Ages = parameter(
  (_request, _served, reply): SayAge =>
    (...projections) =>
      sayAge(reply, ...projections),
);

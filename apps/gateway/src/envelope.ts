import { type FastifyReply, type FastifyRequest } from 'fastify';
import { type Page } from '#contracts/page.js';
import { revisionsOf } from './serves.decorator.js';
import { type Served } from './served.js';

/**
 * `{success, data}` around an answer, `page` beside the data of a list, and an ETag for whatever has a revision. Undefined, with the status
 * set to 304, where the client has that revision already.
 */
export function inEnvelope({ isList }: Served, data: object, request: FastifyRequest, reply: FastifyReply): object | undefined {
  if (isList) {
    const { items, next_cursor } = data as Page<object>;
    return { success: true, data: items, page: { next_cursor } };
  }
  if ('revision' in data) {
    const revision = Number(data.revision);
    reply.header('etag', `"${revision}"`);
    if (request.method === 'GET' && isKnown(revision, request.headers['if-none-match'])) {
      reply.code(304);
      return undefined;
    }
  }
  return { success: true, data };
}

/** Whether If-None-Match names the revision. Other servers' ETags in it are no mistake: they only do not match. */
const isKnown = (revision: number, ifNoneMatch: string | undefined): boolean =>
  ifNoneMatch?.trim() === '*' || (ifNoneMatch?.split(',') ?? []).some((etag) => revisionsOf(etag)?.includes(revision));

import { type FastifyReply, type FastifyRequest } from 'fastify';
import { type Page } from '#contracts/page.js';
import { answerBody } from './answer-body.js';
import { recordText } from './record-text.js';
import { revisionsOf } from './serves.decorator.js';
import { type Served } from './served.js';

const contentType = 'application/json; charset=utf-8';

/**
 * Answers with `{success, data}`, `page` beside the data of a list, and an ETag for whatever has a revision; with 304 where the client has that
 * revision already.
 */
export function sendAnswer({ isList }: Served, data: object, request: FastifyRequest, reply: FastifyReply): void {
  if (isList) {
    const { items, next_cursor } = data as Page<object>;
    const texts = items.map((item) => ('revision' in item ? recordText(item) : JSON.stringify(item))).join(',');
    send(reply, `{"success":true,"data":[${texts}],"page":${JSON.stringify({ next_cursor })}}`);
    return;
  }
  const { body, revision } = answerBody(data);
  if (revision !== null) {
    reply.header('etag', `"${revision}"`);
    if (request.method === 'GET' && isKnown(revision, request.headers['if-none-match'])) {
      reply.code(304).send();
      return;
    }
  }
  send(reply, body);
}

const send = (reply: FastifyReply, body: string): void => void reply.code(200).header('content-type', contentType).send(body);

/** Whether If-None-Match names the revision. Other servers' ETags in it are no mistake: they only do not match. */
const isKnown = (revision: number, ifNoneMatch: string | undefined): boolean =>
  ifNoneMatch !== undefined && (ifNoneMatch.trim() === '*' || ifNoneMatch.split(',').some((etag) => revisionsOf(etag)?.includes(revision)));

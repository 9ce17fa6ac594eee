import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { type FastifyReply, type FastifyRequest } from 'fastify';
import { map, type Observable } from 'rxjs';
import { type Page } from '#contracts/page.js';
import { itemOf, revisionsOf, servedBy } from './serves.decorator.js';

/** `{success, data}` around every answer, `page` beside the data of a list, and an ETag for whatever has a revision. */
@Injectable()
export class EnvelopeInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler<object>): Observable<unknown> {
    const served = servedBy(context.getHandler());
    if (!served) return next.handle();
    const isList = itemOf(served.output) !== null;
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    return next.handle().pipe(
      map((data) => {
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
      }),
    );
  }
}

/** Whether If-None-Match names the revision. Other servers' ETags in it are no mistake: they only do not match. */
const isKnown = (revision: number, ifNoneMatch: string | undefined): boolean =>
  ifNoneMatch?.trim() === '*' || (ifNoneMatch?.split(',') ?? []).some((etag) => revisionsOf(etag)?.includes(revision));

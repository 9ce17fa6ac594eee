import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Injectable } from '@nestjs/common';
import { type FastifyReply } from 'fastify';
import { AppError } from '#contracts/errors.js';
import { toAppError } from '#runtime/errors.filter.js';
import { Logger } from '#runtime/logger.js';
import { ofrepErrorOf } from './ofrep/ofrep-error.js';
import { routeOf } from './route-traits.js';

const bodyLimitAccepted = 'a body of at most 768 KiB';

/** Seconds to wait where there is too much under way: as long as that goes on, another request is no use. */
const retryBusyAfter = 60;

/** What Fastify itself refuses, in our words. Null: not one of its refusals. */
export function refusalOf(error: unknown): AppError | null {
  if (error instanceof AppError) return error;
  const { code, statusCode } = error as { code?: unknown; statusCode?: unknown };
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return new AppError('REQUEST_TOO_LARGE', 'The body is too large', { accepted: bodyLimitAccepted });
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return new AppError('UNSUPPORTED_MEDIA_TYPE', 'The body is not JSON', { field: 'Content-Type', accepted: 'application/json' });
  }
  if (code === 'FST_ERR_BAD_URL') {
    return new AppError('MALFORMED_REQUEST', 'The path is not well formed', { field: '(path)', accepted: 'a percent-encoded UTF-8 path' });
  }
  if (code === 'FST_ERR_CTP_EMPTY_JSON_BODY' || error instanceof SyntaxError || code === 'FST_ERR_CTP_INVALID_JSON_BODY') {
    return new AppError('INVALID_JSON', 'The body is not valid JSON', {
      field: '(body)',
      accepted: 'JSON without __proto__ or constructor keys',
    });
  }
  if (typeof code === 'string' && code.startsWith('FST_ERR_') && typeof statusCode === 'number' && statusCode < 500) {
    return new AppError('MALFORMED_REQUEST', 'The request is not well formed', { code });
  }
  return null;
}

export function sendError(reply: FastifyReply, error: AppError): void {
  if (error.status === 503) reply.header('retry-after', '1');
  if (error.status === 429) reply.header('retry-after', String(Number(error.details?.retry_after_seconds ?? retryBusyAfter)));
  if (routeOf(reply.request).isOfrep) {
    const { status, body } = ofrepErrorOf(error, (reply.request.params as { key?: string } | undefined)?.key);
    if (body) reply.type('application/json');
    void reply.code(status).send(body ?? undefined);
    return;
  }
  void reply.code(error.status).type('application/json').send({ success: false, data: null, error: error.toBody() });
}

/** Every failure of a REST request as the error envelope. */
@Catch()
@Injectable()
export class HttpErrorFilter implements ExceptionFilter {
  constructor(private readonly logger: Logger) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    sendError(reply, this.toAppError(error, reply.request.id));
  }

  private toAppError(error: unknown, request_id: string): AppError {
    if (error instanceof HttpException && error.getStatus() === 404) {
      return new AppError('ROUTE_NOT_FOUND', 'There is no such route', { accepted: 'the routes of /openapi.json' });
    }
    if (error instanceof HttpException && error.getStatus() < 500) {
      return new AppError('MALFORMED_REQUEST', 'The request is not well formed');
    }
    return toAppError(error, this.logger, { request_id });
  }
}

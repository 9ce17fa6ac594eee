import { type ArgumentsHost, Catch, type ExceptionFilter, Injectable } from '@nestjs/common';
import { type Observable, throwError } from 'rxjs';
import { AppError, type ErrorBody, errorFromBody } from '#contracts/errors.js';
import { isDatabaseAway } from './database-fault.js';
import { Logger } from './logger.js';

/** The error as a client may see it. An unexpected one is logged in full and loses its text. */
export function toAppError(error: unknown, logger: Logger, fields: { request_id?: string } = {}): AppError {
  const known = errorFromBody(error);
  if (known) return known;
  logger.failure('Unexpected error', error, fields);
  return new AppError('INTERNAL_ERROR', 'Something went wrong on our side; the request id finds it in the logs');
}

/** Turns whatever a NATS handler throws into the reply's error body. */
@Catch()
@Injectable()
export class RpcErrorFilter implements ExceptionFilter {
  constructor(private readonly logger: Logger) {}

  catch(error: unknown, _host: ArgumentsHost): Observable<never> {
    const body: ErrorBody = this.toAppError(error).toBody();
    return throwError(() => body);
  }

  /** Only services have a database: at the gateway the same codes come from a client's socket. */
  private toAppError(error: unknown): AppError {
    if (!isDatabaseAway(error)) return toAppError(error, this.logger);
    this.logger.failure('PostgreSQL is away', error);
    return new AppError('SERVICE_UNAVAILABLE', 'The database is not available; try again shortly');
  }
}

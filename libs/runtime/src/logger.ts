import { type LoggerService } from '@nestjs/common';
import { type Logger as PinoLogger, pino } from 'pino';
import { currentRequestId } from './caller.js';

/** JSON lines on standard output, each with the service and, inside `runAs`, the request's id; the gateway names it itself. Also what Nest logs to. */
export class Logger implements LoggerService {
  private constructor(private readonly lines: PinoLogger) {}

  static create(service: string, level: string): Logger {
    return new Logger(
      pino({
        level,
        base: { service },
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }) },
        mixin: () => {
          const request_id = currentRequestId();
          return request_id ? { request_id } : {};
        },
      }),
    );
  }

  info(message: string, fields: Record<string, unknown> = {}): void {
    this.lines.info(fields, message);
  }

  failure(message: string, error: unknown, fields: Record<string, unknown> = {}): void {
    this.lines.error({ ...fields, err: error instanceof Error ? error : new Error(String(error)) }, message);
  }

  log(message: unknown, ...rest: unknown[]): void {
    this.lines.debug({ context: rest.at(-1) }, String(message));
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.lines.error({ context: rest.at(-1), ...(message instanceof Error && { err: message }) }, String(message));
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.lines.warn({ context: rest.at(-1) }, String(message));
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.lines.debug({ context: rest.at(-1) }, String(message));
  }
}

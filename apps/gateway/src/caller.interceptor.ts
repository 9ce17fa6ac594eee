import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { type FastifyRequest } from 'fastify';
import { Observable } from 'rxjs';
import { runAs } from '#runtime/caller.js';

/** Runs a handler as the key that asked; what it asks of services carries that on. Public routes have no caller. */
@Injectable()
export class CallerInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const { actor, id } = context.switchToHttp().getRequest<FastifyRequest>();
    if (!actor) return next.handle();
    return new Observable((subscriber) => runAs({ request_id: id, actor }, () => next.handle().subscribe(subscriber)));
  }
}

import { type FastifyInstance, type FastifyRequest } from 'fastify';
import { traceHeader } from '#runtime/trace-context.js';
import { type Span, type Tracing } from '#runtime/tracing.js';
import { routeOf } from './route-traits.js';

/** What Kubernetes and Prometheus ask every few seconds. */
const untraced = new Set(['/livez', '/readyz', '/metrics']);

/**
 * Makes every request a part of the trace that its `traceparent` names, or of a new one. Of a request are told its route, never its path or query,
 * and the id of the key, never the key.
 */
export function traceRequests(fastify: FastifyInstance, tracing: Tracing): void {
  const spans = new WeakMap<FastifyRequest, Span>();
  fastify.addHook('onRequest', (request, _reply, done) => {
    const { path } = routeOf(request);
    const given = request.headers[traceHeader];
    if (!untraced.has(path)) {
      const attributes = { 'http.request.method': request.method, 'http.route': path, 'emr.request_id': request.id };
      const parent = typeof given === 'string' ? given : undefined;
      spans.set(request, tracing.begin({ name: `${request.method} ${path}`, role: 'server', attributes, parent }));
    }
    done();
  });
  // Not before: what reads the body does not go on as a part of what came before it.
  fastify.addHook('preHandler', (request, _reply, done) => {
    const span = spans.get(request);
    if (span) span.run(done);
    else done();
  });
  fastify.addHook('onResponse', (request, reply, done) => {
    const span = spans.get(request);
    span?.set({ 'http.response.status_code': reply.statusCode, ...(request.actor && { 'emr.key_id': request.actor.key_id }) });
    span?.end(reply.statusCode >= 500 ? `answered ${reply.statusCode}` : undefined);
    done();
  });
}

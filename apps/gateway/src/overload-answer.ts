import { type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { AppError } from '#contracts/errors.js';
import { type Telemetry } from '#runtime/telemetry.js';
import { ofrepErrorOf } from './ofrep/ofrep-error.js';
import { isOfrepPath } from './ofrep/ofrep-paths.js';
import { type Overload } from './overload.js';
import { securityHeaders } from './security-headers.js';

/** Whoever gets it may send the same again, to any gateway: nothing of it was done. */
export const notTaken = (why: string): AppError =>
  new AppError('SERVICE_UNAVAILABLE', `${why}; try again shortly`, { service: 'gateway', recorded: 'no' });

const refusal = notTaken('More is asked of the gateway than it can answer');
const body = JSON.stringify({ success: false, data: null, error: refusal.toBody() });
const ofrepBody = JSON.stringify(ofrepErrorOf(refusal, undefined).body);
const headersOf = (text: string): Record<string, string | number> => ({
  'content-type': 'application/json',
  'content-length': Buffer.byteLength(text),
  'retry-after': '1',
  ...securityHeaders,
});
const headers = headersOf(body);
const ofrepHeaders = headersOf(ofrepBody);

/** Whoever looks at these decides about the process, and asks seldom. */
const neverShed = new Set(['/livez', '/readyz', '/metrics']);

/**
 * Answers what is too much before Fastify makes anything of it: a refusal must cost a fraction of an answer, or refusing is all that is done. It
 * has no request id and no line in the log; the metrics count it under the route `(shed)`.
 */
export function shedBefore(server: Server, overload: Overload, telemetry: Telemetry): void {
  const [serve] = server.listeners('request') as ((request: IncomingMessage, response: ServerResponse) => void)[];
  server.removeAllListeners('request');
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    if (!overload.refuses() || neverShed.has(request.url ?? '')) {
      serve!(request, response);
      return;
    }
    telemetry.httpRequests.observe(0, request.method ?? '', '(shed)', 503);
    const isOfrep = isOfrepPath(request.url ?? '');
    response.writeHead(503, isOfrep ? ofrepHeaders : headers).end(isOfrep ? ofrepBody : body);
    // What of the body is still to come is read and dropped, so that the connection can go on.
    request.resume();
  });
}

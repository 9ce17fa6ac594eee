import { randomUUID } from 'node:crypto';
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import { type Socket } from 'node:net';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { type FastifyReply, type FastifyRequest } from 'fastify';
import { AppError, type ErrorDetails } from '#contracts/errors.js';
import { type Logger } from '#runtime/logger.js';
import { type Telemetry } from '#runtime/telemetry.js';
import { answerInGroups, GroupedResponse } from './answer-groups.js';
import { type GatewayConfig } from './gateway.config.js';
import { refusalOf, sendError } from './http-errors.filter.js';
import { UnreadableLine } from './inference-batch.js';
import { jsonTextOf } from './json-text.js';
import { Overload } from './overload.js';
import { notTaken, shedBefore } from './overload-answer.js';
import { RowStream } from './row-stream.js';
import { routeOf } from './route-traits.js';
import { type RouteHandler } from './served-routes.provider.js';
import { securityHeaders } from './security-headers.js';
import { rowTypes } from './serves.decorator.js';
import { traceRequests } from './traced-requests.js';

// Below NATS's 1 MB message limit, with room for what is added on the way.
const bodyLimit = 768 * 1024;
// Long enough that an absurd id is refused by its field's rule and not by the router.
const maxParamLength = 16_000;
const requestTimeout = 30_000;
const requestIdPattern = /^[A-Za-z0-9_.-]{1,100}$/;

/** No other process begins its ids alike. */
const processId = randomUUID();
let requests = 0;
const nextRequestId = (): string => `${processId}-${(requests += 1)}`;

const unsupportedMediaType = Object.assign(new Error('Unsupported media type'), { code: 'FST_ERR_CTP_INVALID_MEDIA_TYPE' });

type Limits = Pick<GatewayConfig, 'OVERLOAD_AFTER_MS' | 'MAX_UNDER_WAY' | 'MAX_CONNECTIONS' | 'trustedProxies'>;
type Route = unknown[];
type ErrorHandler = Parameters<FastifyAdapter['setErrorHandler']>[0];

export class GatewayAdapter extends FastifyAdapter {
  /** `draining`: whoever asks is answered, and told to open another connection next time; `closing`: nobody is served any more. */
  phase: 'serving' | 'draining' | 'closing' = 'serving';
  /** Set before routes are made. */
  served: (handler: object) => RouteHandler | null = () => null;

  override beforeClose(): void {
    this.phase = 'closing';
    super.beforeClose();
  }

  override get(...route: Route): ReturnType<FastifyAdapter['get']> {
    return super.get(...this.servedRoute(route));
  }

  override post(...route: Route): ReturnType<FastifyAdapter['post']> {
    return super.post(...this.servedRoute(route));
  }

  override put(...route: Route): ReturnType<FastifyAdapter['put']> {
    return super.put(...this.servedRoute(route));
  }

  override patch(...route: Route): ReturnType<FastifyAdapter['patch']> {
    return super.patch(...this.servedRoute(route));
  }

  override delete(...route: Route): ReturnType<FastifyAdapter['delete']> {
    return super.delete(...this.servedRoute(route));
  }

  private servedRoute(route: Route): Route {
    const handler = this.served(route.at(-1) as object);
    return handler ? [...route.slice(0, -1), handler] : route;
  }

  /** Nest's own handler drops Fastify's error codes: what Fastify refuses is answered before it. */
  override setErrorHandler(handler: ErrorHandler): ReturnType<FastifyAdapter['setErrorHandler']> {
    return super.setErrorHandler((error, request, reply) => {
      // The client is gone: nobody reads this answer, and nothing of ours has failed.
      const refusal = request.raw.readableAborted ? malformed('The request ended before it was whole') : refusalOf(error);
      if (refusal) sendError(reply, refusal);
      else handler.call(this.getInstance(), error, request, reply);
    });
  }
}

/** Fastify as the gateway uses it: bounded sizes and times, our error envelope for what Fastify itself refuses, a log line a request. */
export function httpAdapter(
  logger: Logger,
  telemetry: Telemetry,
  { OVERLOAD_AFTER_MS, MAX_UNDER_WAY, MAX_CONNECTIONS, trustedProxies }: Limits,
): GatewayAdapter {
  const overload = new Overload(OVERLOAD_AFTER_MS, MAX_UNDER_WAY);
  const adapter = new GatewayAdapter({
    bodyLimit,
    trustProxy: trustedProxies.length > 0 && trustedProxies,
    // There is no middleware.
    skipMiddie: true,
    routerOptions: { maxParamLength },
    requestTimeout,
    keepAliveTimeout: 72_000,
    // Told here too, Node also makes it the limit of the headers; where that is larger it swaps the two. It looks this often, else every 30 s.
    http: { ServerResponse: GroupedResponse, requestTimeout, connectionsCheckingInterval: 2_000, requireHostHeader: false },
    // Fastify's own answer while closing is not in our envelope: see below.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    genReqId: (request: IncomingMessage) => {
      const given = request.headers['x-request-id'];
      return typeof given === 'string' && requestIdPattern.test(given) ? given : nextRequestId();
    },
    frameworkErrors: (error: unknown, request: FastifyRequest, reply: FastifyReply) => {
      // Comes before all hooks.
      sendError(
        reply.headers(securityHeaders).header('x-request-id', request.id),
        refusalOf(error) ?? malformed('The request is not well formed'),
      );
    },
    clientErrorHandler: refuseRaw,
  });
  const fastify = adapter.getInstance();
  fastify.server.maxConnections = MAX_CONNECTIONS;
  shedBefore(fastify.server, overload, telemetry);
  // An answer that nobody is there to get any more is never sent.
  fastify.server.on('connection', (connection: Socket) => connection.once('close', () => overload.gone(connection)));
  // JSON alone: a form or a text cannot say what a contract wants.
  fastify.removeContentTypeParser(['text/plain', 'application/json']);
  const parseJson = fastify.getDefaultJsonParser('error', 'error');
  fastify.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    const text = jsonTextOf(body as Buffer, request.headers);
    // Many clients announce JSON on every POST, also where there is no body to send.
    if (text === '') done(null, undefined);
    else void parseJson(request, text, done);
  });
  // Node would answer both by itself, outside the envelope.
  fastify.server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) => {
    const error = malformed('No such expectation is known', { field: 'Expect', accepted: '100-continue' });
    response
      .writeHead(error.status, { 'content-type': 'application/json', ...securityHeaders })
      .end(JSON.stringify({ success: false, data: null, error: error.toBody() }));
  });
  for (const [type, format] of Object.entries(rowTypes)) {
    fastify.addContentTypeParser(type, (request, payload, done) => {
      const { path } = routeOf(request);
      if (path.endsWith('/validation/datasets')) done(null, new RowStream(format, payload));
      else if (format === 'ndjson' && path.endsWith('/inference/batch'))
        wholeBody(request.raw).then(
          (body) => done(null, { events: linesOf(jsonTextOf(body, request.headers)) }),
          (error: unknown) => done(error as Error),
        );
      else done(unsupportedMediaType);
    });
  }
  answerInGroups(fastify);
  if (telemetry.tracing) traceRequests(fastify, telemetry.tracing);
  fastify.addHook('onRequest', (request, reply, done) => {
    if (!routeOf(request).isMeantToWait) overload.entered(request.raw.socket);
    void reply.headers(securityHeaders).header('x-request-id', request.id);
    if (request.headers.host === undefined && request.raw.httpVersion === '1.1')
      sendError(reply, malformed('HTTP/1.1 needs a Host', { field: 'Host', accepted: 'the host and port of the address' }));
    else if (adapter.phase === 'closing') sendError(reply.header('connection', 'close'), notTaken('The gateway is being stopped'));
    else {
      if (adapter.phase === 'draining') void reply.header('connection', 'close');
      done();
    }
  });
  fastify.addHook('onResponse', (request, reply, done) => {
    const { path: route, isMeantToWait } = routeOf(request);
    if (!isMeantToWait) overload.left(request.raw.socket);
    telemetry.httpRequests.observe(reply.elapsedTime / 1000, request.method, route, reply.statusCode);
    logger.info('request', {
      request_id: request.id,
      method: request.method,
      route,
      status: reply.statusCode,
      duration_ms: Math.round(reply.elapsedTime * 100) / 100,
      key_id: request.actor?.key_id,
    });
    done();
  });
  return adapter;
}

/** Throws REQUEST_TOO_LARGE, at once where its length is announced. */
async function wholeBody(request: IncomingMessage): Promise<Buffer> {
  const tooLarge = Object.assign(new Error('Too large'), { code: 'FST_ERR_CTP_BODY_TOO_LARGE' });
  if (Number(request.headers['content-length']) > bodyLimit) throw tooLarge;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bodyLimit) throw tooLarge;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes);
}

/** The values of the lines of NDJSON, blank ones aside. */
const linesOf = (text: string): unknown[] =>
  text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      try {
        return JSON.parse(line) as unknown;
      } catch {
        return new UnreadableLine();
      }
    });

/**
 * What Node gives up before there is a request object: bytes that are no HTTP, headers and a path over its 16 KiB, a request that is not
 * whole in time.
 */
function refuseRaw(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const refusal = rawRefusalOf(error.code);
  const body = JSON.stringify({ success: false, data: null, error: refusal.toBody() });
  const length = Buffer.byteLength(body);
  const headers = { 'content-type': 'application/json', 'content-length': length, connection: 'close', ...securityHeaders };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}\r\n${lines.join('')}\r\n${body}`);
}

function rawRefusalOf(code: string | undefined): AppError {
  if (code === 'HPE_HEADER_OVERFLOW')
    return new AppError('REQUEST_TOO_LARGE', 'The path and headers are too large', { accepted: 'at most 16 KiB together' });
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new AppError('REQUEST_TIMEOUT', 'The request was not whole in time', { accepted: 'a request that is sent within 30 s' });
  return malformed('This is not well-formed HTTP');
}

const malformed = (message: string, details: ErrorDetails | null = null): AppError => new AppError('MALFORMED_REQUEST', message, details);

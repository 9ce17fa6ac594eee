import { lookup } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import { buildConnector, Client } from 'undici';
import { type AddressPolicy, createAddressPolicy, isSameAddress, normalizeHost } from './address.js';
import { traceHeader } from './trace-context.js';
import { currentSpan, currentTrace } from './tracing.js';

export type EgressErrorCode =
  | 'INVALID_ADDRESS'
  | 'ADDRESS_NOT_ALLOWED'
  | 'UNREACHABLE'
  | 'TIMEOUT'
  | 'CANCELLED'
  | 'REDIRECT_REFUSED'
  | 'RESPONSE_TOO_LARGE';

/** Why a call was not made or not finished. The message is fit to show: it holds neither a resolved address nor what the peer sent. */
export class EgressError extends Error {
  constructor(
    readonly code: EgressErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'EgressError';
  }
}

/** Every IP address of a host name. */
export type Resolve = (host: string) => Promise<string[]>;

export interface EgressOptions {
  /** CIDRs, addresses or host names that may be called besides public addresses: see createAddressPolicy. */
  allowed_networks: readonly string[];
  /** The largest body read. It is counted as sent: nothing is decompressed here. */
  max_response_bytes: number;
  resolve?: Resolve;
}

export interface EgressRequest {
  /** http: or https:, at most 2000 characters, without user and password. */
  url: string;
  method: 'GET' | 'POST';
  headers?: Record<string, string>;
  body?: string;
  /** For everything together: name look-up, connection, headers and body. */
  timeout_ms: number;
  signal?: AbortSignal;
}

export interface EgressResponse {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
  /** From the start of the name look-up to the last byte of the body. */
  duration_ms: number;
}

export interface Egress {
  /** Makes one request on a connection of its own. Answers with any status but 3xx; throws EgressError. */
  call(request: EgressRequest): Promise<EgressResponse>;
}

const maxUrlLength = 2000;

const resolveBySystem: Resolve = async (host) => (await lookup(host, { all: true, verbatim: true })).map(({ address }) => address);

function parseUrl(text: string): URL {
  const invalid = (why: string): EgressError =>
    new EgressError(
      'INVALID_ADDRESS',
      `The address ${why}; accepted: http:// or https://, at most ${maxUrlLength} characters, without user and password`,
    );
  if (text.length > maxUrlLength) throw invalid('is too long');
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url) throw invalid('is not a URL');
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw invalid('is neither http: nor https:');
  if (url.username || url.password) throw invalid('holds a user or password');
  const host = normalizeHost(url.hostname);
  if (!host) throw invalid('has no host');
  // A trailing dot is legal in DNS but in neither a TLS server name nor a comparison with a list of hosts.
  if (isIP(host) !== 6) url.hostname = host;
  return url;
}

function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject);
  });
}

/** The addresses a request may connect to: the name is resolved once here, and one forbidden address refuses the host. */
async function pinAddresses(url: URL, policy: AddressPolicy, resolve: Resolve, signal: AbortSignal): Promise<string[]> {
  const host = normalizeHost(url.hostname);
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80));
  const refuse = (reason: string): EgressError => new EgressError('ADDRESS_NOT_ALLOWED', `Not allowed: ${reason}`);

  const byName = policy.hostRefusal(host);
  if (byName) throw refuse(byName);
  const addresses = isIP(host) ? [host] : await abortable(resolve(host), signal);
  if (addresses.length === 0) throw new EgressError('UNREACHABLE', `${host} has no address`);
  for (const address of addresses) {
    const byAddress = policy.addressRefusal(host, address, port);
    if (byAddress) throw refuse(byAddress);
  }
  return addresses;
}

/** Connects to the pinned addresses only; TLS still verifies the host's name. */
function connectTo(addresses: string[], signal: AbortSignal, timeout_ms: number): buildConnector.connector {
  const pinned = addresses.map((address) => ({ address, family: isIP(address) }));
  const lookupPinned: LookupFunction = (_host, _options, found) => found(null, pinned);
  // Destroying a socket through the signal also ends one that is still connecting, which closing the client leaves behind.
  const connect = buildConnector({
    lookup: lookupPinned,
    signal,
    timeout: timeout_ms,
    autoSelectFamily: true,
    maxCachedSessions: 0,
  });
  return (target, callback) =>
    connect(target, (error, socket) => {
      if (error) return callback(error, null);
      // node:net asks no look-up for an IP address in the URL, and Linux takes 0.0.0.0 for loopback: what was really reached decides.
      const reached = socket.remoteAddress;
      if (reached !== undefined && addresses.some((address) => isSameAddress(address, reached))) return callback(null, socket);
      socket.destroy();
      const elsewhere = new EgressError('ADDRESS_NOT_ALLOWED', 'Not allowed: the connection reached another address than was checked');
      callback(reached === undefined ? new EgressError('UNREACHABLE', 'The connection was closed at once') : elsewhere, null);
    });
}

async function readBody(body: AsyncIterable<Buffer>, announced: string | undefined, max_bytes: number): Promise<Buffer> {
  const tooLarge = (): EgressError => new EgressError('RESPONSE_TOO_LARGE', `The answer is larger than ${max_bytes} bytes`);
  if (Number(announced) > max_bytes) throw tooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > max_bytes) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function asEgressError(error: Error, url: URL): EgressError {
  if (error instanceof EgressError) return error;
  const { code = 'unknown error' } = error as NodeJS.ErrnoException;
  if (code === 'UND_ERR_HEADERS_OVERFLOW')
    return new EgressError('RESPONSE_TOO_LARGE', 'The headers of the answer are too large', { cause: error });
  return new EgressError('UNREACHABLE', `${url.host} cannot be reached (${code})`, { cause: error });
}

/** Runs a call as a span of the trace under way, where there is one, and with its `traceparent`. */
async function traced(request: EgressRequest, call: (request: EgressRequest) => Promise<EgressResponse>): Promise<EgressResponse> {
  const { url, method, headers } = request;
  const span = currentSpan()?.child({
    name: method,
    role: 'client',
    // Neither path nor query: they may hold what is secret.
    attributes: { 'http.request.method': method, 'server.address': URL.canParse(url) ? new URL(url).hostname : '' },
  });
  const traceparent = span?.traceparent ?? currentTrace();
  try {
    const response = await call(traceparent ? { ...request, headers: { ...headers, [traceHeader]: traceparent } } : request);
    span?.set({ 'http.response.status_code': response.status });
    span?.end(response.status < 400 ? undefined : `status ${response.status}`);
    return response;
  } catch (error) {
    span?.end(error instanceof EgressError ? error.code : 'INTERNAL_ERROR');
    throw error;
  }
}

/**
 * The only outgoing HTTP client: the addresses called come from users, so each is held against the address policy before a byte is
 * sent. Redirects are refused, proxies of the environment are not used, connections are not reused.
 */
export function createEgress({ allowed_networks, max_response_bytes, resolve = resolveBySystem }: EgressOptions): Egress {
  const policy = createAddressPolicy(allowed_networks);

  async function call({ url: text, method, headers, body, timeout_ms, signal }: EgressRequest): Promise<EgressResponse> {
    const started = performance.now();
    const url = parseUrl(text);
    const stop = new AbortController();
    const cancel = (): void => stop.abort(new EgressError('CANCELLED', 'The call was cancelled'));
    const deadline = setTimeout(() => stop.abort(new EgressError('TIMEOUT', `No complete answer within ${timeout_ms} ms`)), timeout_ms);
    if (signal?.aborted) cancel();
    signal?.addEventListener('abort', cancel, { once: true });

    let client: Client | undefined;
    try {
      const addresses = await pinAddresses(url, policy, resolve, stop.signal);
      client = new Client(url.origin, {
        connect: connectTo(addresses, stop.signal, timeout_ms),
        pipelining: 0,
        headersTimeout: 0,
        bodyTimeout: 0,
      });
      const answer = await client.request({
        method,
        path: url.pathname + url.search,
        headers: { 'accept-encoding': 'identity', ...headers },
        body,
        signal: stop.signal,
      });
      if (answer.statusCode >= 300 && answer.statusCode < 400) {
        throw new EgressError('REDIRECT_REFUSED', `The server answered with the redirect ${answer.statusCode}; redirects are not followed`);
      }
      const announced = answer.headers['content-length'];
      const content = await readBody(answer.body, typeof announced === 'string' ? announced : undefined, max_response_bytes);
      return { status: answer.statusCode, headers: answer.headers, body: content, duration_ms: performance.now() - started };
    } catch (error) {
      throw stop.signal.aborted ? (stop.signal.reason as EgressError) : asEgressError(error as Error, url);
    } finally {
      clearTimeout(deadline);
      signal?.removeEventListener('abort', cancel);
      void client?.destroy();
    }
  }

  return { call: (request) => traced(request, call) };
}

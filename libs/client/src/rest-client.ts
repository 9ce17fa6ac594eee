import createClient, { type FetchResponse, type MaybeOptionalInit } from 'openapi-fetch';
import { type paths } from './rest.schema.js';

const prefix = '/api/models/enterprise';
const maxAttempts = 3;
const maxWaitMs = 30_000;

/** The surface without its prefix: `/registry/{model_id}`. */
type Surface = { [Path in keyof paths as Path extends `${typeof prefix}${infer Rest}` ? Rest : never]: paths[Path] };
type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';
type PathsOf<Verb extends Method> = { [Path in keyof Surface]: Surface[Path] extends Record<Verb, object> ? Path : never }[keyof Surface];
type Body<Operation> = Operation extends { responses: { 200: { content: { 'application/json': infer Content } } } } ? Content : never;
type Data<Operation> = Body<Operation> extends { data: infer Value } ? Value : never;
type Item<Operation> = Data<Operation> extends (infer Value)[] ? Value : never;
/** What a request needs: path, query, headers, body. Left out where nothing is required. */
type Init<Path extends keyof Surface, Verb extends Method> =
  MaybeOptionalInit<Surface[Path], Verb> extends infer Wanted
    ? undefined extends Wanted
      ? [init?: Wanted]
      : Record<string, never> extends Wanted
        ? [init?: Wanted]
        : [init: Wanted]
    : never;

/** An answer that is not a success. */
export class RestError extends Error {
  override readonly name = 'RestError';

  constructor(
    /** Stable: `MODEL_NOT_FOUND`, `INVALID_INPUT`, … What is not from the registry itself, a proxy for one, is `UNEXPECTED_ANSWER`. */
    readonly code: string,
    readonly status: number,
    message: string,
    readonly details: Record<string, unknown> | null,
    /** Finds the request in the logs. */
    readonly request_id: string | null,
  ) {
    super(`${code}: ${message}`);
  }
}

export interface RestClientOptions {
  /** Without the prefix: `https://models.example.com`. */
  url: string;
  /** The API key. */
  key: string;
}

interface Envelope {
  success: boolean;
  data: unknown;
  page?: { next_cursor: string | null };
  error?: { code: string; message: string; details: Record<string, unknown> | null };
}

/** Whatever openapi-fetch makes of one request. */
type Send = (path: string, init: object) => Promise<FetchResponse<Record<string, never>, object, 'application/json'>>;

/**
 * The REST surface, typed by its OpenAPI description. Answers come without their envelope; failures are thrown as RestError. A 429 or 503 is
 * tried again after its `Retry-After`, at most twice, where that cannot do a thing twice: GET and DELETE, and a POST with an Idempotency-Key.
 */
export class RestClient {
  private readonly send: Record<Method, Send>;

  constructor({ url, key }: RestClientOptions) {
    const client = createClient<Record<string, never>>({
      baseUrl: url.replace(/\/+$/, '') + prefix,
      headers: { authorization: `Bearer ${key}` },
      fetch: patientFetch,
    });
    this.send = { get: client.GET, post: client.POST, put: client.PUT, patch: client.PATCH, delete: client.DELETE } as unknown as Record<
      Method,
      Send
    >;
  }

  get<Path extends PathsOf<'get'>>(path: Path, ...[init]: Init<Path, 'get'>): Promise<Data<Surface[Path]['get']>> {
    return this.data('get', path, init);
  }

  post<Path extends PathsOf<'post'>>(path: Path, ...[init]: Init<Path, 'post'>): Promise<Data<Surface[Path]['post']>> {
    return this.data('post', path, init);
  }

  put<Path extends PathsOf<'put'>>(path: Path, ...[init]: Init<Path, 'put'>): Promise<Data<Surface[Path]['put']>> {
    return this.data('put', path, init);
  }

  patch<Path extends PathsOf<'patch'>>(path: Path, ...[init]: Init<Path, 'patch'>): Promise<Data<Surface[Path]['patch']>> {
    return this.data('patch', path, init);
  }

  delete<Path extends PathsOf<'delete'>>(path: Path, ...[init]: Init<Path, 'delete'>): Promise<Data<Surface[Path]['delete']>> {
    return this.data('delete', path, init);
  }

  /** Every item of a list, page after page. */
  async *all<Path extends PathsOf<'get'>>(path: Path, ...[init]: Init<Path, 'get'>): AsyncGenerator<Item<Surface[Path]['get']>> {
    const { params, ...rest } = (init ?? {}) as { params?: { query?: object } };
    let cursor: string | null = null;
    do {
      const query: object = { ...params?.query, ...(cursor !== null && { cursor }) };
      const { data, page } = await this.envelope('get', path, { ...rest, params: { ...params, query } });
      yield* data as Item<Surface[Path]['get']>[];
      cursor = page?.next_cursor ?? null;
    } while (cursor !== null);
  }

  private async data<Value>(method: Method, path: string, init: unknown): Promise<Value> {
    return (await this.envelope(method, path, init)).data as Value;
  }

  private async envelope(method: Method, path: string, init: unknown): Promise<Envelope> {
    const { data, error, response } = await this.send[method](path, init ?? {});
    const envelope = (data ?? error) as unknown as Envelope | string | undefined;
    if (typeof envelope === 'object' && response.ok) return envelope;
    const { code, message, details } = (typeof envelope === 'object' && envelope.error) || {
      code: 'UNEXPECTED_ANSWER',
      message: `${response.status} ${response.statusText}`,
      details: null,
    };
    throw new RestError(code, response.status, message, details, response.headers.get('x-request-id'));
  }
}

const mayRepeat = ({ method, headers }: Request): boolean => ['GET', 'DELETE'].includes(method) || headers.has('idempotency-key');

async function patientFetch(request: Request): Promise<Response> {
  for (let attempt = 1; ; attempt++) {
    const response = await fetch(request.clone());
    const busy = response.status === 429 || response.status === 503;
    if (!busy || attempt === maxAttempts || !mayRepeat(request)) return response;
    await response.body?.cancel();
    const seconds = Number(response.headers.get('retry-after') ?? 1);
    await new Promise((resolve) => setTimeout(resolve, Math.min(Number.isFinite(seconds) ? seconds * 1_000 : 1_000, maxWaitMs)));
  }
}

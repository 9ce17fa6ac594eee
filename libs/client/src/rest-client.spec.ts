import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { RestClient, RestError } from './rest-client.js';

interface Reply {
  status: number;
  body: unknown;
  headers?: Record<string, string>;
}

let server: Server;
let client: RestClient;
let replies: Reply[];
let asked: { method: string; url: string; headers: IncomingMessage['headers'] }[];

beforeEach(async () => {
  [replies, asked] = [[], []];
  server = createServer((request, response) => {
    asked.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers });
    const { status, body, headers } = replies.shift() ?? { status: 500, body: 'no more replies' };
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  client = new RestClient({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, key: 'emr_key' });
});
afterEach(() => server.close());

const params = { path: { model_id: 'mlb_model_a1b2c3d4' } };
const ok = { status: 200, body: { success: true, data: { model_id: 'mlb_model_a1b2c3d4' } } };
const busy = (status: 429 | 503, after = '0'): Reply => ({
  status,
  body: { success: false, data: null, error: { code: 'SERVICE_UNAVAILABLE', message: 'not now', details: { service: 'x' } } },
  headers: { 'retry-after': after },
});

describe('RestClient', () => {
  it('sends the key, fills the path and answers without the envelope', async () => {
    replies = [ok];
    expect((await client.get('/registry/{model_id}', { params })).model_id).toBe('mlb_model_a1b2c3d4');
    expect(asked).toMatchObject([
      {
        method: 'GET',
        url: '/api/models/enterprise/registry/mlb_model_a1b2c3d4',
        headers: { authorization: 'Bearer emr_key' },
      },
    ]);
  });

  it('compiles only requests that the registry knows', async () => {
    const wrong: (() => Promise<unknown>)[] = [
      // @ts-expect-error -- no such path
      () => client.get('/no_such_path'),
      // @ts-expect-error -- no such method of it
      () => client.delete('/types'),
      // @ts-expect-error -- without its model
      () => client.get('/registry/{model_id}'),
      // @ts-expect-error -- not of the type
      () => client.post('/registry', { body: { name: 'x', version: '1.0.0', model_type: 'no_such_type' } }),
      // @ts-expect-error -- no such field of the answer
      () => client.get('/types').then(({ no_such_field }) => no_such_field as unknown),
    ];
    expect(wrong).toHaveLength(5);
  });

  it('throws failures with code, status, details and request id', async () => {
    replies = [{ ...busy(503), status: 409, headers: { 'x-request-id': 'r-1' } }];
    const failure: unknown = await client.get('/registry/{model_id}', { params }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(RestError);
    expect(failure).toMatchObject({ code: 'SERVICE_UNAVAILABLE', status: 409, details: { service: 'x' }, request_id: 'r-1' });
  });

  it('says so when somebody else answers', async () => {
    replies = [{ status: 502, body: '<html>', headers: { 'content-type': 'text/html' } }];
    await expect(client.get('/types')).rejects.toMatchObject({ code: 'UNEXPECTED_ANSWER', status: 502, details: null });
  });

  it('tries again what may be repeated, at most twice, after the time that it is told', async () => {
    replies = [busy(503), busy(429), ok];
    await client.get('/registry/{model_id}', { params });
    expect(asked).toHaveLength(3);
    replies = [busy(503), busy(503), busy(503), ok];
    await expect(client.get('/registry/{model_id}', { params })).rejects.toMatchObject({ status: 503 });
    expect(asked).toHaveLength(6);
    replies = [busy(503, '1'), ok];
    const began = performance.now();
    await client.get('/registry/{model_id}', { params });
    expect(performance.now() - began).toBeGreaterThan(990);
  });

  it('repeats no POST that has no Idempotency-Key', async () => {
    const query = { timing_ms: 5 };
    replies = [busy(503), ok];
    await expect(client.post('/registry/{model_id}/inference', { params: { ...params, query } })).rejects.toMatchObject({ status: 503 });
    expect(asked).toHaveLength(1);
    replies = [busy(503), ok];
    await client.post('/registry/{model_id}/inference', { params: { ...params, query }, headers: { 'Idempotency-Key': 'once' } });
    expect(asked.slice(1).map(({ headers }) => headers['idempotency-key'])).toEqual(['once', 'once']);
  });

  it('follows the pages of a list', async () => {
    const page = (ids: string[], next_cursor: string | null): Reply => ({
      status: 200,
      body: { success: true, data: ids.map((model_id) => ({ model_id })), page: { next_cursor } },
    });
    replies = [page(['a', 'b'], 'c1'), page([], 'c2'), page(['c'], null)];
    const found: string[] = [];
    for await (const { model_id } of client.all('/registry', { params: { query: { sport: 'MLB' } } })) found.push(model_id);
    expect(found).toEqual(['a', 'b', 'c']);
    expect(asked.map(({ url }) => url.split('?')[1])).toEqual(['sport=MLB', 'sport=MLB&cursor=c1', 'sport=MLB&cursor=c2']);
  });
});

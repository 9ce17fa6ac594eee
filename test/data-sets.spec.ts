import { createHash, randomBytes } from 'node:crypto';
import { createServer, request, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { type DataSet } from '#contracts/data-set.js';
import { type Run, type RunResult } from '#contracts/validation.js';
import { RowOutcomesStore } from '#validation/row-outcomes.store.js';
import { validationSchema } from '#validation/validation.module.js';
import { openDatabase } from '#runtime/database.module.js';
import { type Answer, type Api, eventually, type ReachableSuite } from './api.harness.js';
import { storySuite } from './story-suite.harness.js';

let suite: ReachableSuite;
let api: Api;

beforeAll(async () => {
  suite = await storySuite();
  api = suite.api;
});

const csvType = 'text/csv';
const ndjsonType = 'application/x-ndjson';

interface Sent {
  as?: string;
  query?: string;
  headers?: Record<string, string>;
  /** Sent piece by piece, its length not announced. */
  chunked?: boolean;
}

/** Uploads with Node's own client: fetch would close the connection with the first error it sees. */
function send(
  body: Buffer,
  type: string | null,
  { as = suite.admin_key, query = '', headers = {}, chunked = false }: Sent = {},
): Promise<Answer> {
  const url = `${api.url}/validation/datasets${query}`;
  const own = { authorization: `Bearer ${as}`, ...(type && { 'content-type': type }), ...(!chunked && { 'content-length': body.length }) };
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', headers: { ...own, ...headers } }, (response) => {
      void (async () => {
        let text = '';
        for await (const chunk of response) text += String(chunk);
        resolve({ status: response.statusCode ?? 0, headers: new Headers(), body: JSON.parse(text) as unknown });
      })();
    });
    sent.on('error', reject);
    for (let at = 0; at < body.length; at += 100_000) sent.write(body.subarray(at, at + 100_000));
    sent.end();
  });
}

async function upload(text: string | Buffer, type = csvType, more: Sent = {}): Promise<DataSet> {
  const { status, body } = await send(Buffer.from(text as string), type, more);
  if (status !== 200) throw new Error(`${status}: ${JSON.stringify(body)}`);
  return (body as { data: DataSet }).data;
}

interface Refused {
  code: string;
  fields: string[];
}

async function refusal(text: string | Buffer, type: string | null = csvType, more: Sent = {}): Promise<Refused> {
  const { body } = await send(Buffer.from(text as string), type, more);
  const { error } = body as { error?: { code: string; details: { fields?: { field: string }[] } | null } };
  return { code: error?.code ?? 'none', fields: error?.details?.fields?.map(({ field }) => field) ?? [] };
}

const leftovers = async (): Promise<unknown> => {
  const database = await openDatabase(validationSchema, { DATABASE_URL: suite.database_url, DATABASE_POOL_SIZE: 1 });
  const [row] = await database.query<object[]>(
    `SELECT (SELECT count(*)::int FROM validation.uploads) AS uploads,
            (SELECT count(*)::int FROM validation.data_set_pieces WHERE upload_id NOT IN (SELECT upload_id FROM validation.data_sets)) AS pieces`,
  );
  await database.destroy();
  return row;
};

describe('a data set', () => {
  it('is uploaded in pieces, has the sha256 of its content for an id, and is the same one when it comes again', async () => {
    const lines = Array.from({ length: 60_000 }, (_, index) => `${index},"${'x'.repeat(20)}\n${index}",${index % 2 === 0}`);
    const text = `id,note,out\n${lines.join('\n')}\n`;
    const first = await upload(text, csvType, { query: '?name=Pitches', chunked: true });
    expect(first).toEqual({
      data_set_id: createHash('sha256').update(text).digest('hex'),
      ...{ name: 'Pitches', format: 'csv', rows: 60_000, bytes: Buffer.byteLength(text), columns: ['id', 'note', 'out'] },
      ...{ created_at: expect.any(String) as string, created_by: expect.any(String) as string },
    });
    expect(first.bytes).toBeGreaterThan(2_000_000);
    expect(await upload(text, csvType, { query: '?name=Another' })).toEqual(first);
    expect(await api.data(`/validation/datasets/${first.data_set_id}`)).toEqual(first);
    expect(await api.data<DataSet[]>('/validation/datasets')).toContainEqual(first);
    expect(await leftovers()).toEqual({ uploads: 0, pieces: 0 });
  });

  it('is the same one when it is uploaded twice at once', async () => {
    const text = `{"a":"${randomBytes(8).toString('hex')}"}\n`.repeat(5);
    const [one, other] = await Promise.all([upload(text, ndjsonType), upload(text, ndjsonType)]);
    expect(one).toEqual(other);
    expect(one).toMatchObject({ rows: 5, columns: ['a'], format: 'ndjson' });
    expect(await leftovers()).toEqual({ uploads: 0, pieces: 0 });
  });

  it('is refused with the row that is wrong, wherever it stands, and nothing is left of it', async () => {
    const many = `{"a":1}\n`.repeat(150_000);
    const attempts: [string | Buffer, string, string][] = [
      [`${many}{"a":\n`, ndjsonType, 'row 150001'],
      ['[1]\n', ndjsonType, 'row 1'],
      [`{"a":"${'x'.repeat(300_000)}"}`, ndjsonType, 'row 1'],
      ['', ndjsonType, '(body)'],
      ['\n\n', ndjsonType, '(body)'],
      ['a,b\n1,2\n3\n', csvType, 'row 2'],
      ['a,b\n', csvType, '(body)'],
      ['a,a\n1,2\n', csvType, 'header'],
      [`a\n"${'x'.repeat(600_000)}`, csvType, 'row 1'],
      [Buffer.from([0x61, 0x0a, 0xff]), csvType, 'row 1'],
    ];
    for (const [body, type, field] of attempts) {
      for (const chunked of [false, true])
        expect([type, await refusal(body, type, { chunked })]).toEqual([type, { code: 'INVALID_INPUT', fields: [field] }]);
    }
    expect(await leftovers()).toEqual({ uploads: 0, pieces: 0 });
  });

  it('is refused when it is too large, announced or not, or has too many rows', async () => {
    const tooLarge = Buffer.alloc(50_000_001, '{"a":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}\n');
    expect(await refusal(tooLarge, ndjsonType)).toMatchObject({ code: 'REQUEST_TOO_LARGE' });
    expect(await refusal(tooLarge, ndjsonType, { chunked: true })).toMatchObject({ code: 'REQUEST_TOO_LARGE' });
    expect(await refusal(`{}\n`.repeat(1_000_001), ndjsonType)).toMatchObject({ code: 'REQUEST_TOO_LARGE' });
    expect(await leftovers()).toEqual({ uploads: 0, pieces: 0 });
  }, 60_000);

  it('is NDJSON or CSV in UTF-8, and nothing else', async () => {
    const unsupported = { code: 'UNSUPPORTED_MEDIA_TYPE', fields: [] };
    expect(await refusal('{}', 'application/json')).toEqual(unsupported);
    expect(await refusal('{}', 'text/plain')).toEqual(unsupported);
    expect(await refusal('', null)).toEqual(unsupported);
    expect(await refusal('a\n1', `${csvType}; charset=latin1`)).toEqual(unsupported);
    expect(await refusal('a\n1', csvType, { headers: { 'content-encoding': 'gzip' } })).toEqual(unsupported);
    expect(await refusal('a\n1', csvType, { query: '?name=%00' })).toEqual({ code: 'INVALID_INPUT', fields: ['name'] });
    expect(await refusal('a\n1', csvType, { query: '?nome=x' })).toEqual({ code: 'INVALID_INPUT', fields: ['nome'] });
    for (const path of ['/validation/cases', '/inference/batch'])
      expect(await api.failure(path, { method: 'POST', body: 'a\n1', headers: { 'content-type': csvType } })).toMatchObject({
        code: 'UNSUPPORTED_MEDIA_TYPE',
      });
  });

  it('leaves nothing behind when its upload is cut off', async () => {
    const url = `${api.url}/validation/datasets`;
    const headers = { authorization: `Bearer ${suite.admin_key}`, 'content-type': csvType, 'content-length': 10_000_000 };
    const sent = request(url, { method: 'POST', headers });
    sent.on('error', () => undefined);
    sent.write(`a\n${'1\n'.repeat(500_000)}`);
    await new Promise((resolve) => setTimeout(resolve, 300));
    sent.destroy();
    await eventually(leftovers, (seen) => JSON.stringify(seen) === '{"uploads":0,"pieces":0}', 10_000);
  });

  it('is removed only while no test case uses it', async () => {
    const { data_set_id } = await upload('x,y\n1,2\n');
    const data = { data_set_id, label_path: '$.y', prediction_path: '$', metrics: ['mae'] };
    const body = { test_case_id: 'uses_data', type: 'regression', applies_to: { name: 'nobody' }, input: { $from: 'row' }, data };
    await api.data('/validation/cases', { method: 'POST', body });
    const remove = { method: 'DELETE' };
    const inUse = await api.failure(`/validation/datasets/${data_set_id}`, remove);
    expect(inUse).toMatchObject({ status: 409, code: 'DATA_SET_IN_USE', details: { test_case_ids: ['uses_data'] } });
    await api.data('/validation/cases/uses_data', remove);
    const stranger = await suite.withRole('editor', { sports: ['NBA'] });
    expect(await stranger.failure(`/validation/datasets/${data_set_id}`, remove)).toMatchObject({ code: 'OUT_OF_SCOPE' });
    await api.data(`/validation/datasets/${data_set_id}`, remove);
    expect(await api.failure(`/validation/datasets/${data_set_id}`)).toMatchObject({ status: 404, code: 'DATA_SET_NOT_FOUND' });
    const { details, code } = await api.failure('/validation/cases', { method: 'POST', body });
    expect([code, (details!.fields as { field: string }[])[0]?.field]).toEqual(['INVALID_INPUT', 'data.data_set_id']);
    expect(await leftovers()).toEqual({ uploads: 0, pieces: 0 });
  });
});

describe('a regression case', () => {
  let model: Server;

  beforeAll(async () => {
    model = createServer((asked, response) => {
      void (async () => {
        let text = '';
        for await (const chunk of asked) text += String(chunk);
        const { x } = JSON.parse(text) as { x: number };
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ over: x > 5, p: x / 1_000 }));
      })();
    });
    await new Promise<void>((resolve) => model.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => new Promise((resolve) => model.close(resolve)));

  it('asks a model about the rows of a data set and keeps what each came to', async () => {
    const rows = Array.from({ length: 500 }, (_, x) => `${x},${x > 7}`);
    const { data_set_id } = await upload(`x,over\r\n${rows.join('\r\n')}`);
    const url = `http://127.0.0.1:${(model.address() as AddressInfo).port}`;
    const { model_id } = await api.register({ serving: { protocol: 'http_json', url } });
    const data = {
      data_set_id,
      label_path: '$.over',
      prediction_path: '$.over',
      score_path: '$.p',
      metrics: ['accuracy', 'brier'],
      max_rows: 100,
    };
    const input = { x: { $from: 'row', path: '$.x' } };
    const body = { test_case_id: 'regressing_rows', type: 'regression', applies_to: { model_id }, input, data };
    await api.data('/validation/cases', { method: 'POST', body });
    const result = await api.data<RunResult>('/validation/run', { method: 'POST', body: { model_id, test_case_ids: [body.test_case_id] } });
    expect(result).toMatchObject({ status: 'passed', total_tests: 1 });
    const run = await api.data<Run>(`/validation/runs/${result.run_id}`);
    expect(run.results[0]).toMatchObject({ outcome: 'passed', rows_judged: { data_set_id, rows: 100, errors: 0, error_codes: {} } });

    const database = await openDatabase(validationSchema, { DATABASE_URL: suite.database_url, DATABASE_POOL_SIZE: 1 });
    const kept = await new RowOutcomesStore(database).of(result.run_id, 'regressing_rows');
    await database.destroy();
    expect(kept?.data_set_id).toBe(data_set_id);
    // Every fifth row.
    expect(kept?.outcomes).toEqual(
      Array.from({ length: 100 }, (_, index) => ({
        row: index * 5 + 1,
        label: index * 5 > 7,
        prediction: index * 5 > 5,
        score: (index * 5) / 1_000,
      })),
    );
  });
});

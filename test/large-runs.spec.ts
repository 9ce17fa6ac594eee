import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import pg from 'pg';
import { type CaseResult } from '#contracts/case-result.js';
import { type Model } from '#contracts/registry.js';
import { type Run, type RunResult } from '#contracts/validation.js';
import { type Api, type ReachableSuite } from './api.harness.js';
import { storySuite } from './story-suite.harness.js';

let suite: ReachableSuite;
let api: Api;
let server: Server;

beforeAll(async () => {
  suite = await storySuite();
  api = suite.api;
  // A talkative model: every result of a failed check shows a part of this.
  server = createServer((_, response) => response.end(JSON.stringify({ text: 'x'.repeat(5_000) })));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

const served = (): Promise<Model> => {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return api.register({ serving: { protocol: 'http_json', url } });
};

describe('a run whose results are larger than a message', () => {
  it('is answered in time, shows what fits, and the rest page by page', async () => {
    const { model_id } = await served();
    const expectations = Array.from({ length: 50 }, () => ({ path: '$.text', op: 'equals', value: 'y' }));
    const ids = Array.from({ length: 30 }, (_, index) => `large_${model_id}_${index}`);
    const addCase = (test_case_id: string): Promise<unknown> =>
      api.data('/validation/cases', { method: 'POST', body: { test_case_id, applies_to: { model_id }, input: {}, expectations } });
    await Promise.all(ids.map(addCase));
    const began = performance.now();
    const body = { model_id, test_case_ids: ids };
    const { run_id, ...counts } = await api.data<RunResult>('/validation/run', { method: 'POST', body });
    expect(performance.now() - began).toBeLessThan(5_000);
    expect(counts).toMatchObject({ status: 'failed', total_tests: 30, failed_tests: 30 });

    const run = await api.data<Run>(`/validation/runs/${run_id}`);
    expect(run.results.length).toBeLessThan(30);
    const seen = [...run.results];
    let cursor = run.results_next_cursor;
    while (cursor !== null) {
      const { data, page } = await api.envelope<CaseResult[]>(`/validation/runs/${run_id}/results?cursor=${cursor}`);
      seen.push(...data);
      cursor = page?.next_cursor ?? null;
    }
    expect(seen.map(({ test_case_id }) => test_case_id)).toEqual(ids);
    expect(Buffer.byteLength(JSON.stringify(seen))).toBeGreaterThan(1_048_576);
    const [last] = await api.data<CaseResult[]>(`/validation/runs/${run_id}/results?limit=1`);
    expect(last).toEqual(seen[0]);
  });

  it('and results are those of a model in the key’s scope', async () => {
    const narrow = await suite.withRole('viewer', { sports: ['NBA'] });
    const { model_id } = await served();
    await api.data('/validation/cases', {
      method: 'POST',
      body: { test_case_id: `foreign_${model_id}`, applies_to: { model_id }, input: {}, expectations: [{ op: 'exists', value: true }] },
    });
    const body = { model_id, test_case_ids: [`foreign_${model_id}`] };
    const { run_id } = await api.data<RunResult>('/validation/run', { method: 'POST', body });
    expect(await narrow.failure(`/validation/runs/${run_id}/results`)).toMatchObject({ status: 404, code: 'RUN_NOT_FOUND' });
    expect(await api.failure(`/validation/runs/${run_id}/results?cursor=x`)).toMatchObject({ status: 400, code: 'INVALID_INPUT' });
  });
});

it('more cases than one run judges are refused, and none is left out in silence', async () => {
  const { model_id } = await served();
  const database = new pg.Client({ connectionString: suite.database_url });
  await database.connect();
  await database.query(
    `INSERT INTO validation.test_cases
       (test_case_id, type, description, applies_to, input, expectations, steps, created_at, updated_at, created_by, revision)
     SELECT $1 || '_' || n, 'unit', '', jsonb_build_object('model_id', $1::text), '{}', '[{"op": "exists", "value": true}]', '[]', now(), now(), 'test', 1
     FROM generate_series(1, 10001) n`,
    [model_id],
  );
  const refused = await api.failure('/validation/run', { method: 'POST', body: { model_id } });
  await database.query(`DELETE FROM validation.test_cases WHERE applies_to->>'model_id' = $1`, [model_id]);
  await database.end();
  expect(refused).toMatchObject({ status: 400, code: 'INVALID_INPUT', details: { fields: [{ field: 'test_case_ids' }] } });
});

import { readFileSync } from 'node:fs';
import { statusOfCode } from '#contracts/errors.js';
import { type Model } from '#contracts/registry.js';
import { startModelServer } from '../examples/model-server/server.mjs';
import { type Api, eventually, type ReachableSuite } from './api.harness.js';
import { storySuite } from './story-suite.harness.js';

const original = readFileSync('test/fixtures/api-document.md', 'utf8');
const documented = readFileSync('docs/api.md', 'utf8');

interface Sample {
  endpoint: string;
  json: unknown;
}

/** The response sample under each `#### METHOD path` heading: the last JSON block of its section. */
function responseSamples(text: string): Sample[] {
  return text
    .split(/^#### /m)
    .slice(1)
    .map((section) => {
      const blocks = [...(section.split(/^#{1,3} /m)[0] ?? '').matchAll(/```json\n([\s\S]*?)```/g)];
      return { endpoint: section.split('\n')[0] ?? '', json: JSON.parse(blocks.at(-1)?.[1] ?? 'null') as unknown };
    });
}

/** Where a live value lacks something that the sample has, or has it of another type. Items of lists are compared with the sample's first. */
function differences(sample: unknown, live: unknown, path = '$'): string[] {
  if (Array.isArray(sample))
    return Array.isArray(live) ? live.flatMap((item, index) => differences(sample[0], item, `${path}[${index}]`)) : [`${path}: no list`];
  if (typeof sample !== 'object' || sample === null) {
    return typeof live === typeof sample || (live === null && path.endsWith('feature_flag_id'))
      ? []
      : [`${path}: ${typeof live}, not ${typeof sample}`];
  }
  if (typeof live !== 'object' || live === null) return [`${path}: ${String(live)}, not an object`];
  // The keys of error_types are data.
  if (path.endsWith('error_types')) return Object.values(live).every((count) => Number.isInteger(count)) ? [] : [`${path}: not counts`];
  return Object.entries(sample).flatMap(([key, value]) =>
    key in live ? differences(value, (live as Record<string, unknown>)[key], `${path}.${key}`) : [`${path}.${key}: missing`],
  );
}

describe('docs/api.md', () => {
  it('still has every line of the API document', () => {
    const lines = new Set(documented.split('\n'));
    expect(original.split('\n').filter((line) => !lines.has(line))).toEqual([]);
    expect(documented.startsWith(original.trimEnd())).toBe(true);
  });

  it('has every error code with its status, and no other', () => {
    const rows = [...documented.matchAll(/^\| `([A-Z_]+)` \| (\d{3}) \|/gm)].map(([, code, status]) => [code, Number(status)]);
    expect(Object.fromEntries(rows)).toEqual(statusOfCode);
  });
});

const queries: Record<string, string> = {
  '/registry/{model_id}/inference': '?timing_ms=5',
  // Others' models, which this suite may have too, need not have a sport.
  '/registry': '?sport=MLB',
};

describe('the live answers', () => {
  let suite: ReachableSuite;
  let api: Api;
  let model: Model;
  let server: Awaited<ReturnType<typeof startModelServer>>;

  beforeAll(async () => {
    [suite, server] = await Promise.all([storySuite(), startModelServer({ port: 0 })]);
    api = suite.api;
    model = await api.registerAs('stable', { serving: { protocol: 'oip_v2', url: server.url, model_name: 'mlb-props' } });
    for (const test_case_id of ['mlb_basic_prediction', 'mlb_edge_case_prediction']) {
      const input = [{ name: 'features', datatype: 'FP64', shape: [1, 5], data: [1.4, 1.6, 1.0, 22, 1] }];
      await api.data('/validation/cases', {
        method: 'POST',
        body: { test_case_id, input, expectations: [{ path: '$.outputs', op: 'length', min: 1 }] },
      });
    }
    for (const query of ['timing_ms=120.5', 'timing_ms=90.25&success=false&error=timed%20out']) {
      await api.data(`/registry/${model.model_id}/inference?${query}`, { method: 'POST' });
    }
    await eventually(
      () => api.data<{ total_inferences: number }>(`/registry/${model.model_id}/metrics`),
      ({ total_inferences }) => total_inferences === 2,
    );
  });
  afterAll(async () => {
    await server.close();
  });

  const samples = responseSamples(original);

  it('are compared with every sample of the document', () => {
    expect(samples).toHaveLength(10);
    expect(samples.every(({ json }) => json !== null)).toBe(true);
  });

  it.each(samples)('have every field of the sample of $endpoint, of its type', async ({ endpoint, json }) => {
    const [, method = '', path = ''] = /^(\w+) `\/api\/models\/enterprise(.*)`/.exec(endpoint) ?? [];
    if (path.endsWith('history/{model_id}')) await api.data('/validation/run', { method: 'POST', body: { model_id: model.model_id } });
    const query = queries[path] ?? '';
    const body = path.endsWith('/run')
      ? { model_id: model.model_id, test_case_ids: ['mlb_basic_prediction', 'mlb_edge_case_prediction'] }
      : undefined;
    const answer = await api.send(path.replace('{model_id}', model.model_id) + query, { method, body });
    expect(answer.status).toBe(200);
    expect(differences(json, answer.body)).toEqual([]);
  });

  it('have the document’s error for an unknown model, to the letter', async () => {
    const { status, body } = await api.send('/registry/mlb_model_invalid');
    expect(status).toBe(404);
    expect(body).toEqual(JSON.parse(/## Error Response Format\s+```json\n([\s\S]*?)```/.exec(original)?.[1] ?? ''));
  });
});

import { readFileSync, writeFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { type ReachableSuite } from './api.harness.js';
import { storySuite } from './story-suite.harness.js';

interface Operation {
  operationId: string;
  security?: object[];
  responses: Record<string, { content?: { 'application/json'?: { schema: object } } }>;
}

interface Description {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, object> };
}

const file = 'docs/openapi.json';
let suite: ReachableSuite;
let live: Description;

beforeAll(async () => {
  suite = await storySuite();
  live = (await (await fetch(`${suite.root}/openapi.json`)).json()) as Description;
});

const operations = (): Operation[] => Object.values(live.paths).flatMap((methods) => Object.values(methods));

describe('the OpenAPI description', () => {
  it('is the one checked in', () => {
    if (process.env.UPDATE_OPENAPI) writeFileSync(file, `${JSON.stringify(live, null, 2)}\n`);
    // Not current? Type: UPDATE_OPENAPI=1 npm test -- test/openapi.spec.ts
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(live);
  });

  it('resolves every reference, names every operation once and guards it with a key', () => {
    const references = [...JSON.stringify(live).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name!);
    expect(references.filter((name) => !live.components.schemas[name])).toEqual([]);
    const ids = operations().map(({ operationId }) => operationId);
    expect(ids.length).toBeGreaterThan(30);
    expect(new Set(ids).size).toBe(ids.length);
    expect(operations().filter(({ security }) => !security?.length)).toEqual([]);
  });

  it('fits what is answered, in success and failure', async () => {
    const ajv = new Ajv2020({ strict: false, allErrors: true });
    (addFormats as unknown as (ajv: Ajv2020) => void)(ajv);
    ajv.addSchema(live, 'api');
    const { api } = suite;
    const { model_id } = await api.registerAs('stable');
    await api.data('/flags', {
      method: 'POST',
      body: { flag_key: 'described', variants: { on: true, off: false }, default_variant: 'off' },
    });
    await api.data('/validation/cases', {
      method: 'POST',
      body: { test_case_id: 'described', input: {}, expectations: [{ op: 'exists', value: true }] },
    });
    const requests: [string, string, object?][] = [
      ['get', '/registry'],
      ['get', '/registry/{model_id}'],
      ['get', '/registry/{model_id}/metrics'],
      ['get', '/registry/{model_id}/health'],
      ['get', '/registry/{model_id}/history'],
      ['get', '/types'],
      ['get', '/validation/cases'],
      ['get', '/validation/history/{model_id}'],
      ['get', '/validation/regression-report/{model_id}'],
      ['get', '/flags'],
      ['post', '/flags/{flag_key}/evaluate', { targeting_key: 'u' }],
      ['get', '/keys'],
      ['get', '/audit'],
      ['post', '/registry', {}],
      ['patch', '/registry/{model_id}', { unknown: 1 }],
      ['post', '/registry/{model_id}/status', { to: 'development', reason: 'no' }],
    ];
    for (const [method, path, body] of requests) {
      const answer = await api.send(path.replace('{model_id}', model_id).replace('{flag_key}', 'described'), {
        method: method.toUpperCase(),
        body,
      });
      const pointer = [
        '',
        'paths',
        `/api/models/enterprise${path}`,
        method,
        'responses',
        String(answer.status),
        'content',
        'application/json',
        'schema',
      ];
      const validate = ajv.getSchema(
        `api#${pointer
          .map((part) => part.replace(/~/g, '~0').replace(/\//g, '~1'))
          .map(encodeURIComponent)
          .join('/')}`,
      );
      expect(validate?.(answer.body)).toBe(true);
    }
  });
});

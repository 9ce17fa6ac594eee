import { type AuditEntry } from '#contracts/audit.js';
import { type Model } from '#contracts/registry.js';
import { type Api, type ReachableSuite } from './api.harness.js';
import { storySuite } from './story-suite.harness.js';

let suite: ReachableSuite;
let api: Api;

beforeAll(async () => {
  suite = await storySuite();
  api = suite.api;
});

describe('registering a model', () => {
  it('answers with every field of the document and starts it in development', async () => {
    const model = await api.register({ name: 'MLB Transformer v2.1', version: '2.1.0', description: 'Prop prediction', sport: 'MLB' });
    expect(model).toEqual({
      model_id: expect.stringMatching(/^mlb_model_[0-9a-f]{8}$/) as string,
      name: 'MLB Transformer v2.1',
      version: '2.1.0',
      model_type: 'transformer',
      status: 'development',
      description: 'Prop prediction',
      sport: 'MLB',
      created_at: expect.stringMatching(/^\d{4}-\d{2}-\d{2}T.*Z$/) as string,
      updated_at: model.created_at,
      created_by: 'bootstrap',
      deployment_target: 'production',
      feature_flag_id: null,
      rollout_percentage: 0,
      retention_days: 90,
      serving: null,
      objectives: null,
      retired_at: null,
      rollout_id: null,
      revision: 1,
    });
    expect(await api.data(`/registry/${model.model_id}`)).toEqual(model);
  });

  it('takes objectives, whole or in part, changes and clears them, and refuses one that allows no failure', async () => {
    const model = await api.register({ objectives: { success_rate: 99.5, p95_ms: 300 } });
    expect(model.objectives).toEqual({ success_rate: 99.5, p95_ms: 300, p99_ms: null });
    const change = (objectives: unknown) => ({ method: 'PATCH', body: { objectives } });
    const path = `/registry/${model.model_id}`;
    expect(await api.data(path, change({ p99_ms: 900 }))).toMatchObject({ objectives: { success_rate: null, p95_ms: null, p99_ms: 900 } });
    expect(await api.data(path, { method: 'PATCH', body: { description: 'else' } })).toMatchObject({ objectives: { p99_ms: 900 } });
    expect(await api.data(path, change(null))).toMatchObject({ objectives: null });
    expect(await api.failure(path, change({ success_rate: 100 }))).toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('names a model without a sport model_ and eight hex digits', async () => {
    expect((await api.register({ sport: null })).model_id).toMatch(/^model_[0-9a-f]{8}$/);
  });

  it('refuses a name and version that are registered, and says under which id', async () => {
    const { model_id, name } = await api.register();
    const body = { name, version: '1.0.0', model_type: 'ensemble' };
    expect(await api.failure('/registry', { method: 'POST', body })).toMatchObject({
      status: 409,
      code: 'MODEL_EXISTS',
      details: { model_id },
    });
  });

  it('lets one of many that register the same version at once win', async () => {
    const body = { name: 'Raced', version: '1.0.0', model_type: 'ensemble' };
    const answers = await Promise.all(Array.from({ length: 8 }, () => api.send('/registry', { method: 'POST', body })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409, 409, 409, 409, 409]);
  });
});

describe('a retired model', () => {
  it('has lost its share of traffic', async () => {
    const { model_id } = await api.registerAs('canary', { rollout_percentage: 25 });
    expect(await api.move(model_id, 'retired')).toMatchObject({ status: 'retired', rollout_percentage: 0 });
  });

  it('cannot be given a share of traffic', async () => {
    const { model_id } = await api.registerAs('retired');
    const change = (rollout_percentage: number) => ({ method: 'PATCH', body: { rollout_percentage } });
    expect(await api.failure(`/registry/${model_id}`, change(5))).toMatchObject({ status: 409, code: 'MODEL_RETIRED' });
    expect((await api.send(`/registry/${model_id}`, change(0))).status).toBe(200);
  });
});

describe('listing models', () => {
  it('filters by status, type and sport together', async () => {
    const wanted = await api.registerAs('canary', { sport: 'WNBA', model_type: 'ensemble' });
    await api.registerAs('development', { sport: 'WNBA', model_type: 'ensemble' });
    await api.registerAs('canary', { sport: 'WNBA', model_type: 'traditional_ml' });
    const found = await api.data<Model[]>('/registry?status=canary&model_type=ensemble&sport=WNBA');
    expect(found.map(({ model_id }) => model_id)).toEqual([wanted.model_id]);
  });

  it('walks through all pages without losing or repeating one, in every order', async () => {
    for (let index = 0; index < 7; index++) await api.register({ name: `Walked ${index}`, sport: 'NHL' });
    for (const order_by of ['created_at', '-created_at', 'name', '-name', 'updated_at', '-updated_at']) {
      const seen: string[] = [];
      let cursor: string | null = '';
      while (cursor !== null) {
        const query: string = `/registry?sport=NHL&q=walked&limit=3&order_by=${order_by}${cursor && `&cursor=${cursor}`}`;
        const { data, page }: { data: Model[]; page?: { next_cursor: string | null } } = await api.envelope<Model[]>(query);
        expect(data.length).toBeLessThanOrEqual(3);
        seen.push(...data.map(({ model_id }) => model_id));
        cursor = page?.next_cursor ?? null;
      }
      expect(new Set(seen).size).toBe(7);
      expect(seen).toHaveLength(7);
    }
  });

  it('finds by a part of name or description, taking % and _ as they are', async () => {
    const { model_id } = await api.register({ description: 'exactly 99%_sure' });
    await api.register({ description: 'exactly 99 percent sure' });
    const found = await api.data<Model[]>(`/registry?q=${encodeURIComponent('99%_SURE')}`);
    expect(found.map((model) => model.model_id)).toEqual([model_id]);
  });
});

describe('changing a model', () => {
  it('changes what was given, counts the revision up and keeps the rest', async () => {
    const model = await api.register({ description: 'old' });
    const body = { description: 'new', retention_days: 30, feature_flag_id: 'flag_a' };
    const changed = await api.data<Model>(`/registry/${model.model_id}`, { method: 'PATCH', body });
    expect(changed).toEqual({ ...model, ...body, revision: 2, updated_at: changed.updated_at });
  });

  it('refuses a change that is based on an old revision and leaves the model as it is', async () => {
    const { model_id } = await api.register();
    const first = await api.send(`/registry/${model_id}`);
    expect(first.headers.get('etag')).toBe('"1"');
    const patch = (description: string) =>
      api.send(`/registry/${model_id}`, { method: 'PATCH', body: { description }, headers: { 'if-match': '"1"' } });
    expect((await patch('one')).status).toBe(200);
    expect((await patch('two')).status).toBe(412);
    expect(await api.data(`/registry/${model_id}`)).toMatchObject({ description: 'one', revision: 2 });
  });

  it('answers 304 to whoever has the present revision', async () => {
    const { model_id } = await api.register();
    expect((await api.send(`/registry/${model_id}`, { headers: { 'if-none-match': '"1"' } })).status).toBe(304);
  });

  it('leaves the share of traffic to releasers', async () => {
    const { model_id } = await api.register();
    const editor = await suite.withRole('editor');
    const patch = { method: 'PATCH', body: { rollout_percentage: 10 } };
    expect(await editor.failure(`/registry/${model_id}`, patch)).toMatchObject({ status: 403, code: 'ROLE_TOO_SMALL' });
    const releaser = await suite.withRole('releaser');
    expect(await releaser.data(`/registry/${model_id}`, patch)).toMatchObject({ rollout_percentage: 10 });
  });
});

describe('moving a model to another status', () => {
  it('goes from registered to retired by the workflow', async () => {
    const { model_id } = await api.register();
    for (const to of ['canary', 'stable', 'deprecated', 'retired']) expect(await api.move(model_id, to)).toMatchObject({ status: to });
    expect((await api.data<Model>(`/registry/${model_id}`)).retired_at).not.toBeNull();
  });

  it('refuses what the workflow does not have, naming what it has', async () => {
    const { model_id } = await api.register();
    const to = { method: 'POST', body: { to: 'stable', reason: 'too early' } };
    expect(await api.failure(`/registry/${model_id}/status`, to)).toMatchObject({
      status: 409,
      code: 'STATUS_CHANGE_NOT_ALLOWED',
      details: { from: 'development', to: 'stable', allowed: ['canary', 'retired'] },
    });
    expect(await api.data(`/registry/${model_id}`)).toMatchObject({ status: 'development', revision: 1 });
  });

  it('deprecates the stable version when another of its name becomes stable', async () => {
    const first = await api.registerAs('stable', { name: 'Replaced', version: '1.0.0' });
    const second = await api.registerAs('stable', { name: 'Replaced', version: '2.0.0' });
    expect(await api.data(`/registry/${first.model_id}`)).toMatchObject({ status: 'deprecated' });
    expect(await api.data(`/registry/${second.model_id}`)).toMatchObject({ status: 'stable' });
    const [entry] = await api.data<AuditEntry[]>(`/registry/${first.model_id}/history`);
    expect(entry).toMatchObject({ action: 'model.status_changed', before: { status: 'stable' }, after: { status: 'deprecated' } });
  });

  it('lets one of many promotions of the same version win', async () => {
    const { model_id } = await api.registerAs('canary');
    const to = { method: 'POST', body: { to: 'stable', reason: 'a race without evidence', override: true } };
    const answers = await Promise.all(Array.from({ length: 6 }, () => api.send(`/registry/${model_id}/status`, to)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409, 409, 409]);
  });

  it('never has two stable versions of a name, however promotions race', async () => {
    const name = 'Raced to stable';
    const versions = await Promise.all(['1.0.0', '2.0.0', '3.0.0', '4.0.0'].map((version) => api.registerAs('canary', { name, version })));
    const to = { method: 'POST', body: { to: 'stable', reason: 'a race without evidence', override: true } };
    const answers = await Promise.all(versions.map(({ model_id }) => api.send(`/registry/${model_id}/status`, to)));
    expect(answers.every(({ status }) => status === 200 || status === 409)).toBe(true);
    const stable = await api.data<Model[]>(`/registry?status=stable&q=${encodeURIComponent(name)}`);
    expect(stable).toHaveLength(1);
    const promoted = answers.filter(({ status }) => status === 200).length;
    const deprecated = await api.data<Model[]>(`/registry?status=deprecated&q=${encodeURIComponent(name)}`);
    expect(deprecated).toHaveLength(promoted - 1);
  });
});

describe('the audit', () => {
  it('says who changed what, when, why, in which request, before and after', async () => {
    const { model_id } = await api.register();
    await api.send(`/registry/${model_id}/status`, {
      method: 'POST',
      body: { to: 'canary', reason: 'looks good to all of us', override: true },
      headers: { 'x-request-id': 'audit-me-1' },
    });
    const [entry] = await api.data<AuditEntry[]>(`/audit?subject_id=${model_id}`);
    expect(entry).toMatchObject({
      actor: 'bootstrap',
      request_id: 'audit-me-1',
      action: 'model.status_changed',
      subject_type: 'model',
      subject_id: model_id,
      reason: 'looks good to all of us',
      before: { status: 'development', revision: 1 },
      after: { status: 'canary', revision: 2 },
    });
    expect(await api.data(`/registry/${model_id}/history`)).toEqual(await api.data(`/audit?subject_id=${model_id}`));
  });

  it('merges the changes of all services, newest first, page by page', async () => {
    const { model_id } = await api.register();
    await api.data('/flags', {
      method: 'POST',
      body: { flag_key: 'audited', variants: { on: true, off: false }, default_variant: 'off', variant_models: { on: model_id } },
    });
    await api.data('/validation/cases', {
      method: 'POST',
      body: { test_case_id: 'audited', input: {}, expectations: [{ op: 'exists', value: true }] },
    });
    const seen: AuditEntry[] = [];
    // Other files change things of the same suite meanwhile.
    const ours = (): AuditEntry[] => seen.filter(({ subject_id }) => subject_id === model_id || subject_id === 'audited');
    let cursor: string | null = '';
    while (cursor !== null && (seen.length < 9 || ours().length < 3)) {
      const { data, page }: { data: AuditEntry[]; page?: { next_cursor: string | null } } = await api.envelope<AuditEntry[]>(
        `/audit?limit=3${cursor && `&cursor=${cursor}`}`,
      );
      seen.push(...data);
      cursor = page?.next_cursor ?? null;
    }
    expect(ours().map(({ action }) => action)).toEqual(['test_case.created', 'flag.created', 'model.registered']);
    const ids = seen.map(({ audit_id }) => audit_id);
    expect(ids).toEqual([...ids].sort().reverse());
    expect(new Set(ids).size).toBe(ids.length);
  });
});

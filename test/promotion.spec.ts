import pg from 'pg';
import { type AuditEntry } from '#contracts/audit.js';
import { type GateRequirement, type ModelTransitions, type PromotionPolicy } from '#contracts/promotion.js';
import { type Model } from '#contracts/registry.js';
import { type RunResult } from '#contracts/validation.js';
import { startModelServer } from '../examples/model-server/server.mjs';
import { type Api, type ReachableSuite } from './api.harness.js';
import { storySuite } from './story-suite.harness.js';

let suite: ReachableSuite;
let api: Api;
let server: Awaited<ReturnType<typeof startModelServer>>;
let database: pg.Client;

beforeAll(async () => {
  [suite, server] = await Promise.all([storySuite(), startModelServer({ port: 0 })]);
  api = suite.api;
  database = new pg.Client({ connectionString: suite.database_url });
  await database.connect();
});
afterAll(async () => {
  await database.end();
  await server.close();
});

const input = [{ name: 'features', datatype: 'FP64', shape: [1, 5], data: [1.4, 1.6, 1.0, 22, 1] }];

/** A served model with one case of its own, which passes unless `holds` is false. */
async function served(model: { name?: string; version?: string; sport?: string } = {}, holds = true): Promise<Model> {
  const known = await api.register({ ...model, serving: { protocol: 'oip_v2', url: server.url, model_name: 'mlb-props' } });
  const expectations = [{ path: '$.outputs[0].data[0]', op: 'range', ...(holds ? { min: 0, max: 1 } : { min: 2, max: 3 }) }];
  const { model_id } = known;
  await api.data('/validation/cases', {
    method: 'POST',
    body: { test_case_id: `gate_${model_id}`, applies_to: { model_id }, input, expectations },
  });
  return known;
}

/** Its own case alone: others have made cases for every model. */
const run = ({ model_id }: Model): Promise<RunResult> =>
  api.data('/validation/run', { method: 'POST', body: { model_id, test_case_ids: [`gate_${model_id}`] } });

const to = (status: string, more: object = {}): { method: string; body: object } => ({
  method: 'POST',
  body: { to: status, reason: 'validated', ...more },
});

/** The requirements that a refused promotion names, by name. */
async function refused(model: Model, status: string, by: Api = api): Promise<Record<string, GateRequirement>> {
  const failure = await by.failure(`/registry/${model.model_id}/status`, to(status));
  expect(failure).toMatchObject({ status: 422, code: 'GATE_NOT_PASSED' });
  expect(failure.details?.accepted).toContain(`POST /validation/run {"model_id": "${model.model_id}"}`);
  const requirements = failure.details?.requirements as GateRequirement[];
  return Object.fromEntries(requirements.map((requirement) => [requirement.requirement, requirement]));
}

const transitions = (model: Model, by: Api = api): Promise<ModelTransitions> => by.data(`/registry/${model.model_id}/transitions`);

const promote = (model: Model, status: string, by: Api = api): Promise<Model> => by.data(`/registry/${model.model_id}/status`, to(status));

const changeRun = (run_id: string, change: string): Promise<unknown> =>
  database.query(`UPDATE validation.runs SET ${change} WHERE run_id = $1`, [run_id]);

describe('a promotion', () => {
  it('to canary is refused without a run, says so before, and passes with one', async () => {
    const model = await served();
    const { model_id } = model;
    const before = await transitions(model);
    expect(before).toMatchObject({ model_id, status: 'development', model_revision: 1 });
    expect(before.transitions).toEqual([
      {
        to: 'canary',
        allowed: false,
        requirements: [{ requirement: 'passed_run', met: false, reason: 'no run of this version has finished', run_id: null }],
      },
      { to: 'retired', allowed: true, requirements: [] },
    ]);
    expect(await refused(model, 'canary')).toEqual({ passed_run: before.transitions[0]!.requirements[0] });
    expect(await api.data(`/registry/${model_id}`)).toMatchObject({ status: 'development', revision: 1 });

    const { run_id } = await run(model);
    const [canary] = (await transitions(model)).transitions;
    expect(canary).toMatchObject({ to: 'canary', allowed: true, requirements: [{ requirement: 'passed_run', met: true, run_id }] });
    expect(await promote(model, 'canary')).toMatchObject({ status: 'canary' });
    expect(await promote(model, 'stable')).toMatchObject({ status: 'stable' });
    const history = await api.data<AuditEntry[]>(`/registry/${model_id}/history`);
    expect(history.map(({ action }) => action)).toEqual(['model.status_changed', 'model.status_changed', 'model.registered']);
  });

  it('is not let through by the run of another version', async () => {
    const name = `Gated ${Date.now()}`;
    const [first, second] = [await served({ name, version: '1.0.0' }), await served({ name, version: '1.1.0' })];
    await run(first);
    expect(Object.keys(await refused(second, 'canary'))).toEqual(['passed_run']);
    await promote(first, 'canary');
  });

  it('is judged by the newest finished run alone, and not by one that is too old', async () => {
    const model = await served();
    const passed = await run(model);
    await changeRun(passed.run_id, "started_at = now() - interval '7 days 1 minute'");
    expect((await refused(model, 'canary')).passed_run?.reason).toContain('longer ago than the 168 hours');
    await changeRun(passed.run_id, "started_at = now() - interval '6 days'");
    expect((await transitions(model)).transitions[0]).toMatchObject({ allowed: true });

    const expectations = [{ path: '$.outputs[0].data[0]', op: 'range', min: 2, max: 3 }];
    await api.data(`/validation/cases/gate_${model.model_id}`, { method: 'PATCH', body: { expectations } });
    const failed = await run(model);
    expect(failed.status).toBe('failed');
    expect(await refused(model, 'canary')).toMatchObject({
      passed_run: { reason: expect.stringContaining('failed') as string, run_id: failed.run_id },
    });
    // One that still runs says nothing yet.
    await changeRun(failed.run_id, "status = 'running', lease_until = now() + interval '1 hour'");
    expect(await promote(model, 'canary')).toMatchObject({ status: 'canary' });
    await changeRun(failed.run_id, "status = 'failed'");
  });

  it('to stable is also refused for a high regression, that to canary is not', async () => {
    const model = await served();
    const { run_id } = await run(model);
    await changeRun(run_id, "regression_detected = true, regression_severity = 'high'");
    await promote(model, 'canary');
    expect(await refused(model, 'stable')).toEqual({
      no_high_regression: {
        requirement: 'no_high_regression',
        met: false,
        reason: 'the newest finished run of this version has the regression severity high',
        run_id,
      },
    });
    await changeRun(run_id, "regression_severity = 'medium'");
    await promote(model, 'stable');
  });

  it('names a stale If-Match and a step that the workflow does not have first', async () => {
    const model = await api.register();
    const path = `/registry/${model.model_id}/status`;
    expect(await api.failure(path, { ...to('canary'), headers: { 'if-match': '"7"' } })).toMatchObject({ status: 412 });
    expect(await api.failure(path, to('stable'))).toMatchObject({ status: 409, code: 'STATUS_CHANGE_NOT_ALLOWED' });
  });

  it('back to canary or out of service asks for nothing', async () => {
    const model = await api.registerAs('stable');
    expect((await transitions(model)).transitions).toEqual([
      { to: 'deprecated', allowed: true, requirements: [] },
      { to: 'canary', allowed: true, requirements: [] },
    ]);
    for (const status of ['canary', 'retired']) await promote(model, status);
    expect((await transitions(model)).transitions).toEqual([]);
  });

  it('is won by one of many that race, whatever they carry', async () => {
    const model = await served();
    await run(model);
    const requests = [to('canary'), to('canary', { override: true, reason: 'needed before the game starts' })];
    const sent = Array.from({ length: 8 }, (_, index) => api.send(`/registry/${model.model_id}/status`, requests[index % 2]));
    const statuses = (await Promise.all(sent)).map(({ status }) => status).sort();
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
    // On a busy machine validation may not be heard in time: no promotion either.
    expect(statuses.slice(1).filter((status) => status !== 409 && status !== 503)).toEqual([]);
    const history = await api.data<AuditEntry[]>(`/registry/${model.model_id}/history`);
    expect(history.filter(({ action }) => action === 'model.status_changed')).toHaveLength(1);
  });

  it('never leaves two stable versions of a name, though each has passed', async () => {
    const name = `Raced through the gate ${Date.now()}`;
    const versions = await Promise.all(['1.0.0', '2.0.0', '3.0.0'].map((version) => served({ name, version })));
    for (const version of versions) await run(version);
    for (const version of versions) await promote(version, 'canary');
    const answers = await Promise.all(versions.map(({ model_id }) => api.send(`/registry/${model_id}/status`, to('stable'))));
    expect(answers.every(({ status }) => status === 200 || status === 409)).toBe(true);
    expect(await api.data<Model[]>(`/registry?status=stable&q=${encodeURIComponent(name)}`)).toHaveLength(1);
  });
});

describe('an override', () => {
  const reason = 'the season opens tonight, agreed with Ana';

  it('promotes without evidence and leaves what it overrode in history and audit', async () => {
    const model = await served();
    const releaser = await suite.withRole('releaser');
    const path = `/registry/${model.model_id}/status`;
    const overriding = { ...to('canary', { override: true, reason }), headers: { 'x-request-id': `override-${model.model_id}` } };
    expect(await releaser.data<Model>(path, overriding)).toMatchObject({ status: 'canary', revision: 2 });
    const [changed, overridden] = await api.data<AuditEntry[]>(`/registry/${model.model_id}/history`);
    expect(changed).toMatchObject({ action: 'model.status_changed', reason, after: { status: 'canary' } });
    expect(overridden).toMatchObject({
      action: 'model.gate_overridden',
      actor: 'releaser of a test',
      request_id: `override-${model.model_id}`,
      subject_id: model.model_id,
      reason,
      before: null,
      after: { to: 'canary', requirements: [{ requirement: 'passed_run', met: false, run_id: null }] },
    });
    const found = await api.data<AuditEntry[]>(`/audit?action=model.gate_overridden&subject_id=${model.model_id}`);
    expect(found).toEqual([overridden]);
  });

  it('needs a reason of some length, and changes nothing where there is nothing to override', async () => {
    const model = await served();
    const path = `/registry/${model.model_id}/status`;
    for (const short of ['trust me', `${' '.repeat(30)}x`]) {
      expect(await api.failure(path, to('canary', { override: true, reason: short }))).toMatchObject({
        status: 400,
        details: { fields: [{ field: 'reason', value: short, accepted: 'with override: why, in at least 20 characters' }] },
      });
    }
    await run(model);
    await api.data(path, to('canary', { override: true, reason }));
    const history = await api.data<AuditEntry[]>(`/registry/${model.model_id}/history`);
    expect(history.map(({ action }) => action)).toEqual(['model.status_changed', 'model.registered']);
  });

  it('is no way round the role, and the gate none round a key’s scope', async () => {
    const mine = await served({ sport: 'NBA' });
    const foreign = await served({ sport: 'NFL' });
    const path = ({ model_id }: Model): string => `/registry/${model_id}/status`;
    const editor = await suite.withRole('editor');
    expect(await editor.failure(path(mine), to('canary', { override: true, reason }))).toMatchObject({
      status: 403,
      code: 'ROLE_TOO_SMALL',
    });
    const narrow = await suite.withRole('releaser', { sports: ['NBA'] });
    expect(await narrow.failure(path(foreign), to('canary', { override: true, reason }))).toMatchObject({ status: 404 });
    expect(await narrow.failure(`/registry/${foreign.model_id}/transitions`)).toMatchObject({ status: 404, code: 'MODEL_NOT_FOUND' });
    expect(Object.keys(await refused(mine, 'canary', narrow))).toEqual(['passed_run']);
    await run(mine);
    expect((await transitions(mine, narrow)).transitions[0]).toMatchObject({ to: 'canary', allowed: true });
    await promote(mine, 'canary', narrow);
  });
});

describe('the policy', () => {
  const path = '/policies/promotion';
  const defaults = { max_run_age_hours: 168, canary: ['passed_run'], stable: ['passed_run', 'no_high_regression'] };
  const change = (body: object, headers = {}): object => ({
    method: 'PATCH',
    body: { reason: 'agreed with the platform team', ...body },
    headers,
  });

  afterAll(() => api.data(path, change(defaults)));

  it('begins as 7 days, is read by everybody and changed by admins alone', async () => {
    const viewer = await suite.withRole('viewer');
    expect(await viewer.data(path)).toMatchObject(defaults);
    const releaser = await suite.withRole('releaser');
    expect(await releaser.failure(path, change({ max_run_age_hours: 1 }))).toMatchObject({ status: 403, code: 'ROLE_TOO_SMALL' });
  });

  it('decides what is needed, from the next promotion on, and how old a run may be', async () => {
    const model = await served();
    const { run_id } = await run(model);
    await changeRun(run_id, "started_at = now() - interval '2 hours'");
    await api.data(path, change({ max_run_age_hours: 1 }));
    expect((await refused(model, 'canary')).passed_run?.reason).toContain('longer ago than the 1 hours');
    await api.data(path, change({ canary: [] }));
    expect((await transitions(model)).transitions[0]).toEqual({ to: 'canary', allowed: true, requirements: [] });
    await promote(model, 'canary');
    expect(Object.keys(await refused(model, 'stable'))).toEqual(['passed_run']);
    await api.data(path, change({ max_run_age_hours: 2, stable: ['no_high_regression', 'no_high_regression'] }));
    await promote(model, 'stable');
  });

  it('is changed from a known revision, and into the audit', async () => {
    const before = await api.send(path);
    const { data } = before.body as { data: PromotionPolicy };
    expect(before.headers.get('etag')).toBe(`"${data.revision}"`);
    const if_match = { 'if-match': `"${data.revision}"` };
    const changed = await api.data<PromotionPolicy>(path, change({ max_run_age_hours: 24 }, if_match));
    expect(changed).toMatchObject({
      ...data,
      max_run_age_hours: 24,
      revision: data.revision + 1,
      updated_by: 'bootstrap',
      updated_at: expect.any(String) as string,
    });
    expect(await api.failure(path, change({ max_run_age_hours: 48 }, if_match))).toMatchObject({ status: 412, code: 'STALE_REVISION' });
    expect(await api.data(path, change({ max_run_age_hours: 24 }))).toEqual(changed);
    const [entry] = await api.data<AuditEntry[]>('/audit?subject_id=promotion&action=policy.changed');
    expect(entry).toMatchObject({ subject_type: 'policy', reason: 'agreed with the platform team', before: data, after: changed });
  });

  it('takes known requirements and 1 to 8760 hours', async () => {
    for (const bad of [
      { canary: ['luck'] },
      { stable: 'passed_run' },
      { max_run_age_hours: 0 },
      { max_run_age_hours: 1.5 },
      { max_run_age_hours: 8761 },
    ])
      expect(await api.failure(path, change(bad))).toMatchObject({ status: 400, details: { fields: [{ field: Object.keys(bad)[0] }] } });
  });
});

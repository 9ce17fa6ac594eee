import pg from 'pg';
import { type AuditEntry } from '#contracts/audit.js';
import { type AssignmentPreview } from '#contracts/assignment-preview.js';
import { type Evaluator } from '#contracts/flag-evaluators.js';
import { type FlagExport } from '#contracts/flag-export.js';
import { ImportReport } from '#contracts/flag-import.js';
import { type Evaluation } from '#contracts/flag-evaluation.js';
import { type Flag } from '#contracts/flags.js';
import { problemsIn } from '#contracts/parse.js';
import { type Api, eventually } from './api.harness.js';
import { TestSuite } from './suite.harness.js';

let suite: TestSuite;
let api: Api;
let database: pg.Client;

beforeAll(async () => {
  suite = await TestSuite.start();
  api = suite.api;
  database = new pg.Client({ connectionString: suite.database_url });
  await database.connect();
});
afterAll(async () => {
  await database.end();
  await suite.close();
});

const variants = { on: true, off: false };
const create = (flag_key: string, flag: object = {}): Promise<Flag> =>
  api.data('/flags', { method: 'POST', body: { flag_key, variants, default_variant: 'off', ...flag } });
const evaluate = (flag_key: string, body: object): Promise<Evaluation> => api.data(`/flags/${flag_key}/evaluate`, { method: 'POST', body });
const change = (flag_key: string, body: object): Promise<Flag> => api.data(`/flags/${flag_key}`, { method: 'PATCH', body });
const keysOf = async (query: string): Promise<string[]> => (await api.data<Flag[]>(`/flags?${query}`)).map(({ flag_key }) => flag_key);

describe('a flag', () => {
  it('has an owner, an end and tags, by which it is found', async () => {
    const past = '2025-01-15T10:30:00Z';
    await create('found.one', { owner: 'ml_team', tags: ['mlb', 'canary'], expires_at: past });
    await create('found.two', { owner: 'ml_team', expires_at: '2125-01-15T10:30:00Z' });
    expect(await keysOf('owner=ml_team')).toEqual(['found.one', 'found.two']);
    expect(await keysOf('tag=canary')).toEqual(['found.one']);
    expect(await keysOf('expired=true')).toEqual(['found.one']);
    expect(await keysOf('owner=ml_team&expired=false')).toEqual(['found.two']);
    expect(await evaluate('found.one', { targeting_key: 'u' })).toMatchObject({ variant: 'off', reason: 'STATIC' });
  });

  it('is refused with the place in the definition that is wrong', async () => {
    const body = {
      ...{ flag_key: 'wrong', variants, default_variant: 'off' },
      targeting: { if: [{ '==': [{ var: 'country' }, 'CA', 'US'] }, 'onn', { if: [{ $ref: 'nobody' }, 'on', 'off'] }] },
      split: { weights: { on: 1, of: 1 } },
    };
    const { status, code, details } = await api.failure('/flags', { method: 'POST', body });
    expect([status, code]).toEqual([400, 'INVALID_INPUT']);
    expect((details as { fields: { field: string }[] }).fields.map(({ field }) => field)).toEqual([
      'targeting.if[0].==',
      'targeting.if[1]',
      'targeting.if[2].if[0].$ref',
      'split.weights.of',
    ]);
  });

  it('answers by targeting, then by its split, and says which', async () => {
    const { model_id } = await api.register();
    await create('both', {
      targeting: { if: [{ '==': [{ var: 'country' }, 'CA'] }, 'on', null] },
      split: { weights: { on: 30, off: 70 } },
      variant_models: { on: model_id },
    });
    expect(await evaluate('both', { targeting_key: 'u', context: { country: 'CA' } })).toEqual({
      ...{ flag_key: 'both', value: true, variant: 'on', reason: 'TARGETING_MATCH', rule: 'targeting.if[1]', model_id },
    });
    expect(await evaluate('both', { targeting_key: 'u', context: { country: 'US' } })).toMatchObject({ reason: 'SPLIT', rule: 'split' });
    expect((await change('both', { split: { weights: { on: 1, off: 0 } } })).split).toEqual({
      ...{ algorithm: 'fractional', salt: 'both', weights: { on: 1, off: 0 } },
    });
    expect(await evaluate('both', { targeting_key: 'u' })).toMatchObject({ variant: 'on', model_id });
    expect(await api.data<AuditEntry[]>('/audit?subject_id=both')).toMatchObject([
      { action: 'flag.changed', before: { revision: 1 }, after: { revision: 2, split: { weights: { on: 1, off: 0 } } } },
      { action: 'flag.created', before: null },
    ]);
  });

  it('loses a model that is removed, and goes with the last one', async () => {
    const [one, two] = [await api.registerAs('retired', { retention_days: 1 }), await api.register()];
    await create('bound', { variant_models: { on: one.model_id, off: two.model_id } });
    await create('bound.once', { variant_models: { on: one.model_id } });
    await database.query(`UPDATE registry.models SET retired_at = now() - interval '2 days' WHERE model_id = $1`, [one.model_id]);
    await api.data('/retention', { method: 'POST' });
    await eventually(
      () => api.send('/flags/bound.once'),
      ({ status }) => status === 404,
    );
    const { variant_models } = await eventually(
      () => api.data<Flag>('/flags/bound'),
      (flag) => flag.revision === 2,
    );
    expect(variant_models).toEqual({ off: two.model_id });
    const reason = `model ${one.model_id} was removed`;
    for (const [key, action] of [
      ['bound', 'flag.changed'],
      ['bound.once', 'flag.removed'],
    ] as const)
      // prettier-ignore
      expect((await api.data<AuditEntry[]>(`/audit?subject_id=${key}`))[0]).toMatchObject({ action, reason, actor: 'retention' });
  });
});

describe('a shared evaluator', () => {
  const put = (name: string, rule: unknown, headers: Record<string, string> = {}): Promise<Evaluator> =>
    api.data(`/flag-evaluators/${name}`, { method: 'PUT', body: { rule }, headers });
  const isPlan = (plan: string): object => ({ '==': [{ var: 'plan' }, plan] });

  it('changes all flags that refer to it at once, and stays while they do', async () => {
    await put('paying', isPlan('pro'));
    await create('by.plan', { targeting: { if: [{ $ref: 'paying' }, 'on', 'off'] } });
    const said = async (plan: string): Promise<string | null> =>
      (await evaluate('by.plan', { targeting_key: 'u', context: { plan } })).variant;
    expect([await said('pro'), await said('team')]).toEqual(['on', 'off']);
    expect(await put('paying', isPlan('team'), { 'if-match': '"1"' })).toMatchObject({ revision: 2 });
    expect([await said('pro'), await said('team')]).toEqual(['off', 'on']);

    expect(await api.failure('/flag-evaluators/paying', { method: 'DELETE' })).toMatchObject({
      ...{ status: 409, code: 'EVALUATOR_IN_USE', details: { flag_keys: ['by.plan'] } },
    });
    await change('by.plan', { targeting: null });
    expect(await api.failure('/flag-evaluators/paying', { method: 'DELETE', headers: { 'if-match': '"1"' } })).toMatchObject({
      status: 412,
    });
    await api.data('/flag-evaluators/paying', { method: 'DELETE' });
    expect(await api.failure('/flag-evaluators/paying')).toMatchObject({ status: 404, code: 'EVALUATOR_NOT_FOUND' });
    expect((await api.data<AuditEntry[]>('/audit?subject_id=paying')).map(({ action }) => action)).toEqual([
      ...['evaluator.removed', 'evaluator.changed', 'evaluator.created'],
    ]);
  });

  it('is refused where it is no rule, or refers to another; and belongs to no narrowed key', async () => {
    for (const [rule, field] of [
      [{ '==': [1] }, 'rule.=='],
      [{ '!': { $ref: 'kept' } }, 'rule.!.$ref'],
      ['on', 'rule'],
    ] as const)
      // prettier-ignore
      expect(await api.failure('/flag-evaluators/bad', { method: 'PUT', body: { rule } })).toMatchObject({ details: { fields: [{ field }] } });
    const absent = { method: 'PUT', body: { rule: isPlan('x') }, headers: { 'if-match': '"1"' } };
    expect(await api.failure('/flag-evaluators/absent', absent)).toMatchObject({ code: 'EVALUATOR_NOT_FOUND' });
    const narrow = await suite.withRole('releaser', { sports: ['NBA'] });
    expect(await narrow.failure('/flag-evaluators/mine', { method: 'PUT', body: { rule: isPlan('x') } })).toMatchObject({ status: 403 });
  });

  it('is never removed under a flag that is being written', async () => {
    for (let at = 0; at < 12; at++) {
      await put(`race_${at}`, isPlan('x'));
      const flag = { flag_key: `race.${at}`, variants, default_variant: 'off', targeting: { if: [{ $ref: `race_${at}` }, 'on', 'off'] } };
      const [made, removed] = await Promise.all([
        api.send('/flags', { method: 'POST', body: flag }),
        api.send(`/flag-evaluators/race_${at}`, { method: 'DELETE' }),
      ]);
      expect([[200, 409], [400, 200]]).toContainEqual([made.status, removed.status]); // prettier-ignore
    }
  });
});

describe('a preview of an assignment', () => {
  it('says who would move, and changes nothing', async () => {
    await create('previewed', {
      variants: { a: 1, b: 2, c: 3 },
      default_variant: 'a',
      split: { algorithm: 'rendezvous', weights: { a: 34, b: 33, c: 33 } },
    });
    const path = '/flags/previewed/assignment-preview';
    expect(await api.data<AssignmentPreview>(`${path}?sample=1000`)).toMatchObject({ keys: 1_000, moved: 0, moves: [] });
    const split = { weights: { a: 50, b: 25, c: 25 } };
    const preview = await api.data<AssignmentPreview>(path, { method: 'POST', body: { split } });
    expect(preview).toMatchObject({ keys: 10_000, moved_percent: preview.unavoidable_percent });
    expect(preview.moved_percent).toBeCloseTo(16, 0);
    const targeting_keys = preview.moves.slice(0, 3).map(({ targeting_key }) => targeting_key);
    const asked = await api.data<AssignmentPreview>(path, { method: 'POST', body: { split, targeting_keys: [...targeting_keys, 'else'] } });
    expect(asked.moves.slice(0, 3)).toEqual(preview.moves.slice(0, 3));
    expect(asked.keys).toBe(4);
    const wrong = await api.failure(path, { method: 'POST', body: { split: { weights: { d: 1 } } } });
    expect(wrong).toMatchObject({ status: 400, details: { fields: [{ field: 'split.weights.d' }] } });
    expect(await api.data<Flag>('/flags/previewed')).toMatchObject({ revision: 1, split: { weights: { a: 34 } } });
  });
});

describe('an import', () => {
  const load = (format: string, document: object, dry_run = false): Promise<ImportReport> =>
    api.data('/flags/import', { method: 'POST', body: { format, document, dry_run } });
  const outcomes = ({ flags }: ImportReport): string[] => flags.map(({ flag_key, outcome }) => `${flag_key} ${outcome}`);
  const flagd = {
    flags: {
      'in.flagd': { state: 'ENABLED', variants, defaultVariant: 'off', targeting: { if: [{ $ref: 'in_flagd' }, 'on', 'off'] } },
      'no such key': { state: 'ENABLED', variants, defaultVariant: 'off' },
    },
    $evaluators: { in_flagd: { in: [{ var: 'country' }, ['CA']] } },
  };

  it('takes flags and evaluators over, says what it could not, and is the same twice', async () => {
    expect(outcomes(await load('flagd', flagd, true))).toEqual(['in.flagd created', 'no such key refused']);
    expect((await api.send('/flags/in.flagd')).status).toBe(404);
    const report = await load('flagd', flagd);
    expect(outcomes(report)).toEqual(['in.flagd created', 'no such key refused']);
    expect(report.flags[1]?.lost).toMatchObject([{ field: 'flag_key' }]);
    expect(report.evaluators).toEqual([{ name: 'in_flagd', outcome: 'created', lost: [] }]);
    expect(await evaluate('in.flagd', { targeting_key: 'u', context: { country: 'CA' } })).toMatchObject({ variant: 'on' });

    const again = await load('flagd', flagd);
    expect([outcomes(again)[0], again.evaluators[0]?.outcome]).toEqual(['in.flagd unchanged', 'unchanged']);
    await change('in.flagd', { owner: 'ml_team', description: 'ours', split: { weights: { on: 1 } } });
    expect(outcomes(await load('flagd', flagd))[0]).toBe('in.flagd changed');
    expect(await api.data<Flag>('/flags/in.flagd')).toMatchObject({ owner: 'ml_team', description: 'ours', split: null, revision: 3 });
  });

  it('takes turns with changes of the same flags and with other imports', async () => {
    const keys = Array.from({ length: 5 }, (_, at) => `race_of_imports_${at}`);
    const flags = (on: boolean): object =>
      Object.fromEntries(
        keys.map((key) => [
          key,
          { state: 'ENABLED', variants, defaultVariant: on ? 'on' : 'off', targeting: { if: [{ $ref: 'raced' }, 'on'] } },
        ]),
      );
    const document = (on: boolean): object => ({ flags: flags(on), $evaluators: { raced: { '==': [{ var: 'x' }, on] } } });
    await load('flagd', document(true));
    const sent = await Promise.all([
      ...[false, true].map((on) => api.send('/flags/import', { method: 'POST', body: { format: 'flagd', document: document(on) } })),
      ...keys.map((key, at) => api.send(`/flags/${key}`, { method: 'PATCH', body: { description: `changed ${at}` } })),
      ...keys.map((key) => api.send(`/flags/${key}`, { method: 'PATCH', body: { targeting: { if: [{ $ref: 'raced' }, 'off'] } } })),
    ]);
    expect(new Set(sent.map(({ status }) => status))).toEqual(new Set([200]));
  });

  it('reads Unleash’s and GrowthBook’s features', async () => {
    const strategies = [{ name: 'flexibleRollout', parameters: { rollout: '30', stickiness: 'userId', groupId: 'g' } }];
    const variant = { name: 'blue', weight: 1000, payload: { type: 'string', value: 'b' } };
    const unleash = await load('unleash', {
      version: 2,
      features: [{ name: 'in.unleash', enabled: true, strategies, variants: [variant] }],
    });
    expect(outcomes(unleash)).toEqual(['in.unleash created', 'in.unleash.variant created']);
    expect(unleash.flags[0]?.lost).toMatchObject([
      { field: 'strategies[0]', reason: expect.stringContaining('who is in them is not') as string },
    ]);
    expect((await evaluate('in.unleash.variant', { targeting_key: 'u' })).reason).toBe('TARGETING_MATCH');

    const growthbook = await load('growthbook', {
      features: { in_growthbook: { defaultValue: 1, rules: [{ condition: { country: 'CA' }, force: 2 }] } },
    });
    expect(outcomes(growthbook)).toEqual(['in_growthbook created']);
    expect(await evaluate('in_growthbook', { targeting_key: 'u', context: { country: 'CA' } })).toMatchObject({ value: 2 });
  });

  it('calls what has no name by none, as its schema says', async () => {
    const report = await load('unleash', { version: 1, features: [{ name: null, enabled: true, strategies: [{ name: 'default' }] }] });
    expect(outcomes(report)).toEqual([' refused']);
    expect(problemsIn(ImportReport, { ...report })).toEqual([]);
  });

  it('is refused without flags, and to a narrowed key', async () => {
    for (const document of [{}, { flags: {} }, []])
      expect(await api.failure('/flags/import', { method: 'POST', body: { format: 'flagd', document } })).toMatchObject({ status: 400 });
    const narrow = await suite.withRole('releaser', { sports: ['NBA'] });
    expect(await narrow.failure('/flags/import', { method: 'POST', body: { format: 'flagd', document: flagd } })).toMatchObject({
      status: 403,
    });
  });

  it('of which one flag is too many writes nothing', async () => {
    const room = 10_000 - Number((await database.query<{ count: string }>('SELECT count(*) FROM flags.flags')).rows[0]?.count);
    await database.query(
      `INSERT INTO flags.flags SELECT 'filler.' || n, '', 'ENABLED', '{"a": 1}', 'a', now(), now(), 'test', 1, NULL, NULL, '{}', '{}', NULL, NULL, '{}', NULL
       FROM generate_series(1, $1) AS n`,
      [room - 1],
    );
    const flag = { state: 'ENABLED', variants, defaultVariant: 'off' };
    const body = {
      format: 'flagd',
      document: { flags: { too_many_1: flag, too_many_2: flag }, $evaluators: { too_many: { '!': [true] } } },
    };
    expect(await api.failure('/flags/import', { method: 'POST', body })).toMatchObject({
      status: 409,
      details: { limit: 'flags', max: 10_000 },
    });
    expect((await database.query(`SELECT 1 FROM flags.flags WHERE flag_key LIKE 'too_many%'`)).rowCount).toBe(0);
    expect((await database.query(`SELECT 1 FROM flags.audit WHERE subject_id LIKE 'too_many%'`)).rowCount).toBe(0);
    expect((await api.send('/flag-evaluators/too_many')).status).toBe(404);
    await database.query(`DELETE FROM flags.flags WHERE flag_key LIKE 'filler.%'`);
  });

  it('comes back from an export', async () => {
    const { document } = await api.data<FlagExport>('/flag-export');
    // A split is written as targeting there.
    const split = (await api.data<Flag[]>('/flags?limit=1000')).filter((flag) => flag.split).map(({ flag_key }) => flag_key);
    const again = await load('flagd', document as object);
    const changed = again.flags.filter(({ outcome }) => outcome !== 'unchanged').map(({ flag_key }) => flag_key);
    expect(changed).toEqual(split);
  });
});

import { type ReachableSuite } from './api.harness.js';
import { storySuite } from './story-suite.harness.js';

let suite: ReachableSuite;
beforeAll(async () => {
  suite = await storySuite();
});

/** A path of something that may be changed and removed, at revision 1. */
const made: Record<string, () => Promise<string>> = {
  async 'a test case'() {
    const body = { test_case_id: 'revised', input: {}, expectations: [{ path: '$.a', op: 'equals', value: { b: [1] } }] };
    await suite.api.data('/validation/cases', { method: 'POST', body });
    return '/validation/cases/revised';
  },
  async 'a flag'() {
    const body = { flag_key: 'revised', variants: { on: true, off: false }, default_variant: 'off' };
    await suite.api.data('/flags', { method: 'POST', body });
    return '/flags/revised';
  },
};

describe.each(Object.keys(made))('%s', (what) => {
  it('is changed and removed only at a revision that If-Match names', async () => {
    const { api } = suite;
    const path = await made[what]!();
    const ifMatch = (value: string): { headers: Record<string, string> } => ({ headers: { 'if-match': value } });
    const change = { method: 'PATCH', body: { description: 'changed' } };
    expect(await api.failure(path, { ...change, ...ifMatch('"2", "3"') })).toMatchObject({ status: 412, code: 'STALE_REVISION' });
    expect((await api.send(path, { ...change, ...ifMatch('"7", W/"1"') })).status).toBe(200);

    for (const value of ['"1"', '"3","1"'])
      expect(await api.failure(path, { method: 'DELETE', ...ifMatch(value) })).toMatchObject({
        status: 412,
        details: { current_revision: 2 },
      });
    expect(await api.failure(path, { method: 'DELETE', ...ifMatch('2') })).toMatchObject({ status: 400, code: 'INVALID_INPUT' });
    expect((await api.send(path, { method: 'DELETE', ...ifMatch('"1" , "2"') })).status).toBe(200);
    await made[what]!();
    expect((await api.send(path, { method: 'DELETE', ...ifMatch('*') })).status).toBe(200);
  });
});

describe('a change that changes nothing', () => {
  const unchanged = async (path: string, subject_id: string, body: object): Promise<void> => {
    const seen = async (): Promise<unknown> => [await suite.api.data(path), await suite.api.data(`/audit?subject_id=${subject_id}`)];
    const before = await seen();
    for (const change of [{}, body]) expect(await suite.api.data(path, { method: 'PATCH', body: change })).toEqual((before as object[])[0]);
    expect(await seen()).toEqual(before);
  };

  it('leaves a model, a flag and a test case, their revision and their audit as they are', async () => {
    const serving = { protocol: 'http_json', url: 'http://127.0.0.1:9/' } as const;
    const { model_id } = await suite.api.register({ serving, retention_days: 30 });
    await unchanged(`/registry/${model_id}`, model_id, { serving: { url: serving.url, protocol: 'http_json' }, retention_days: 30 });
    await unchanged(await made['a flag']!(), 'revised', { variants: { off: false, on: true }, split: null, variant_models: {} });
    await unchanged(await made['a test case']!(), 'revised', {
      expectations: [{ value: { b: [1] }, op: 'equals', path: '$.a' }],
      applies_to: {},
    });
  });
});

it('a read answers 304 when If-None-Match names the present revision, in a list or as *', async () => {
  const { model_id } = await suite.api.register();
  const statusWith = async (value: string): Promise<number> =>
    (await suite.api.send(`/registry/${model_id}`, { headers: { 'if-none-match': value } })).status;
  for (const value of ['"1"', 'W/"1"', '"9", "1"', '"elsewhere","1"', '*']) expect([value, await statusWith(value)]).toEqual([value, 304]);
  for (const value of ['"2"', '"elsewhere"', '1', '']) expect([value, await statusWith(value)]).toEqual([value, 200]);
});

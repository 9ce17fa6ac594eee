import { type DataSource, In } from 'typeorm';
import { type CaseResult } from '#contracts/case-result.js';
import { type Model } from '#contracts/registry.js';
import { defaultBands, defaultPolicy } from '#statistics/difference.js';
import { openDatabase } from '#runtime/database.module.js';
import { createDatabase, type TestDatabase } from '#testing/database.js';
import { type KnownModels } from '../known-models.store.js';
import { RowOutcomesEntity } from '../row-outcomes.entity.js';
import { packed } from '../row-outcomes.js';
import { RowOutcomesStore } from '../row-outcomes.store.js';
import { RunEntity } from '../run.entity.js';
import { TestCaseEntity } from '../test-case.entity.js';
import { validationSchema } from '../validation.module.js';
import { BaselineEntity } from './baseline.entity.js';
import { BaselinesStore } from './baselines.store.js';
import { ComparisonExecutor } from './comparison.executor.js';
import { followStable } from './follow-stable.js';
import { PolicyStore } from './policy.store.js';

let database: TestDatabase;
let source: DataSource;

beforeAll(async () => {
  database = await createDatabase();
  source = await openDatabase(validationSchema, { DATABASE_URL: database.url, DATABASE_POOL_SIZE: 8 });
  for (const test_case_id of ['a', 'b', 'c'])
    await source.manager.insert(TestCaseEntity, {
      ...{ test_case_id, type: 'unit', description: '', applies_to: {}, input: 1, expectations: [], max_duration_ms: null, steps: [] },
      ...{ load: null, data: null, created_at: at(0), updated_at: at(0), created_by: 'test', revision: 1 },
    } as never);
});
afterAll(async () => {
  await source.destroy();
  await database.drop();
});

const at = (minute: number): string => new Date(Date.UTC(2026, 10, 27, 0, minute)).toISOString();

let number = 0;
async function passed(model_id: string, minute: number, cases: string[], more: Partial<RunEntity> = {}): Promise<string> {
  const run_id = `validation_${model_id}_${++number}`;
  const results = cases.map((test_case_id): CaseResult => {
    return { test_case_id, type: 'unit', revision: 1, outcome: 'passed', duration_ms: 1, reason: '', checks: [] };
  });
  await source.manager.insert(RunEntity, {
    ...{ run_id, model_id, trigger: 'manual', nightly_id: null, status: 'passed', started_at: at(minute), completed_at: at(minute) },
    ...{ lease_until: at(minute), total_tests: 1, passed_tests: 1, failed_tests: 0, error_tests: 0, regression_detected: false },
    ...{ regression_severity: 'none', baseline_run_id: null, regressed_test_case_ids: [], results, reason: '', signature_check: null },
    ...{ comparisons: [], policy_revision: null, attempt: 1, lost: 0, work: null, done_tests: 1, ...more },
  } as never);
  return run_id;
}

const runs = async (name: string): Promise<Record<string, string>> => {
  const found = await source.manager.findBy(BaselineEntity, { name });
  return Object.fromEntries(found.map(({ test_case_id, run_id }) => [test_case_id, run_id]));
};

describe('following the stable version', () => {
  it('stores of each case the latest passed run that judged it, and of removed cases nothing', async () => {
    const name = 'Each case';
    const whole = await passed('one', 1, ['a', 'b', 'removed']);
    const part = await passed('one', 2, ['b']);
    await passed('one', 3, ['a', 'b'], { status: 'failed' });
    await followStable(source, { name, model_id: 'one' });
    expect(await runs(name)).toEqual({ a: whole, b: part });
    await followStable(source, { name, model_id: 'nobody' });
    expect(await runs(name)).toEqual({ a: whole, b: part });
  });

  it('moves on with its runs and with the version, never back, and leaves what is pinned', async () => {
    const name = 'Moves on';
    await passed('old', 1, ['a', 'b', 'c']);
    const pinned = await passed('old', 2, ['a', 'b', 'c']);
    await followStable(source, { name, model_id: 'old' });
    await source.manager.update(BaselineEntity, { name, test_case_id: 'c' }, { pinned_at: at(9), pinned_by: 'test', pin_reason: 'a test' });
    const later = await passed('old', 5, ['a', 'b', 'c']);
    await followStable(source, { name, model_id: 'old' });
    expect(await runs(name)).toEqual({ a: later, b: later, c: pinned });
    // It began before, and came to its end after.
    await passed('old', 4, ['a']);
    await followStable(source, { name, model_id: 'old' });
    expect(await runs(name)).toEqual({ a: later, b: later, c: pinned });
    const next = await passed('next', 3, ['a']);
    await followStable(source, { name, model_id: 'next' });
    expect(await runs(name)).toEqual({ a: next, b: later, c: pinned });
  });

  it('comes to the same whoever does it at once', async () => {
    const name = 'At once';
    const last = await passed('racing', 30, ['a', 'b', 'c']);
    const earlier = [];
    for (let minute = 10; minute < 20; minute++) earlier.push(await passed('racing', minute, ['c', 'b', 'a']));
    await Promise.all(Array.from({ length: 16 }, () => followStable(source, { name, model_id: 'racing' })));
    expect(await runs(name)).toEqual({ a: last, b: last, c: last });
  });

  it('keeps the runs of baselines from being deleted', async () => {
    const name = 'Kept';
    const [old, kept] = [await passed('kept', 1, ['a']), await passed('kept', 2, ['a'])];
    await followStable(source, { name, model_id: 'kept' });
    await expect(source.manager.delete(RunEntity, { run_id: In([old, kept]) })).rejects.toThrow('baselines_run');
    const prunable = `SELECT run_id FROM validation.runs WHERE model_id = 'kept'
      AND NOT EXISTS (SELECT FROM validation.baselines WHERE baselines.run_id = runs.run_id)`;
    expect(await source.query(prunable)).toEqual([{ run_id: old }]);
  });
});

describe('comparing a run', () => {
  it('makes up for baselines that a process which was killed did not come to store', async () => {
    const name = 'Made up for';
    const stable = await passed('killed', 1, ['a', 'b']);
    const known = { stableVersionOf: () => ({ model_id: 'killed', name }) } as unknown as KnownModels;
    const comparison = new ComparisonExecutor(new BaselinesStore(source, known), new RowOutcomesStore(source), new PolicyStore(source));
    const result = (test_case_id: string, outcome: CaseResult['outcome']): CaseResult => {
      return { test_case_id, type: 'unit', revision: 1, outcome, duration_ms: 1, reason: '', checks: [] };
    };
    const run = await comparison.compare('a_candidate', { name } as Model, [
      result('a', 'failed'),
      result('b', 'passed'),
      result('c', 'failed'),
    ]);
    expect(run).toMatchObject({ regression_severity: 'high', baseline_run_id: stable, regressed_test_case_ids: ['a'], policy_revision: 1 });
    expect(run.comparisons.map(({ verdict }) => verdict)).toEqual(['regressed', 'no_difference', 'not_compared']);
    expect(await runs(name)).toEqual({ a: stable, b: stable });
  });

  it('says so where the rows of its baseline are of another data set, or no longer there', async () => {
    const name = 'Other rows';
    const baseline = await passed('rows', 1, ['a', 'b']);
    const candidate = await passed('rows_candidate', 2, ['a', 'b']);
    const rows = new RowOutcomesStore(source);
    const outcomes = await packed([{ row: 1, label: 1, prediction: 1 }]);
    const keep = (run_id: string, test_case_id: string, data_set_id: string) =>
      source.manager.insert(RowOutcomesEntity, { run_id, test_case_id, data_set_id, outcomes });
    await keep(baseline, 'a', 'one');
    for (const test_case_id of ['a', 'b']) await keep(candidate, test_case_id, 'other');
    const known = { stableVersionOf: () => ({ model_id: 'rows', name }) } as unknown as KnownModels;
    const comparison = new ComparisonExecutor(new BaselinesStore(source, known), rows, new PolicyStore(source));
    const results = ['a', 'b'].map((test_case_id): CaseResult => {
      const head = { test_case_id, type: 'regression', revision: 1, outcome: 'passed', duration_ms: 1, reason: '', checks: [] } as const;
      return { ...head, checks: [], metrics: { accuracy: 1 }, not_measured: {} };
    });
    const { comparisons } = await comparison.compare(candidate, { name } as Model, results);
    expect(comparisons.filter(({ metric }) => metric === 'accuracy').map(({ verdict, reason }) => [verdict, reason])).toEqual([
      ['not_compared', 'the baseline judged another data set'],
      ['not_compared', 'the rows of a run are no longer there'],
    ]);
  });
});

it('begins with the policy that libs/statistics takes by default', async () => {
  const { revision, updated_at: _, ...policy } = await new PolicyStore(source).current();
  expect(revision).toBe(1);
  expect(policy).toEqual({ ...defaultPolicy, bands: defaultBands, cases: { medium: 0.1, high: 0.25 }, updated_by: 'system' });
});

import pg from 'pg';
import { type AuditEntry } from '#contracts/audit.js';
import { type Model, type RetentionResult } from '#contracts/registry.js';
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

async function retiredDaysAgo(days: number): Promise<Model> {
  const model = await api.registerAs('retired', { retention_days: 30 });
  await database.query(`UPDATE registry.models SET retired_at = now() - make_interval(days => $2) WHERE model_id = $1`, [
    model.model_id,
    days,
  ]);
  return model;
}

const retention = (dry_run: boolean): Promise<RetentionResult> => api.data(`/retention?dry_run=${dry_run}`, { method: 'POST' });
const idsOf = ({ models }: RetentionResult): string[] => models.map(({ model_id }) => model_id);

describe('retention', () => {
  it('lists what is due, removes it once with all that belongs to it, and leaves the audit', async () => {
    const [due, young] = [await retiredDaysAgo(31), await retiredDaysAgo(29)];
    await api.data(`/registry/${due.model_id}/inference?timing_ms=5`, { method: 'POST' });
    await api.data('/flags', {
      method: 'POST',
      body: { flag_key: 'due', variants: { a: 1 }, default_variant: 'a', variant_models: { a: due.model_id } },
    });
    await database.query(
      `INSERT INTO validation.runs (run_id, model_id, trigger, nightly_id, status, started_at, completed_at, lease_until, attempt, lost, total_tests,
         passed_tests, failed_tests, error_tests, done_tests, regression_detected, regression_severity, baseline_run_id, regressed_test_case_ids,
         results, reason)
       VALUES ('validation_due_1', $1, 'manual', NULL, 'passed', now(), now(), now(), 1, 0, 1, 1, 0, 0, 1, false, 'none', NULL, '[]', '[]', '')`,
      [due.model_id],
    );
    await database.query(
      `INSERT INTO validation.baselines VALUES ('Due', 'any', 'unit', 1, NULL, 'validation_due_1', $1, now(), now(), NULL, now(), 'test', 'a test')`,
      [due.model_id],
    );
    await eventually(
      () => api.data<{ total_inferences: number }>(`/registry/${due.model_id}/metrics`),
      ({ total_inferences }) => total_inferences === 1,
    );
    // Judged and told of: by itself, by an alert on every inference.
    await api.data('/alerts/rules', {
      method: 'POST',
      body: {
        ...{
          name: 'Any',
          applies_to: { model_id: due.model_id, status: 'retired' },
          metric: 'inferences_per_minute',
          severity: 'info',
          minimum_inferences: 0,
        },
        comparison: { kind: 'fixed', op: 'above', value: 0 },
      },
    });
    await eventually(
      () => api.data<unknown[]>(`/alerts?model_id=${due.model_id}`),
      (alerts) => alerts.length === 1,
      10_000,
    );
    expect((await database.query('SELECT 1 FROM metrics.model_health WHERE model_id = $1', [due.model_id])).rowCount).toBe(1);

    expect(await retention(true)).toMatchObject({ dry_run: true, models: [{ model_id: due.model_id, retention_days: 30 }] });
    expect((await api.send(`/registry/${due.model_id}`)).status).toBe(200);

    const results = await Promise.all([retention(false), retention(false), retention(false)]);
    expect(results.flatMap(idsOf)).toEqual([due.model_id]);
    expect((await api.send(`/registry/${due.model_id}`)).status).toBe(404);
    expect((await api.send(`/registry/${young.model_id}`)).status).toBe(200);
    const left = (table: string): Promise<number> =>
      database.query(`SELECT 1 FROM ${table} WHERE model_id = $1`, [due.model_id]).then(({ rowCount }) => rowCount ?? 0);
    for (const table of ['metrics.model_window', 'metrics.model_health', 'metrics.alerts', 'validation.runs', 'validation.baselines']) {
      await eventually(
        () => left(table),
        (rows) => rows === 0,
      );
    }
    await eventually(
      () => database.query('SELECT 1 FROM flags.flags').then(({ rowCount }) => rowCount),
      (rows) => rows === 0,
    );
    const history = await api.data<AuditEntry[]>(`/registry/${due.model_id}/history`);
    expect(history.map(({ action }) => action)).toEqual(['model.removed', 'model.status_changed', 'model.registered']);
    expect(history[0]).toMatchObject({ after: null, before: { model_id: due.model_id } });
    expect((await api.data<AuditEntry[]>('/audit?subject_id=due')).map(({ action }) => action)).toEqual(['flag.removed', 'flag.created']);
  });

  it('has an audit that nobody can change', async () => {
    for (const statement of ['UPDATE registry.audit SET reason = NULL', 'DELETE FROM registry.audit', 'TRUNCATE registry.audit']) {
      await expect(database.query(statement)).rejects.toThrow('append-only');
    }
  });
});

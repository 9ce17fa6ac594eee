import pg from 'pg';
import { type DataSource, type Logger } from 'typeorm';
import { openDatabase } from '#runtime/database.module.js';
import { createDatabase, type TestDatabase } from '#testing/database.js';
import { followStable } from './comparing/follow-stable.js';
import { type FactRelay } from './fact.relay.js';
import { modelsWithRuns } from './known-models.store.js';
import { RunEntity } from './run.entity.js';
import { RunClaims } from './run-claims.store.js';
import { type RunNotices } from './run.notices.js';
import { RunsStore } from './runs.store.js';
import { ValidationConfig } from './validation.config.js';
import { validationSchema } from './validation.module.js';

interface Plan {
  'Node Type': string;
  'Index Name'?: string;
  'Relation Name'?: string;
  Plans?: Plan[];
}

const nodesOf = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];

/** 200 models with 500 runs each over the last 100 days; every tenth failed, every fifth of a night. */
const seed = `
  INSERT INTO validation.runs (run_id, model_id, trigger, nightly_id, status, started_at, completed_at, lease_until, attempt, lost,
    total_tests, passed_tests, failed_tests, error_tests, done_tests, regression_detected, regression_severity, baseline_run_id,
    regressed_test_case_ids, results, reason)
  SELECT 'validation_model_' || n, 'mlb_model_' || lpad(to_hex(n % 200), 8, '0'), 'manual', CASE WHEN n % 5 = 0 THEN 'night_' || n / 200 END,
    CASE WHEN n % 10 = 0 THEN 'failed' ELSE 'passed' END, now() - n * interval '86.4 seconds', now(), now(), 1, 0,
    5, 5, 0, 0, 5, false, 'none', NULL, '[]', '[]', ''
  FROM generate_series(1, 100000) n`;

describe('100,000 stored runs', () => {
  const model_id = 'mlb_model_00000007';
  let database: TestDatabase;
  let source: DataSource;
  let runs: RunsStore;
  let claims: RunClaims;
  let asked: { query: string; parameters: unknown[] }[] = [];

  beforeAll(async () => {
    database = await createDatabase();
    source = await openDatabase(validationSchema, { DATABASE_URL: database.url, DATABASE_POOL_SIZE: 2 });
    // On a connection of its own: it may take longer than a service waits for a statement.
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    await client.query(`${seed}; ANALYZE validation.runs`);
    await client.end();
    source.logger = { logQuery: (query: string, parameters: unknown[] = []) => void asked.push({ query, parameters }) } as Logger;
    runs = new RunsStore(source.getRepository(RunEntity));
    claims = new RunClaims(source, new ValidationConfig(), {} as FactRelay, {} as RunNotices);
  }, 90_000);

  afterAll(async () => {
    await source.destroy();
    await database.drop();
  });

  it.each([
    ['history', 'runs_of_model', () => runs.since(model_id, 30)],
    ['report', 'runs_of_model', () => runs.since(model_id, 7)],
    ['run', '', () => runs.find('validation_model_7')],
    ['promotion', 'runs_of_model', () => runs.newestFinished(model_id)],
    ['baseline', 'runs_passed_of_model', () => followStable(source, { name: 'any', model_id })],
    ['night', 'runs_of_nightly', () => runs.ofNightly('night_7')],
    ['request that comes again', 'runs_of_request', () => runs.ofRequest({ name: 'any', payload_sha256: 'any' })],
    ['claim', 'runs_running', () => claims.next()],
    ['renewal', 'runs_', () => claims.renew({ run_id: 'validation_model_7', attempt: 1 } as RunEntity, 0)],
    ['sweep for lost runs', 'runs_running', () => claims.giveUpLost()],
    ['sweep for models that are gone', 'runs_of_model', () => source.query(modelsWithRuns)],
    ['sweep for old runs', 'runs_over', () => runs.forget(400)],
  ])('are not read whole for a %s', async (_, index, read) => {
    asked = [];
    await read();
    const statements = asked.filter(({ query }) => /"?validation"?\."?runs/.test(query));
    expect(statements).toHaveLength(1);
    for (const { query, parameters } of statements) {
      const [{ 'QUERY PLAN': explained }] = await source.query<[{ 'QUERY PLAN': [{ Plan: Plan }] }]>(
        `EXPLAIN (FORMAT JSON) ${query}`,
        parameters,
      );
      const nodes = nodesOf(explained[0].Plan);
      const ofRuns = nodes.filter((node) => node['Relation Name'] === 'runs');
      expect(ofRuns.map((node) => node['Node Type'])).not.toContain('Seq Scan');
      expect(nodes.flatMap((node) => node['Index Name'] ?? []).join()).toContain(index);
    }
  });
});

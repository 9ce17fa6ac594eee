import pg from 'pg';
import { type DataSource, type Logger } from 'typeorm';
import { openDatabase } from '#runtime/database.module.js';
import { createDatabase, type TestDatabase } from '#testing/database.js';
import { followStable } from './comparing/follow-stable.js';
import { RunEntity } from './run.entity.js';
import { RunsStore } from './runs.store.js';
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
  INSERT INTO validation.runs
  SELECT 'validation_model_' || n, 'mlb_model_' || lpad(to_hex(n % 200), 8, '0'), 'manual', CASE WHEN n % 5 = 0 THEN 'night_' || n / 1000 END,
    CASE WHEN n % 10 = 0 THEN 'failed' ELSE 'passed' END, now() - n * interval '86.4 seconds', now(), now(),
    5, 5, 0, 0, false, 'none', NULL, '[]', '[]', ''
  FROM generate_series(1, 100000) n`;

describe('100,000 stored runs', () => {
  const model_id = 'mlb_model_00000007';
  let database: TestDatabase;
  let source: DataSource;
  let runs: RunsStore;
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
  }, 90_000);

  afterAll(async () => {
    await source.destroy();
    await database.drop();
  });

  it.each([
    ['history', 'runs_of_model', () => runs.since(model_id, 30)],
    ['report', 'runs_of_model', () => runs.since(model_id, 7)],
    ['run', '', () => runs.find('validation_model_7')],
    ['baseline', 'runs_passed_of_model', () => followStable(source, { name: 'any', model_id })],
    ['night', 'runs_of_nightly', () => runs.ofNightly('night_7')],
    ['sweep for lost runs', 'runs_running', () => runs.giveUpLost()],
  ])('are not read whole for a %s', async (_, index, read) => {
    asked = [];
    await read();
    const selects = asked.filter(({ query }) => /^(SELECT|INSERT)/.test(query));
    expect(selects).toHaveLength(1);
    for (const { query, parameters } of selects) {
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

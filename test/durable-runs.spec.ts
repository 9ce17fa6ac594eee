import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { jetstream } from '@nats-io/jetstream';
import pg from 'pg';
import { factStream } from '#contracts/alerts.js';
import { type Model } from '#contracts/registry.js';
import {
  type NightlyResult,
  type Run,
  type RunEvent,
  type RunResult,
  subjectOfRun,
  type ValidationHistory,
} from '#contracts/validation.js';
import { connectTo } from '#testing/nats.js';
import { type Api, eventually } from './api.harness.js';
import { Processes } from './processes.harness.js';

const replicas = ['validation', 'validation-b'] as const;
type Replica = (typeof replicas)[number];

let processes: Processes;
let api: Api;
let database: pg.Client;
let server: Server;
/** Calls that the model server has not answered yet, the oldest first. */
const open: ServerResponse[] = [];
/** Whether it answers at once. */
let answersAtOnce = false;

beforeAll(async () => {
  server = createServer((_, response) => {
    open.push(response);
    if (answersAtOnce) answerAll();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const environment = { VALIDATION_ALLOWED_NETWORKS: '127.0.0.0/8', VALIDATION_LEASE_SECONDS: '2', VALIDATION_FINISH_SECONDS: '1' };
  processes = await Processes.prepare(environment);
  await Promise.all((['registry', 'metrics', 'flags', 'gateway', ...replicas] as const).map((app) => processes.start(app)));
  api = processes.api;
  database = new pg.Client({ connectionString: processes.database.url });
  await database.connect();
}, 60_000);
afterAll(async () => {
  await database.end();
  await processes.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});
beforeEach(() => {
  answersAtOnce = false;
  open.length = 0;
});

const answer = (response: ServerResponse, y: number): unknown =>
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ y }));

function answerAll(): void {
  for (const response of open.splice(0)) answer(response, 1);
}

const calls = (count: number): Promise<number> =>
  eventually(
    () => Promise.resolve(open.length),
    (seen) => seen === count,
    15_000,
  );

let number = 0;
/** A model whose only case is passed when the server answers with `y` 1. */
async function servedModel(status: 'development' | 'canary' = 'development'): Promise<Model> {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/predict`;
  const model = await api.registerAs(status, { serving: { protocol: 'http_json', url, timeout_ms: 20_000 } });
  const expectations = [{ path: '$.y', op: 'equals', value: 1 }];
  const body = { test_case_id: `case_${++number}`, applies_to: { model_id: model.model_id }, input: {}, expectations };
  await api.data('/validation/cases', { method: 'POST', body });
  return model;
}

const start = ({ model_id }: Model): Promise<RunResult> => api.data('/validation/run', { method: 'POST', body: { model_id, wait: false } });

/** From the table: a replica that is frozen or gone answers nobody. */
async function stored(run_id: string): Promise<Pick<Run, 'status' | 'attempt' | 'passed_tests'> & { lost: number }> {
  const { rows } = await database.query('SELECT status, attempt, lost, passed_tests FROM validation.runs WHERE run_id = $1', [run_id]);
  return rows[0] as Awaited<ReturnType<typeof stored>>;
}

const finished = (run_id: string): ReturnType<typeof stored> =>
  eventually(
    () => stored(run_id),
    ({ status }) => status !== 'running',
    15_000,
  );

/** The replica that runs the only run there is. */
async function runner(): Promise<Replica> {
  for (const replica of replicas) {
    const metrics = await (await fetch(`${processes.rootOf(replica)}/metrics`)).text();
    if (/^emr_validation_runs_in_hand\{.*\} 1$/m.test(metrics)) return replica;
  }
  throw new Error('No replica runs anything');
}

/** What is told of these runs, as anybody else would hear it. */
async function told(run_ids: string[]): Promise<RunEvent[]> {
  const connection = await connectTo(processes.nats.url);
  try {
    const consumer = await jetstream(connection).consumers.get(factStream.name, { filter_subjects: subjectOfRun('finished') });
    const { num_pending } = await consumer.info();
    if (num_pending === 0) return [];
    const events: RunEvent[] = [];
    for await (const message of await consumer.fetch({ max_messages: num_pending, expires: 2_000 })) events.push(message.json<RunEvent>());
    return events.filter(({ run_id }) => run_ids.includes(run_id));
  } finally {
    await connection.close();
  }
}

describe('a run whose replica is killed', () => {
  it('is finished by another one, is answered to who waits, and counts once', async () => {
    const model = await servedModel();
    const asked = api.data<RunResult>('/validation/run', { method: 'POST', body: { model_id: model.model_id } });
    await calls(1);
    const killed = await runner();
    await processes.end(killed, 'SIGKILL');
    await calls(2);
    answerAll();
    const result = await asked;
    expect(result).toMatchObject({ status: 'passed', passed_tests: 1 });
    await processes.start(killed);
    expect(await api.data<Run>(`/validation/runs/${result.run_id}`)).toMatchObject({ attempt: 2, progress: { done: 1, total: 1 } });
    const { validation_runs } = await api.data<ValidationHistory>(`/validation/history/${model.model_id}`);
    expect(validation_runs).toHaveLength(1);
    const events = await eventually(
      () => told([result.run_id]),
      ({ length }) => length > 0,
    );
    expect(events).toMatchObject([{ event_id: `${result.run_id}:finished`, status: 'passed', attempt: 2 }]);
  }, 60_000);
});

describe('a run whose replica is frozen', () => {
  it('is finished by another one, and what the first one finds when it thaws is not written', async () => {
    const model = await servedModel();
    const { run_id } = await start(model);
    await calls(1);
    const frozen = await runner();
    processes.signal(frozen, 'SIGSTOP');
    try {
      await calls(2);
      answer(open[1]!, 1);
      expect(await finished(run_id)).toMatchObject({ status: 'passed', attempt: 2 });
      answer(open[0]!, 0);
    } finally {
      processes.signal(frozen, 'SIGCONT');
    }
    await eventually(
      async () => (await fetch(`${processes.rootOf(frozen)}/metrics`)).text(),
      (metrics) => /^emr_validation_runs_in_hand\{.*\} 0$/m.test(metrics),
    );
    expect(await stored(run_id)).toMatchObject({ status: 'passed', attempt: 2, passed_tests: 1 });
    expect(await told([run_id])).toHaveLength(1);
  }, 60_000);
});

describe('a run whose replica stops', () => {
  it('is given back once it takes too long, and is not counted as lost', async () => {
    const model = await servedModel();
    const { run_id } = await start(model);
    await calls(1);
    const stopping = await runner();
    await processes.end(stopping, 'SIGTERM');
    await calls(2);
    answerAll();
    expect(await finished(run_id)).toMatchObject({ status: 'passed', attempt: 2, lost: 0 });
    await processes.start(stopping);
  }, 60_000);
});

describe('a run that is cancelled', () => {
  it('ends at once, whichever replica runs it, and its model server is called no more', async () => {
    const model = await servedModel();
    const { run_id } = await start(model);
    await calls(1);
    const cut = once(open[0]!, 'close');
    const began = performance.now();
    const cancelled = await api.data<Run>(`/validation/runs/${run_id}/cancel`, { method: 'POST', body: { reason: 'wrong data' } });
    expect(cancelled).toMatchObject({ status: 'error', cancelled_by: 'bootstrap', reason: 'cancelled by bootstrap: wrong data' });
    await cut;
    expect(performance.now() - began).toBeLessThan(1_500);
  });
});

describe('while runs wait and NATS loses everything', () => {
  it('they are run once it is back, and what is told of them is told', async () => {
    const model = await servedModel();
    // One of a model at a time: the others wait.
    const run_ids = (await Promise.all([1, 2, 3].map(() => start(model)))).map(({ run_id }) => run_id);
    await calls(1);
    await processes.nats.kill();
    await processes.nats.loseStore();
    answersAtOnce = true;
    answerAll();
    await processes.nats.restart();
    expect((await Promise.all(run_ids.map(finished))).map(({ status }) => status)).toEqual(['passed', 'passed', 'passed']);
    const events = await eventually(
      () => told(run_ids).catch(() => []),
      ({ length }) => length === 3,
      15_000,
    );
    expect(events.map(({ run_id }) => run_id).sort()).toEqual([...run_ids].sort());
  }, 60_000);
});

describe('a night', () => {
  it('has one round, although two replicas look after it and one is killed in the middle', async () => {
    const models = await Promise.all(Array.from({ length: 6 }, () => servedModel('canary')));
    await Promise.all(replicas.map((replica) => processes.end(replica, 'SIGKILL')));
    const at = new Date(Date.now() + 6_000);
    const NIGHTLY_CRON = `${at.getUTCSeconds()} ${at.getUTCMinutes()} ${at.getUTCHours()} * * *`;
    await Promise.all(replicas.map((replica) => processes.start(replica, { NIGHTLY_CRON })));
    // Each calls at most four servers at once, and both together six: one for each model.
    await calls(models.length);
    await processes.end('validation', 'SIGKILL');
    answersAtOnce = true;
    answerAll();
    const rounds = async (): Promise<
      { unfinished: boolean; models_processed: number; results_summary: object; planned_at: Date | null }[]
    > => (await database.query('SELECT unfinished, models_processed, results_summary, planned_at FROM validation.nightlies')).rows as never;
    const [round, ...more] = await eventually(rounds, (all) => all.some(({ unfinished }) => !unfinished), 20_000);
    expect(more).toEqual([]);
    expect(round!.planned_at?.getTime()).toBe(Math.floor(at.getTime() / 1000) * 1000);
    expect(round!.models_processed).toBe(models.length);
    expect(round!.results_summary).toEqual({ passed: models.length, failed: 0, errors: 0, regressions_detected: 0 });
    const { rows } = await database.query(
      'SELECT model_id, count(*)::int AS runs, max(attempt)::int AS attempt FROM validation.runs WHERE nightly_id IS NOT NULL GROUP BY model_id',
    );
    expect(rows.map(({ model_id, runs }: { model_id: string; runs: number }) => [model_id, runs]).sort()).toEqual(
      models.map(({ model_id }) => [model_id, 1]).sort(),
    );
    // Those of the killed replica were begun anew.
    expect(Math.max(...rows.map(({ attempt }: { attempt: number }) => attempt))).toBe(2);
    const asked = await api.data<NightlyResult>('/validation/nightly', { method: 'POST' });
    expect(asked.models_processed).toBe(models.length);
  }, 90_000);
});

describe('a round whose replica is killed while it writes down the runs', () => {
  it('goes on with the models that have none yet, and has each once', async () => {
    answersAtOnce = true;
    const before = await api.data<NightlyResult>('/validation/nightly', { method: 'POST' });
    // The fourth run of a round waits within its insertion for as long as this connection holds the lock.
    await database.query(`
      CREATE FUNCTION validation.wait_here() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF (SELECT count(*) FROM validation.runs WHERE nightly_id = NEW.nightly_id) >= 3 THEN PERFORM pg_advisory_xact_lock(4711); END IF;
          RETURN NEW;
        END $$;
      CREATE TRIGGER wait_here BEFORE INSERT ON validation.runs FOR EACH ROW EXECUTE FUNCTION validation.wait_here();
      SELECT pg_advisory_lock(4711)`);
    const asked = api.send('/validation/nightly', { method: 'POST' });
    await eventually(
      async () => (await database.query(`SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted`)).rowCount,
      (waiting) => waiting === 1,
    );
    await Promise.all(replicas.map((replica) => processes.end(replica, 'SIGKILL')));
    await asked;
    await database.query('SELECT pg_advisory_unlock(4711); DROP FUNCTION validation.wait_here() CASCADE');
    await Promise.all(replicas.map((replica) => processes.start(replica)));
    await eventually(
      async () => (await database.query('SELECT 1 FROM validation.nightlies WHERE unfinished')).rowCount,
      (unfinished) => unfinished === 0,
      20_000,
    );
    const { rows } = await database.query<{ runs: number; models: number; processed: number }>(`
      SELECT count(*)::int AS runs, count(DISTINCT model_id)::int AS models, max(models_processed) AS processed
      FROM validation.runs JOIN validation.nightlies USING (nightly_id)
      WHERE nightly_id = (SELECT nightly_id FROM validation.nightlies ORDER BY started_at DESC LIMIT 1)`);
    const { models_processed } = before;
    expect(models_processed).toBeGreaterThan(3);
    expect(rows).toEqual([{ runs: models_processed, models: models_processed, processed: models_processed }]);
  }, 60_000);
});

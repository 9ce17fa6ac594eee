import { type DataSource } from 'typeorm';
import { type Model } from '#contracts/registry.js';
import { type RunEvent } from '#contracts/validation.js';
import { runAs, system } from '#runtime/caller.js';
import { openDatabase } from '#runtime/database.module.js';
import { createDatabase, type TestDatabase } from '#testing/database.js';
import { type FactRelay } from './fact.relay.js';
import { RowOutcomesStore } from './row-outcomes.store.js';
import { FactEntity, RunEntity } from './run.entity.js';
import { calledOff, type ClaimedRun, RunClaims } from './run-claims.store.js';
import { type RunNotices } from './run.notices.js';
import { RunsStore } from './runs.store.js';
import { ValidationConfig } from './validation.config.js';
import { validationSchema } from './validation.module.js';

const maxRunning = 3;
let database: TestDatabase;
/** Two replicas, each with connections of its own. */
let sources: [DataSource, DataSource];
let claims: [RunClaims, RunClaims];
let runs: RunsStore;
const over: string[] = [];

beforeAll(async () => {
  database = await createDatabase();
  const open = (): Promise<DataSource> => openDatabase(validationSchema, { DATABASE_URL: database.url, DATABASE_POOL_SIZE: 4 });
  sources = [await open(), await open()];
  const config = Object.assign(new ValidationConfig(), { VALIDATION_MAX_RUNNING: maxRunning });
  const relay = { flush: () => undefined } as FactRelay;
  const notices = { tellOver: (run_id) => void over.push(run_id) } as RunNotices;
  claims = [new RunClaims(sources[0], config, relay, notices), new RunClaims(sources[1], config, relay, notices)];
  runs = new RunsStore(sources[0].getRepository(RunEntity));
});
afterAll(async () => {
  for (const source of sources) await source.destroy();
  await database.drop();
});
beforeEach(async () => {
  await sources[0].query('DELETE FROM validation.runs');
  await sources[0].query('DELETE FROM validation.facts');
  over.length = 0;
});

const enqueue = (model_id: string, more: { trigger?: 'nightly'; nightly_id?: string } = {}): Promise<RunEntity> =>
  runAs(system('test'), () => runs.enqueue({ model: { model_id } as Model, cases: [], trigger: 'manual', ...more }));

const passed = (run: RunEntity): RunEntity => ({ ...run, status: 'passed', completed_at: new Date().toISOString() });

/** As if whoever has it had died long enough ago. */
const lose = (run_id: string): Promise<unknown> =>
  sources[0].query(`UPDATE validation.runs SET lease_until = now() - interval '1 second' WHERE run_id = $1`, [run_id]);

const stored = async (run_id: string): Promise<RunEntity> => (await runs.find(run_id))!;

async function told(): Promise<string[]> {
  const facts = await sources[0].manager.find(FactEntity, { order: { position: 'ASC' } });
  return facts.map(({ event }: { event: RunEvent }) => event.event_id);
}

async function claimAll(): Promise<ClaimedRun[]> {
  const claimed: ClaimedRun[] = [];
  for (;;) {
    const some = (await Promise.all([...claims, ...claims].map((replica) => replica.next()))).filter((run) => run !== null);
    if (some.length === 0) return claimed;
    claimed.push(...some);
  }
}

describe('claims of two replicas', () => {
  it('give each run to one of them, the oldest first, no more than may run at once', async () => {
    const asked: string[] = [];
    for (const model of ['a', 'b', 'c', 'd', 'e']) asked.push((await enqueue(model)).run_id);
    const claimed = await claimAll();
    expect(claimed.map(({ run_id }) => run_id).sort()).toEqual(asked.slice(0, maxRunning).sort());
    expect(await claims[0].complete(passed(claimed[0]!))).toBe(true);
    expect((await claimAll()).map(({ run_id }) => run_id)).toEqual([asked[3]]);
  });

  it('never have two runs of one model at once', async () => {
    const [first, second] = [await enqueue('a'), await enqueue('a')];
    const other = await enqueue('b');
    const claimed = await claimAll();
    expect(claimed.map(({ run_id }) => run_id).sort()).toEqual([first.run_id, other.run_id].sort());
    await claims[0].complete(passed(claimed.find(({ model_id }) => model_id === 'a')!));
    expect((await claimAll()).map(({ run_id }) => run_id)).toEqual([second.run_id]);
  });

  it('take what somebody asked for before what a night brings', async () => {
    const night = await enqueue('a', { trigger: 'nightly', nightly_id: 'night' });
    const asked = await enqueue('b');
    expect([await claims[0].next(), await claims[1].next()].map((run) => run?.run_id)).toEqual([asked.run_id, night.run_id]);
  });

  it('give a round one run of a model, however often it is written down', async () => {
    const both = await Promise.all([1, 2].map(() => enqueue('a', { trigger: 'nightly', nightly_id: 'night' })));
    expect(both[0]!.run_id).toBe(both[1]!.run_id);
  });
});

describe('a run whose replica is not heard of', () => {
  it('is taken over, and the first one’s renewal and outcome come to nothing when it thaws', async () => {
    const { run_id } = await enqueue('a');
    const first = (await claims[0].next())!;
    expect(await claims[0].renew(first, 1)).toBe(true);
    await lose(run_id);
    const second = (await claims[1].next())!;
    expect([first.attempt, second.attempt]).toEqual([1, 2]);
    expect(await claims[0].renew(first, 2)).toBe(false);
    expect(await claims[0].complete(calledOff(first, 'stale'))).toBe(false);
    await claims[0].release(first);
    expect(await claims[1].complete(passed(second))).toBe(true);
    expect(await claims[1].complete(passed(second))).toBe(false);
    expect(await stored(run_id)).toMatchObject({ status: 'passed', attempt: 2, reason: '', work: null });
    expect(await told()).toEqual([`${run_id}:1:started`, `${run_id}:2:started`, `${run_id}:finished`]);
    expect(over).toEqual([run_id]);
  });

  it('keeps the row outcomes of the latest attempt', async () => {
    const { run_id } = await enqueue('a');
    const [first] = [(await claims[0].next())!, await lose(run_id)];
    const second = (await claims[1].next())!;
    const outcomes = [new RowOutcomesStore(sources[0]), new RowOutcomesStore(sources[1])] as const;
    const of = { test_case_id: 'case', data_set_id: 'data' };
    await outcomes[1].keep(second, of, [{ row: 1, label: true, prediction: true }]);
    await outcomes[0].keep(first, of, [{ row: 1, label: true, prediction: false }]);
    expect((await outcomes[0].of(run_id, 'case'))?.outcomes).toEqual([{ row: 1, label: true, prediction: true }]);
  });

  it('is still its own where nobody has taken it over', async () => {
    const { run_id } = await enqueue('a');
    const run = (await claims[0].next())!;
    await lose(run_id);
    expect(await claims[0].complete(passed(run))).toBe(true);
    expect(await claims[1].next()).toBeNull();
  });

  it('is given up after three of them, with the reason, and no sooner', async () => {
    const { run_id } = await enqueue('a');
    for (let attempt = 1; attempt <= 3; attempt++) {
      await Promise.all(claims.map((replica) => replica.giveUpLost()));
      expect((await claims[attempt % 2]!.next())?.attempt).toBe(attempt);
      await lose(run_id);
    }
    expect(await claims[0].next()).toBeNull();
    await Promise.all(claims.map((replica) => replica.giveUpLost()));
    const reason = 'the service stopped while this ran, 3 times; run it again';
    expect(await stored(run_id)).toMatchObject({ status: 'error', reason, attempt: 3 });
    expect((await told()).filter((id) => id.endsWith('finished'))).toHaveLength(1);
  });

  it('is given up at once where it was begun by a version that wrote down nothing of it', async () => {
    const { run_id } = await enqueue('a');
    await sources[0].query('UPDATE validation.runs SET work = NULL WHERE run_id = $1', [run_id]);
    expect(await claims[0].next()).toBeNull();
    await lose(run_id);
    await claims[0].giveUpLost();
    expect(await stored(run_id)).toMatchObject({ status: 'error', reason: 'the service stopped while this ran; run it again' });
  });

  it('waits again when it is given back, without being counted as lost', async () => {
    const { run_id } = await enqueue('a');
    for (let attempt = 1; attempt <= 5; attempt++) {
      const run = (await claims[attempt % 2]!.next())!;
      expect(run).toMatchObject({ attempt, lost: 0 });
      await claims[attempt % 2]!.release(run);
      expect(await claims[attempt % 2]!.renew(run, 0)).toBe(false);
    }
    expect(await stored(run_id)).toMatchObject({ status: 'running', lease_until: null });
  });
});

describe('a run that ends in two ways at once', () => {
  it('ends in one of them', async () => {
    for (let round = 0; round < 10; round++) {
      const { run_id } = await enqueue(`m${round}`);
      const run = (await claims[0].next())!;
      const [completed, cancelled] = await Promise.all([
        claims[0].complete(passed(run)),
        claims[1].end(run_id, (current) => ({ ...calledOff(current, 'cancelled'), cancelled_by: 'x' })),
      ]);
      expect(completed).toBe(cancelled === null);
      expect((await stored(run_id)).status).toBe(completed ? 'passed' : 'error');
    }
    expect((await told()).filter((id) => id.endsWith('finished'))).toHaveLength(10);
  });
});

describe('runs that are old', () => {
  it('are forgotten, but for the latest passed one of each model and what still runs', async () => {
    const age = (run_id: string, days: number, status: string): Promise<unknown> =>
      sources[0].query(`UPDATE validation.runs SET status = $3, started_at = now() - make_interval(days => $2) WHERE run_id = $1`, [
        run_id,
        days,
        status,
      ]);
    const ids: string[] = [];
    for (let index = 0; index < 5; index++) ids.push((await enqueue('a')).run_id);
    const states: [number, string][] = [
      [500, 'passed'],
      [450, 'passed'],
      [420, 'failed'],
      [410, 'running'],
      [399, 'failed'],
    ];
    for (const [index, [days, status]] of states.entries()) await age(ids[index]!, days, status);
    expect(await runs.forget(400)).toBe(2);
    expect(await runs.forget(400)).toBe(0);
    const left = await sources[0].query<{ run_id: string }[]>('SELECT run_id FROM validation.runs');
    expect(left.map(({ run_id }) => run_id).sort()).toEqual([ids[1], ids[3], ids[4]].sort());
  });
});

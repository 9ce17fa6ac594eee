import { type DataSource } from 'typeorm';
import { type ArmCounters, getTick } from '#contracts/metrics.js';
import { type RolledModel } from '#contracts/rollouts.js';
import { AppError } from '#contracts/errors.js';
import { AuditStore } from '#runtime/audit.store.js';
import { type Bus } from '#runtime/bus.js';
import { runAs, system } from '#runtime/caller.js';
import { openDatabase } from '#runtime/database.module.js';
import { Logger } from '#runtime/logger.js';
import { type Outbox } from '#runtime/outbox.js';
import { Sketch } from '#statistics/sketch.js';
import { createDatabase, type TestDatabase } from '#testing/database.js';
import { FlagEntity } from '../flag.entity.js';
import { FlagsConfig } from '../flags.config.js';
import { flagsSchema } from '../flags.module.js';
import { FlagsStore } from '../flags.store.js';
import { newAnalysis } from './analysis.js';
import { DecisionsStore } from './decisions.store.js';
import { Moves } from './moves.store.js';
import { PendingExecutor } from './pending.executor.js';
import { planOf } from './plan.js';
import { RolloutRetentionStore } from './retention.store.js';
import { RolloutDecisionEntity, RolloutEntity, RolloutEventEntity } from './rollout.entity.js';
import { RolloutsSchedule } from './rollouts.schedule.js';
import { RolloutsStore } from './rollouts.store.js';
import { type RolloutEvents } from './rollout-events.relay.js';
import { TickExecutor } from './tick.executor.js';

const flag_key = 'rolled';
const rollout_id = 'rollout_0a1b2c3d4e5f';
const plan = planOf({
  steps: [10, 100].map((percentage) => ({ percentage, min_duration_seconds: 3_600, min_samples: 0 })),
  guardrails: [{ metric: 'failure_rate' }],
});

/** What metrics has counted of an arm, ever. */
const counters = (variant: string, total: number, failed: number): ArmCounters => ({
  model_id: variant,
  flag_key,
  variant,
  total_inferences: total,
  successful_inferences: total - failed,
  sum_timing_ms: 0,
  error_types: {},
  sketch: Buffer.from(new Sketch().serialise()).toString('base64'),
});

/** Metrics and registry as the other end of the bus, both of which can be away. */
class OtherServices {
  candidate = { total: 0, failed: 0 };
  control = { total: 0, failed: 0 };
  metricsAway = false;
  registryAnswers: Error | null = null;
  /** Thrown once, after the registry has made a change: as if whoever asked died before it heard so. */
  diesAfterwards: Error | null = null;
  readonly applied: { sequence: number; models: RolledModel[]; release: boolean }[] = [];

  readonly bus = {
    ask: async (contract: { subject: string }, input: never): Promise<unknown> => {
      const away = new AppError('SERVICE_UNAVAILABLE', 'away');
      if (contract.subject === getTick.subject) {
        if (this.metricsAway) throw away;
        const arms = [
          counters('new', this.candidate.total, this.candidate.failed),
          counters('old', this.control.total, this.control.failed),
        ];
        return { at: new Date().toISOString(), arms };
      }
      if (this.registryAnswers) throw this.registryAnswers;
      this.applied.push(input);
      const death = this.diesAfterwards;
      this.diesAfterwards = null;
      if (death) throw death;
      return { models: [] };
    },
  } as unknown as Bus;

  count(candidate: number, candidateFailed: number, control: number, controlFailed: number): void {
    this.candidate = { total: this.candidate.total + candidate, failed: this.candidate.failed + candidateFailed };
    this.control = { total: this.control.total + control, failed: this.control.failed + controlFailed };
  }
}

interface Replica {
  ticks: TickExecutor;
  pending: PendingExecutor;
}

let test: TestDatabase;
let database: DataSource;
let services: OtherServices;
let replicas: Replica[];
const relay = { flush: () => undefined } as unknown as RolloutEvents;
const outbox = { put: () => Promise.resolve(), flush: () => undefined, publish: () => undefined } as unknown as Outbox;

beforeAll(async () => {
  test = await createDatabase();
  database = await openDatabase(flagsSchema, { DATABASE_URL: test.url, DATABASE_POOL_SIZE: 8 });
});
afterAll(async () => {
  await database.destroy();
  await test.drop();
});

const asSystem = <T>(work: () => Promise<T>): Promise<T> => runAs(system('a test'), work);
const row = (): Promise<RolloutEntity> => database.manager.findOneByOrFail(RolloutEntity, { rollout_id });
const flag = (): Promise<FlagEntity> => database.manager.findOneByOrFail(FlagEntity, { flag_key });
const decisions = (): Promise<RolloutDecisionEntity[]> => new DecisionsStore(database).inOrder(rollout_id, 0, 1_000);
const told = async (): Promise<string[]> =>
  (await database.manager.find(RolloutEventEntity, { order: { position: 'ASC' } })).map(({ event }) => event.event_id);
const due = (): Promise<unknown> => database.query(`UPDATE flags.rollouts SET next_tick_at = clock_timestamp()`);
const tickOnce = async (): Promise<void> => {
  await due();
  await asSystem(() => replicas[0]!.ticks.take(rollout_id));
};

beforeEach(async () => {
  await database.query('TRUNCATE flags.flags, flags.rollouts, flags.rollout_decisions, flags.rollout_events');
  services = new OtherServices();
  const config = Object.assign(new FlagsConfig(), { ROLLOUT_TICK_SECONDS: 10 });
  replicas = Array.from({ length: 4 }, () => {
    const audit = new AuditStore(database);
    const rollouts = new RolloutsStore(database, audit);
    const moves = new Moves(rollouts, new FlagsStore(database, audit, outbox), relay, config);
    return {
      ticks: new TickExecutor(database, services.bus, rollouts, moves),
      pending: new PendingExecutor(database, services.bus, rollouts, moves, config),
    };
  });
  const now = new Date().toISOString();
  await database.manager.insert(FlagEntity, {
    flag_key,
    description: '',
    state: 'ENABLED',
    variants: { new: 'v2', old: 'v1' } as never,
    default_variant: 'old',
    targeting: null as never,
    split: null,
    metadata: {},
    variant_models: { new: 'new', old: 'old' },
    owner: null,
    expires_at: null,
    tags: [],
    rollout_id,
    created_at: now,
    updated_at: now,
    created_by: 'a test',
    revision: 1,
  });
  await database.manager.insert(RolloutEntity, {
    rollout_id,
    flag_key,
    candidate_model_id: 'new',
    candidate_variant: 'new',
    control_model_id: 'old',
    control_variant: 'old',
    control_status: 'stable',
    models: [
      { name: 'Rolled', sport: null },
      { name: 'Rolled', sport: null },
    ],
    status: 'running',
    step: 0,
    percentage: 10,
    plan,
    override: false,
    reason: 'a test',
    tick: 0,
    last_decision: null,
    analysis: newAnalysis(plan) as never,
    first_counters: { candidate: null, control: null },
    last_counters: { candidate: null, control: null },
    candidate_heard_at: now,
    control_heard_at: now,
    next_tick_at: now,
    sequence: 1,
    pending: null,
    next_try_at: null,
    outcome: null,
    told: 0,
    held: [],
    created_at: now,
    created_by: 'a test',
    started_at: now,
    step_started_at: now,
    ended_at: null,
  });
});

it('takes each tick once, however many replicas try, and counts every inference once', async () => {
  for (let tick = 0; tick < 6; tick++) {
    services.count(30, 1, 270, 10);
    await due();
    await asSystem(() => Promise.all([...replicas, ...replicas].map(({ ticks }) => ticks.take(rollout_id))));
  }
  const taken = await decisions();
  expect(taken.map(({ tick }) => tick)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(taken.map(({ inputs }) => inputs.candidate.inferences)).toEqual([30, 30, 30, 30, 30, 30]);
  expect((await row()).analysis.guardrails[0]!.harm.control).toMatchObject({ n: 6 * 270, events: 60 });
});

it('counts what came while metrics was away once it answers, and not what it lost', async () => {
  services.count(30, 1, 270, 10);
  await tickOnce();
  services.metricsAway = true;
  services.count(30, 1, 270, 10);
  await tickOnce();
  services.metricsAway = false;
  await tickOnce();
  services.candidate = { total: 5, failed: 5 };
  await tickOnce();
  services.count(7, 0, 1, 0);
  await tickOnce();
  expect((await decisions()).map(({ inputs }) => inputs.candidate.inferences)).toEqual([30, 0, 30, 0, 7]);
});

it('gives the control all traffic in the transaction of the decision, and tells the registry as soon as it can', async () => {
  const down = new AppError('SERVICE_UNAVAILABLE', 'The registry service is not available');
  services.registryAnswers = down;
  for (let tick = 0; tick < 6; tick++) {
    services.count(30, 12, 270, 10);
    await tickOnce();
    if ((await row()).status !== 'running') break;
  }
  expect(await row()).toMatchObject({
    status: 'rolled_back',
    percentage: 0,
    pending: { change: 'rollback', sequence: 2 },
    next_tick_at: null,
  });
  expect(await flag()).toMatchObject({ rollout_id: null, split: { weights: { new: 0, old: 1_000_000 } } });
  await asSystem(() => replicas[1]!.pending.make(rollout_id));
  expect((await row()).pending).toMatchObject({ last_error: down.message });
  services.registryAnswers = null;
  await database.query('UPDATE flags.rollouts SET next_try_at = clock_timestamp()');
  await asSystem(() => Promise.all(replicas.map(({ pending }) => pending.takeUp(rollout_id))));
  expect(await row()).toMatchObject({ pending: null, next_try_at: null });
  expect(await told()).toEqual([`${rollout_id}:1:rolled_back`]);
  expect(services.applied).toMatchObject([
    {
      sequence: 2,
      release: true,
      models: [
        { model_id: 'new', status: 'development', rollout_percentage: 0 },
        { model_id: 'old', status: 'stable', rollout_percentage: 100 },
      ],
    },
  ]);
});

it('moves nothing for an advance before the registry has it, and gives one up for a rollback', async () => {
  const refusal = new AppError('GATE_NOT_PASSED', 'no run of this version has finished');
  services.registryAnswers = refusal;
  await database.transaction(async (manager) => {
    const now = new Date().toISOString();
    const config = new FlagsConfig();
    const audit = new AuditStore(database);
    const rollouts = new RolloutsStore(database, audit);
    const moves = new Moves(rollouts, new FlagsStore(database, audit, outbox), relay, config);
    await asSystem(async () => moves.planAdvance(manager, await rollouts.lock(manager, rollout_id), now, 'a test'));
  });
  await asSystem(() => replicas[0]!.pending.make(rollout_id));
  expect(await row()).toMatchObject({ step: 0, percentage: 10, pending: { change: 'advance', sequence: 2, last_error: refusal.message } });
  expect((await flag()).split).toBeNull();
  services.count(30, 1, 270, 10);
  await tickOnce();
  expect((await decisions()).at(-1)).toMatchObject({ action: 'hold', rule: 'pending' });
  services.count(60, 60, 270, 10);
  await tickOnce();
  expect(await row()).toMatchObject({ status: 'rolled_back', pending: { change: 'rollback', sequence: 3 } });
  services.registryAnswers = null;
  await asSystem(() => replicas[0]!.pending.make(rollout_id));
  expect(services.applied.map(({ sequence }) => sequence)).toEqual([3]);
  const events = (await database.manager.find(RolloutEventEntity, { order: { position: 'ASC' } })).map(({ event }) => event);
  expect(events).toMatchObject([
    { event: 'held', severity: 'warning', rule: 'pending', ended_holds: [], reason: expect.stringContaining(refusal.message) as string },
    { event: 'rolled_back', severity: 'critical', rule: 'failure_floor', percentage: 0, ended_holds: [{ rule: 'pending' }] },
  ]);
});

it('tells once for each step why it waits for somebody, and that this is over', async () => {
  await database.query(`UPDATE flags.rollouts SET candidate_heard_at = now() - interval '1 hour'`);
  services.count(0, 0, 270, 10);
  for (let tick = 0; tick < 3; tick++) await tickOnce();
  expect(await row()).toMatchObject({ last_decision: { rule: 'no_data' }, told: 1, held: [{ rule: 'no_data' }] });
  const rollouts = new RolloutsStore(database, new AuditStore(database));
  const moves = new Moves(rollouts, new FlagsStore(database, new AuditStore(database), outbox), relay, new FlagsConfig());
  await asSystem(() =>
    database.transaction(async (manager) => {
      await moves.planAdvance(manager, await rollouts.lock(manager, rollout_id), new Date().toISOString(), 'a test');
    }),
  );
  await asSystem(() => replicas[0]!.pending.make(rollout_id));
  expect(await told()).toEqual([`${rollout_id}:1:held`, `${rollout_id}:2:advanced`]);
  expect(await row()).toMatchObject({ step: 1, told: 2, held: [] });
});

it('goes on with an advance whose replica died after the registry had made it', async () => {
  const audit = new AuditStore(database);
  const rollouts = new RolloutsStore(database, audit);
  const moves = new Moves(rollouts, new FlagsStore(database, audit, outbox), relay, new FlagsConfig());
  await asSystem(() =>
    database.transaction(async (manager) => {
      await moves.planAdvance(manager, await rollouts.lock(manager, rollout_id), new Date().toISOString(), 'a test');
    }),
  );
  services.diesAfterwards = new Error('killed');
  await expect(asSystem(() => replicas[0]!.pending.make(rollout_id))).rejects.toThrow('killed');
  expect(await row()).toMatchObject({ step: 0, percentage: 10, pending: { change: 'advance', sequence: 2 } });
  // Not before its tick is over.
  await asSystem(() => replicas[1]!.pending.takeUp(rollout_id));
  expect(services.applied).toHaveLength(1);
  await database.query('UPDATE flags.rollouts SET next_try_at = clock_timestamp()');
  await asSystem(() => Promise.all(replicas.map(({ pending }) => pending.takeUp(rollout_id))));
  expect(services.applied.map(({ sequence }) => sequence)).toEqual([2, 2]);
  expect(await row()).toMatchObject({ step: 1, percentage: 100, pending: null });
  expect((await flag()).split).toMatchObject({ weights: { new: 1_000_000, old: 0 } });
});

it('lets go of its models only after it has completed', async () => {
  await database.query(
    `UPDATE flags.rollouts SET step = 1, percentage = 100, step_started_at = now() - interval '2 hours', started_at = now() - interval '2 hours'`,
  );
  services.count(300, 9, 0, 0);
  await tickOnce();
  expect((await row()).pending).toMatchObject({ change: 'complete', sequence: 2, release: false });
  await asSystem(() => replicas[0]!.pending.make(rollout_id));
  expect(await row()).toMatchObject({ status: 'completed', percentage: 100, pending: null, sequence: 3 });
  expect(await flag()).toMatchObject({ rollout_id: null, split: { weights: { new: 1_000_000, old: 0 } } });
  expect(services.applied.map(({ release, models }) => [release, models.map(({ status }) => status)])).toEqual([
    [false, ['stable', 'deprecated']],
    [true, ['stable', 'deprecated']],
  ]);
});

it('takes all that are due at one look, and stops at none that fails', async () => {
  await database.query(
    `INSERT INTO flags.rollouts SELECT (jsonb_populate_record(one, jsonb_build_object('rollout_id', 'rollout_' || lpad(number::text, 12, '0')))).*
     FROM flags.rollouts one, generate_series(1, 149) number`,
  );
  // Whoever takes it finds a plan that it cannot read.
  await database.query(`UPDATE flags.rollouts SET plan = '{}' WHERE rollout_id = 'rollout_000000000001'`);
  await due();
  const config = Object.assign(new FlagsConfig(), { ROLLOUT_TICK_SECONDS: 10 });
  const schedule = new RolloutsSchedule(database, replicas[0]!.ticks, replicas[0]!.pending, config, Logger.create('a test', 'silent'));
  await schedule.look();
  const left = await database.query<unknown[]>('SELECT rollout_id FROM flags.rollouts WHERE tick = 0');
  expect(left).toEqual([{ rollout_id: 'rollout_000000000001' }]);
});

it('is removed with its decisions once it has ended for long enough', async () => {
  await tickOnce();
  const retention = new RolloutRetentionStore(database);
  await retention.run(90);
  expect(await decisions()).toHaveLength(1);
  await database.query(`UPDATE flags.rollouts SET status = 'aborted', ended_at = now() - interval '91 days'`);
  await retention.run(90);
  expect(await decisions()).toEqual([]);
  expect(await database.manager.count(RolloutEntity)).toBe(0);
});

import { type DataSource } from 'typeorm';
import { AppError } from '#contracts/errors.js';
import { type RolledModel, type RolloutApplication } from '#contracts/rollouts.js';
import { AuditStore } from '#runtime/audit.store.js';
import { type Bus } from '#runtime/bus.js';
import { runAs, system } from '#runtime/caller.js';
import { openDatabase } from '#runtime/database.module.js';
import { type Outbox } from '#runtime/outbox.js';
import { insertRow } from '#runtime/rows.js';
import { createDatabase, type TestDatabase } from '#testing/database.js';
import { ModelChanges } from './model-changes.store.js';
import { ModelEntity } from './model.entity.js';
import { PromotionGate } from './promotion-gate.store.js';
import { registrySchema } from './registry.module.js';
import { RolloutsHandlers } from './rollouts.handlers.js';

let test: TestDatabase;
let database: DataSource;
let registry: RolloutsHandlers;
const outbox = { put: () => Promise.resolve(), flush: () => undefined } as unknown as Outbox;
/** Validation knows of no run. */
const bus = { ask: () => Promise.resolve({ newest_run: null }) } as unknown as Bus;

beforeAll(async () => {
  test = await createDatabase();
  database = await openDatabase(registrySchema, { DATABASE_URL: test.url, DATABASE_POOL_SIZE: 8 });
  const changes = new ModelChanges(new AuditStore(database), outbox);
  registry = new RolloutsHandlers(database, new PromotionGate(database, bus), changes, outbox);
});
afterAll(async () => {
  await database.destroy();
  await test.drop();
});

let names = 0;
let name: string;
let rollout_id: string;
const candidate = (): string => `${name}_new`;
const control = (): string => `${name}_old`;

async function add(model_id: string, status: ModelEntity['status'], rollout_percentage: number, version: string): Promise<void> {
  const now = new Date().toISOString();
  await insertRow(database.manager, ModelEntity, {
    model_id,
    name,
    version,
    model_type: 'ensemble',
    status,
    description: '',
    sport: null,
    created_at: now,
    updated_at: now,
    created_by: 'a test',
    deployment_target: 'production',
    feature_flag_id: null,
    rollout_percentage,
    retention_days: 90,
    serving: null,
    objectives: null,
    retired_at: null,
    rollout_id: null,
    revision: 1,
  });
}

beforeEach(async () => {
  name = `rolled_${names++}`;
  rollout_id = `rollout_${String(names).padStart(12, '0')}`;
  await add(candidate(), 'development', 0, '1.1.0');
  await add(control(), 'stable', 100, '1.0.0');
});

const canary = (share: number): RolledModel[] => [
  { model_id: candidate(), status: 'canary', rollout_percentage: share },
  { model_id: control(), status: 'stable', rollout_percentage: 100 - share },
];
const apply = (sequence: number, models: RolledModel[], more: Partial<RolloutApplication> = {}): Promise<unknown> =>
  runAs(system('a test'), () =>
    registry.applyRollout({ rollout_id, sequence, models, release: false, override: true, reason: 'a test of rollouts', ...more }),
  );
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: unknown) => (error instanceof AppError ? error.code : String(error)),
  );
const seen = async (): Promise<unknown[]> => {
  const rows = await database.manager.find(ModelEntity, { where: { name }, order: { model_id: 'ASC' } });
  return rows.map((model) => [model.status, model.rollout_percentage, model.rollout_id]);
};
const audited = async (): Promise<number> =>
  (await database.query<unknown[]>('SELECT 1 FROM registry.audit WHERE subject_id LIKE $1', [`${name}\\_%`])).length;

it('makes a change once, however often and by however many at once it is asked for', async () => {
  await Promise.all(Array.from({ length: 6 }, () => apply(1, canary(10))));
  expect(await seen()).toEqual([
    ['canary', 10, rollout_id],
    ['stable', 90, rollout_id],
  ]);
  // Each model's change, and the gate that was passed without evidence.
  expect(await audited()).toBe(3);
});

it('does not make a change after a later one', async () => {
  await apply(1, canary(10));
  await apply(3, canary(50));
  await apply(2, canary(25));
  expect(await seen()).toEqual([
    ['canary', 50, rollout_id],
    ['stable', 50, rollout_id],
  ]);
});

it('changes none of the models where one refuses', async () => {
  const before = await seen();
  expect(await codeOf(apply(1, canary(10), { override: false }))).toBe('GATE_NOT_PASSED');
  expect(await codeOf(apply(1, [...canary(10).slice(0, 1), { model_id: 'nobody', status: 'stable', rollout_percentage: 0 }]))).toBe(
    'MODEL_NOT_FOUND',
  );
  const [first, second] = canary(10);
  expect(await codeOf(apply(1, [second!, { ...first!, status: 'deprecated' }]))).toBe('STATUS_CHANGE_NOT_ALLOWED');
  expect(await seen()).toEqual(before);
  expect(await audited()).toBe(0);
  // None of these was its first change.
  await apply(1, canary(10));
  expect((await seen())[0]).toEqual(['canary', 10, rollout_id]);
});

it('refuses models that another rollout has', async () => {
  await apply(1, canary(10));
  expect(await codeOf(apply(1, canary(20), { rollout_id: 'rollout_ffffffffffff' }))).toBe('OWNED_BY_ROLLOUT');
});

it('puts the candidate in the place of the control, and lets go of both', async () => {
  await apply(1, canary(10));
  const promoted: RolledModel[] = [
    { model_id: candidate(), status: 'stable', rollout_percentage: 100 },
    { model_id: control(), status: 'deprecated', rollout_percentage: 0 },
  ];
  expect(await codeOf(apply(2, promoted, { override: false }))).toBe('GATE_NOT_PASSED');
  await apply(2, promoted);
  await apply(3, promoted, { release: true, override: false });
  expect(await seen()).toEqual([
    ['stable', 100, null],
    ['deprecated', 0, null],
  ]);
});

it('takes its own changes back, from whatever they were, without asking for evidence', async () => {
  await apply(1, canary(10));
  await apply(2, [
    { model_id: candidate(), status: 'stable', rollout_percentage: 100 },
    { model_id: control(), status: 'deprecated', rollout_percentage: 0 },
  ]);
  const back: RolledModel[] = [
    { model_id: candidate(), status: 'development', rollout_percentage: 0 },
    { model_id: control(), status: 'stable', rollout_percentage: 100 },
  ];
  await apply(3, back, { release: true, override: false });
  expect(await seen()).toEqual([
    ['development', 0, null],
    ['stable', 100, null],
  ]);
});

it('leaves models that are not its own any more as they are', async () => {
  await apply(1, [{ model_id: candidate(), status: 'development', rollout_percentage: 0 }, ...canary(0).slice(1)], { release: true });
  expect(await seen()).toEqual([
    ['development', 0, null],
    ['stable', 100, null],
  ]);
  expect(await audited()).toBe(0);
});

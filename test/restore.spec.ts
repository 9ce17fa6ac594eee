import { spawnSync } from 'node:child_process';
import { jetstreamManager } from '@nats-io/jetstream';
import { type Model } from '#contracts/registry.js';
import { createDatabase, servicesTemplate, type TestDatabase } from '#testing/database.js';
import { connectTo } from '#testing/nats.js';
import { type Api, eventually } from './api.harness.js';
import { Processes } from './processes.harness.js';

/** All but validation, which has no part in it. */
const services = ['registry', 'metrics', 'flags'] as const;
let processes: Processes;
let api: Api;
let backup: TestDatabase | undefined;

beforeAll(async () => {
  processes = await Processes.prepare();
  api = processes.api;
}, 60_000);
afterAll(async () => {
  await processes.close();
  await backup?.drop();
});

const startAll = async (): Promise<void> => {
  const start = (app: (typeof services)[number]): Promise<void> => processes.start(app, backup && { DATABASE_URL: backup.urls[app] });
  await Promise.all([...services.map(start), processes.start('gateway')]);
};
const stopAll = (): Promise<unknown> => Promise.all(([...services, 'gateway'] as const).map((app) => processes.end(app, 'SIGTERM')));

const register = (name: string): Promise<Model> =>
  api.data<Model>('/registry', { method: 'POST', body: { name, version: '1.0.0', model_type: 'ensemble', sport: 'MLB' } });

async function record(model_id: string, count: number): Promise<void> {
  for (let index = 0; index < count; index++) await api.data(`/registry/${model_id}/inference?timing_ms=${index}`, { method: 'POST' });
}

const counted = (model_id: string, total: number): Promise<unknown> =>
  eventually(
    () => api.data<{ total_inferences: number }>(`/registry/${model_id}/metrics`),
    ({ total_inferences }) => total_inferences === total,
    30_000,
  );

/** As the runbook says: what was made from rows that are no longer there goes, and inferences are read from the beginning. */
async function makeNatsForget(): Promise<string[]> {
  const connection = await connectTo(processes.nats.url);
  try {
    const manager = await jetstreamManager(connection);
    const names: string[] = [];
    for await (const { config } of manager.streams.list()) names.push(config.name);
    for (const name of names.filter((one) => one.startsWith('KV_') && one !== 'KV_emr_idempotency')) await manager.streams.delete(name);
    await manager.consumers.delete('EMR_EVENTS', 'metrics');
    return names;
  } finally {
    await connection.close();
  }
}

it('a database of an hour ago is what the suite goes on from, and inferences since then are counted again, each once', async () => {
  await startAll();
  const before = await register('Before');
  await record(before.model_id, 20);
  await counted(before.model_id, 20);
  await stopAll();
  backup = await createDatabase(new URL(processes.database.url).pathname.slice(1));
  const restored = backup;

  backup = undefined;
  await startAll();
  const after = await register('After');
  await api.data('/flags', { method: 'POST', body: { flag_key: 'after', variants: { on: true, off: false }, default_variant: 'off' } });
  await record(before.model_id, 10);
  await counted(before.model_id, 30);
  await stopAll();

  backup = restored;
  expect(await makeNatsForget()).toEqual(expect.arrayContaining(['EMR_EVENTS', 'KV_emr_models', 'KV_emr_flags']));
  await startAll();
  await counted(before.model_id, 30);
  expect(await api.data<Model[]>('/registry')).toMatchObject([{ model_id: before.model_id }]);
  expect((await api.send(`/registry/${after.model_id}`)).status).toBe(404);
  expect(await api.data('/flags')).toEqual([]);
}, 120_000);

/** Of this machine's pg_dump; 0 where there is none. One of an older version than the server refuses it. */
const dumpVersion = Number(/\b(\d+)\./.exec(spawnSync('pg_dump', ['--version'], { encoding: 'utf8' }).stdout ?? '')?.[1] ?? 0);
const leastDump = 18;
const itDumps = dumpVersion >= leastDump ? it : it.skip;

itDumps(
  `a dump is restored into a new database, and the suite goes on from there (skipped without pg_dump ${leastDump})`,
  async () => {
    await stopAll();
    const from = backup!;
    const run = (command: string, args: string[], input?: Buffer): Buffer => {
      const { status, stdout, stderr } = spawnSync(command, args, { input, maxBuffer: 256 * 1024 ** 2 });
      if (status !== 0) throw new Error(`${command}: ${stderr.toString()}`);
      return stdout;
    };
    const dump = run('pg_dump', ['--format=custom', `--dbname=${from.url}`]);
    // As init.sh leaves an empty database.
    backup = await createDatabase(servicesTemplate);
    run('pg_restore', ['--clean', '--if-exists', '--exit-on-error', `--dbname=${backup.url}`], dump);
    await makeNatsForget();
    await startAll();
    const [model] = await api.data<Model[]>('/registry');
    expect(model!.name).toBe('Before');
    await counted(model!.model_id, 30);
    await record(model!.model_id, 5);
    await counted(model!.model_id, 35);
    const { model_id } = await register('After the dump');
    expect((await api.send(`/registry/${model_id}`)).status).toBe(200);
    await from.drop();
  },
  120_000,
);

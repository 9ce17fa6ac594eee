import { randomBytes } from 'node:crypto';
import { type DataSource } from 'typeorm';
import { formOf } from '#contracts/key-text.js';
import { AuditStore } from '#runtime/audit.store.js';
import { runAs, system } from '#runtime/caller.js';
import { ConfigError } from '#runtime/config.js';
import { openDatabase } from '#runtime/database.module.js';
import { type Outbox } from '#runtime/outbox.js';
import { createDatabase, type TestDatabase } from '#testing/database.js';
import { KeysHandlers } from './keys.handlers.js';
import { RegistryConfig } from './registry.config.js';
import { registrySchema } from './registry.module.js';

let test: TestDatabase;
let database: DataSource;
let registry: KeysHandlers;
const outbox = { put: () => Promise.resolve(), flush: () => undefined, publish: () => undefined } as unknown as Outbox;
const pepper = randomBytes(32).toString('hex');

const registryWith = (config: Partial<RegistryConfig>): KeysHandlers =>
  new KeysHandlers(database, new AuditStore(database), outbox, Object.assign(new RegistryConfig(), { KEY_PEPPER: pepper }, config));
const asTest = <T>(work: () => Promise<T>): Promise<T> => runAs(system('test'), work);

beforeAll(async () => {
  test = await createDatabase();
  database = await openDatabase(registrySchema, { DATABASE_URL: test.url, DATABASE_POOL_SIZE: 8 });
  registry = registryWith({});
  await registry.onModuleInit();
});
afterAll(async () => {
  await database.destroy();
  await test.drop();
});

const made = (): Promise<{ key_id: string; key: string }> => asTest(() => registry.createKey({ name: 'ml_team', role: 'viewer' }));
const lastUsed = async (key_id: string): Promise<string | null | undefined> =>
  (await registry.listKeys({})).items.find((key) => key.key_id === key_id)?.last_used_at;
const audited = async (): Promise<number> =>
  (await database.query<{ count: number }[]>('SELECT count(*)::int AS count FROM registry.audit'))[0]!.count;

it('writes down once a minute that a key was used, however many gateways say so at once, and not in the audit', async () => {
  const { key_id } = await made();
  expect(await lastUsed(key_id)).toBeNull();
  const before = await audited();
  const tell = (): Promise<number> => registry.noteKeyUse({ key_ids: [key_id, 'k_nobody'] }).then(({ noted }) => noted);
  const noted = await Promise.all(Array.from({ length: 6 }, tell));
  expect(noted.sort()).toEqual([0, 0, 0, 0, 0, 1]);
  const seen = await lastUsed(key_id);
  expect(Date.now() - Date.parse(seen!)).toBeLessThan(5_000);
  await database.query(`UPDATE registry.keys SET last_used_at = now() - interval '61 seconds' WHERE key_id = $1`, [key_id]);
  expect(await tell()).toBe(1);
  expect(await audited()).toBe(before);
});

it('starts with the pepper of its keys, also of keys from before it looked, and with no other', async () => {
  await made();
  await database.query('UPDATE registry.keys SET pepper_id = NULL');
  await registryWith({}).onModuleInit();
  const other = registryWith({ KEY_PEPPER: randomBytes(32).toString('hex') });
  await expect(other.onModuleInit()).rejects.toThrow(ConfigError);
  await expect(other.onModuleInit()).rejects.toThrow(/^KEY_PEPPER: /);
});

it('makes test keys where it is told so', async () => {
  const { key } = await asTest(() => registryWith({ KEY_KIND: 'test' }).createKey({ name: 'ci', role: 'viewer' }));
  expect(key).toMatch(/^emr_test_/);
  expect(formOf(key)).toBe('ours');
  expect((await made()).key).toMatch(/^emr_live_/);
});

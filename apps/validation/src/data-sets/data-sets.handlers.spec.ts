import { randomUUID } from 'node:crypto';
import { type DataSource } from 'typeorm';
import { type DataSet, type UploadState } from '#contracts/data-set.js';
import { AppError } from '#contracts/errors.js';
import { AuditStore } from '#runtime/audit.store.js';
import { runAs, system } from '#runtime/caller.js';
import { openDatabase } from '#runtime/database.module.js';
import { createDatabase, type TestDatabase } from '#testing/database.js';
import { validationSchema } from '../validation.module.js';
import { DataSetsHandlers } from './data-sets.handlers.js';
import { DataSetsStore } from './data-sets.store.js';

let test: TestDatabase;
let database: DataSource;
/** Two replicas, which know nothing of each other. */
let replicas: [DataSetsHandlers, DataSetsHandlers];

beforeAll(async () => {
  test = await createDatabase();
  database = await openDatabase(validationSchema, { DATABASE_URL: test.url, DATABASE_POOL_SIZE: 4 });
  const replica = (): DataSetsHandlers => new DataSetsHandlers(database, new AuditStore(database), new DataSetsStore(database));
  replicas = [replica(), replica()];
});
afterAll(async () => {
  await database.destroy();
  await test.drop();
});

const begin = async (): Promise<string> => (await replicas[0].beginUpload({ format: 'csv' })).upload_id;
const put = (replica: 0 | 1, upload_id: string, position: number, text: string): Promise<UploadState> =>
  replicas[replica].putChunk({ upload_id, position, content: Buffer.from(text).toString('base64') });
const finish = (upload_id: string): Promise<DataSet> => runAs(system('a test'), () => replicas[1].finishUpload({ upload_id }));

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'done',
    (error: unknown) => (error instanceof AppError ? error.code : String(error)),
  );

it('takes the pieces of an upload at any replica, one that is sent again once, and a row that is cut anywhere', async () => {
  const upload_id = await begin();
  await put(0, upload_id, 0, 'a,"b');
  await put(1, upload_id, 1, '"\n1,"two\n');
  await put(1, upload_id, 1, '"\n1,"two\n');
  await Promise.all([put(0, upload_id, 2, 'lines"\n3,4'), put(1, upload_id, 2, 'lines"\n3,4')]);
  const { data_set_id, rows, columns } = await finish(upload_id);
  expect({ rows, columns }).toEqual({ rows: 2, columns: ['a', 'b'] });
  const read: object[] = [];
  for await (const { row, values } of new DataSetsStore(database).rows(data_set_id, 10)) read.push({ row, ...values });
  expect(read).toEqual([
    { row: 1, a: 1, b: 'two\nlines' },
    { row: 2, a: 3, b: 4 },
  ]);
});

it('knows nothing of an upload that was given up, also while a piece of it is just being taken', async () => {
  const upload_id = await begin();
  await Promise.all([put(0, upload_id, 0, 'a\n1\n'), replicas[1].abandonUpload({ upload_id })]).catch(() => undefined);
  await replicas[1].abandonUpload({ upload_id });
  expect(await codeOf(put(0, upload_id, 1, '2\n'))).toBe('SERVICE_UNAVAILABLE');
  expect(await codeOf(finish(upload_id))).toBe('SERVICE_UNAVAILABLE');
  expect(await codeOf(put(0, randomUUID(), 0, 'a\n'))).toBe('SERVICE_UNAVAILABLE');
  expect(await database.query('SELECT 1 FROM validation.data_set_pieces WHERE upload_id = $1', [upload_id])).toEqual([]);
});

it('lets so many uploads be under way, and gives up those that nobody goes on with', async () => {
  const begun = await Promise.all(Array.from({ length: 8 }, begin));
  await put(0, begun[0]!, 0, 'a\n1\n');
  expect(await codeOf(begin())).toBe('TOO_MANY_REQUESTS');
  await database.query(`UPDATE validation.uploads SET touched_at = now() - interval '11 minutes' WHERE upload_id = $1`, [begun[0]]);
  expect(await codeOf(begin())).toBe('done');
  expect(await codeOf(put(0, begun[0]!, 1, '2\n'))).toBe('SERVICE_UNAVAILABLE');
  expect(await database.query('SELECT 1 FROM validation.data_set_pieces WHERE upload_id = $1', [begun[0]])).toEqual([]);
});

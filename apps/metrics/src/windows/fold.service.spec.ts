import pg from 'pg';
import { type DataSource } from 'typeorm';
import { openDatabase } from '#runtime/database.module.js';
import { createDatabase, type TestDatabase } from '#testing/database.js';
import { removeModel } from '../known-models.store.js';
import { metricsSchema } from '../metrics.module.js';
import { FoldStore } from './fold.store.js';
import { ModelWindowEntity, wholeModel } from './model-window.entity.js';
import { Summary } from './summary.js';
import { type Arm, hourMs, minuteMs, sumsOf, Tally } from './tally.js';
import { type Range } from './time-range.js';
import { WindowSums } from './window-sums.store.js';
import { WindowsStore } from './windows.store.js';

const now = Date.parse('2026-03-20T15:30:00Z');
let test: TestDatabase;
let database: DataSource;
let reading: WindowsStore;

beforeAll(async () => {
  test = await createDatabase();
  database = await openDatabase(metricsSchema, { DATABASE_URL: test.url, DATABASE_POOL_SIZE: 8 });
  reading = new WindowsStore(database.getRepository(ModelWindowEntity));
});
afterAll(async () => {
  await database.destroy();
  await test.drop();
});

async function count(windows: WindowSums, model_id: string, times: number[], arm: Partial<Arm> = {}): Promise<void> {
  const tally = new Tally();
  for (const [index, at] of times.entries()) tally.add({ model_id, timing_ms: 1 + index, success: true, occurred_at_ms: at, ...arm }, now);
  await database.transaction(async (manager) => {
    const query = <Row>(sql: string, parameters: unknown[]): Promise<Row[]> => manager.query<Row[]>(sql, parameters);
    windows.remember(await windows.addMinutes(query, sumsOf(tally)));
  });
}

const whole = (model_id: string): Arm => ({ model_id, ...wholeModel });
const lastDays = (resolution: Range['resolution']): Range => ({ from_ms: now - 5 * 24 * hourMs, to_ms: now, resolution });
const totalOf = async (arm: Arm, range: Range | null): Promise<number> => Summary.of(await reading.of(arm, range)).total;
const totalsOf = (arm: Arm): Promise<number[]> =>
  Promise.all([null, lastDays('minute'), lastDays('hour'), lastDays('day')].map((range) => totalOf(arm, range)));

/** Totals as they are stored, unfolded and folded minutes apart. */
async function stored(model_id: string): Promise<Record<string, number>> {
  const rows = await database.query<{ period: string; total: number }[]>(
    `SELECT CASE WHEN period = 'minute' AND folded THEN 'folded' ELSE period END AS period, sum(total)::int AS total
     FROM metrics.model_window WHERE model_id = $1 GROUP BY 1`,
    [model_id],
  );
  return Object.fromEntries(rows.map(({ period, total }) => [period, total]));
}

it('adds minutes to hours and lifetimes once, and what comes later to all three', async () => {
  const windows = new WindowSums();
  const fold = new FoldStore(database);
  const times = [now - 3 * minuteMs, now - 2 * minuteMs, now - 2 * minuteMs, now - hourMs];
  await count(windows, 'a', times);
  expect([await totalsOf(whole('a')), await stored('a')]).toEqual([[4, 4, 4, 4], { minute: 4 }]);
  expect(await fold.fold(now - 2 * minuteMs)).toBe(2);
  expect([await totalsOf(whole('a')), await stored('a')]).toEqual([[4, 4, 4, 4], { minute: 2, folded: 2, hour: 2, lifetime: 2 }]);

  await count(windows, 'a', times);
  await count(new WindowSums(), 'a', times);
  expect([await totalsOf(whole('a')), await stored('a')]).toEqual([
    Array.from({ length: 4 }, () => 12),
    { minute: 6, folded: 6, hour: 6, lifetime: 6 },
  ]);
  expect(await fold.fold(now)).toBe(1);
  expect(await fold.fold(now)).toBe(0);
  expect([await totalsOf(whole('a')), await stored('a')]).toEqual([
    Array.from({ length: 4 }, () => 12),
    { folded: 12, hour: 12, lifetime: 12 },
  ]);
});

it('reads the arms of a model and of a flag before they are folded and afterwards', async () => {
  const windows = new WindowSums();
  for (const variant of ['x', 'y']) await count(windows, 'armed', [now - 90_000, now], { flag_key: 'f', variant });
  const arms = async () => {
    const rows = await Promise.all([
      reading.ofArms('armed', undefined, null),
      reading.ofArms('armed', 'f', lastDays('hour')),
      reading.lifetimesOfFlag('f'),
      reading.lifetimesOfModels(['armed']),
    ]);
    return rows.map((some) =>
      some.reduce<Record<string, number>>((sums, { variant, total }) => ({ ...sums, [variant]: (sums[variant] ?? 0) + total }), {}),
    );
  };
  const expected = [{ x: 2, y: 2 }, { x: 2, y: 2 }, { x: 2, y: 2 }, { '': 4 }];
  expect(await arms()).toEqual(expected);
  expect(await new FoldStore(database).fold(now)).toBe(3);
  expect(await arms()).toEqual(expected);
  expect(await new FoldStore(database).fold(now + minuteMs)).toBe(3);
  expect(await arms()).toEqual(expected);
});

it('counts an inference of the minute to come in its hour, folded or not', async () => {
  await count(new WindowSums(), 'ahead', [now + 30_000]);
  const hour: Range = { from_ms: now - hourMs, to_ms: now, resolution: 'hour' };
  expect(await totalOf(whole('ahead'), hour)).toBe(1);
  await new FoldStore(database).fold(now + hourMs);
  expect(await totalOf(whole('ahead'), hour)).toBe(1);
});

it('folds more than one transaction takes, and leaves a minute that is locked for the next time', async () => {
  const windows = new WindowSums();
  const models = Array.from({ length: 5 }, (_, index) => `many_${index}`);
  for (const model_id of models)
    await count(
      windows,
      model_id,
      Array.from({ length: 101 }, (_, index) => now - (index + 1) * minuteMs),
    );
  const client = new pg.Client({ connectionString: test.url });
  await client.connect();
  await client.query('BEGIN');
  await client.query("SELECT FROM metrics.model_window WHERE model_id = 'many_3' AND window_start = $1 FOR UPDATE", [
    new Date(now - minuteMs),
  ]);
  const fold = new FoldStore(database);
  expect(await fold.fold(now)).toBe(5 * 101 - 1);
  await client.query('ROLLBACK');
  await client.end();
  expect(await fold.fold(now)).toBe(1);
  for (const model_id of models) expect(await totalsOf(whole(model_id))).toEqual([101, 101, 101, 101]);
});

it('leaves nothing of a model that is removed while its minutes are folded', async () => {
  await count(new WindowSums(), 'removed', [now - 3 * minuteMs, now - 2 * minuteMs]);
  const client = new pg.Client({ connectionString: test.url });
  await client.connect();
  const waiting = async (many: number): Promise<void> => {
    const sql = "SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    for (;;) {
      const { rows } = await client.query<{ count: number }>(sql);
      if (rows[0]!.count >= many) return;
    }
  };
  // The fold waits in its midst to see whether the hour is there: after it has locked the minutes.
  await client.query('BEGIN');
  await client.query("INSERT INTO metrics.model_window (model_id, period, window_start) VALUES ('removed', 'hour', $1)", [
    new Date(Math.floor((now - 3 * minuteMs) / hourMs) * hourMs),
  ]);
  const folding = new FoldStore(database).fold(now);
  await waiting(1);
  const removing = removeModel(database, 'removed');
  await waiting(2);
  await client.query('ROLLBACK');
  await client.end();
  expect(await folding).toBe(2);
  await removing;
  expect(await stored('removed')).toEqual({});
});

/** Mulberry32, so that a run that fails can be had again, as far as the races allow. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** On a busy machine all that is to happen at once takes longer to happen a few times. */
const leastMs = 2_500;
const mostMs = 30_000;

it('of folds, ingestion with late events, readers and killed sessions at once, every committed event is counted once', async () => {
  const models = ['r0', 'r1', 'r2'];
  const armsOf = (model_id: string): Arm[] => [whole(model_id), { model_id, flag_key: 'f', variant: 'v' }];
  const minutes = 6;
  /** Three events of each model and minute a batch. */
  const unit = 3 * minutes;
  await database.query('CREATE TABLE done (batch int PRIMARY KEY)');
  let begun = 0;
  let committed = 0;
  let [kills, folded, reads, late] = [0, 0, 0, 0];
  const began = Date.now();
  const enough = (): boolean => Math.min(committed, late, folded, reads, kills) > 3 && Date.now() > began + leastMs;
  const running = (): boolean => Date.now() < began + mostMs && !enough();
  /** A killed session, lost races: whether the transaction has committed is not known. Wrong statements are none of them. */
  const transient = (error: unknown): void => {
    if (/^(22|23|42)/.test((error as { code?: string }).code ?? '')) throw error;
  };

  const ingest = async (chance: () => number): Promise<void> => {
    let windows = new WindowSums();
    while (running()) {
      const tally = new Tally();
      const batch = begun++;
      // The same minutes a few times, so that some batches come before they are folded, some meanwhile and some too late; then others.
      const shift = (Math.floor(batch / 6) + Math.floor(chance() * 2)) * minutes * minuteMs;
      for (const model_id of models)
        for (let minute = 0; minute < minutes; minute++)
          for (const arm of [{}, { flag_key: 'f', variant: 'v' }, { flag_key: 'f', variant: 'v' }])
            tally.add(
              { model_id, timing_ms: 10 + minute, success: minute > 2, occurred_at_ms: now - shift - (minute + 1) * minuteMs, ...arm },
              now,
            );
      try {
        await database
          .transaction(async (manager) => {
            const query = <Row>(sql: string, parameters: unknown[]): Promise<Row[]> => manager.query<Row[]>(sql, parameters);
            const keys = await windows.addMinutes(query, sumsOf(tally));
            await query('INSERT INTO done VALUES ($1)', [batch]);
            if (keys.length > sumsOf(tally).length) late += 1;
            if (chance() < 0.1) throw new Error('gone: rolled back');
            return keys;
          })
          .then((keys) => windows.remember(keys));
        committed += 1;
      } catch (error) {
        transient(error);
        if (chance() < 0.2) windows = new WindowSums();
      }
    }
  };
  const folding = async (chance: () => number): Promise<void> => {
    const fold = new FoldStore(database);
    while (running()) {
      await fold.fold(now).then((some) => (folded += some), transient);
      await new Promise((resolve) => setTimeout(resolve, chance() * 30));
    }
  };
  const read = async (chance: () => number): Promise<void> => {
    while (running()) {
      const model_id = models[Math.floor(chance() * models.length)]!;
      const armed = chance() < 0.5;
      const range = [null, lastDays('minute'), lastDays('hour'), lastDays('day')][Math.floor(chance() * 4)]!;
      const least = committed;
      try {
        const summary = Summary.of(await reading.of(armsOf(model_id)[Number(armed)]!, range));
        const ofBatch = armed ? (unit * 2) / 3 : unit;
        // Whole batches, none missing that was there before, and none twice.
        expect(summary.total % ofBatch).toBe(0);
        expect(summary.total / ofBatch).toBeGreaterThanOrEqual(least);
        expect(summary.total / ofBatch).toBeLessThanOrEqual(begun);
        expect([summary.sketch.count, summary.successful]).toEqual([summary.total, summary.total / 2]);
        reads += 1;
      } catch (error) {
        if (error instanceof Error && 'matcherResult' in error) throw error;
        transient(error);
      }
    }
  };
  const kill = async (chance: () => number): Promise<void> => {
    const client = new pg.Client({ connectionString: test.url });
    await client.connect();
    while (running()) {
      const { rowCount } = await client.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL ORDER BY random() LIMIT 1`,
      );
      kills += rowCount ?? 0;
      await new Promise((resolve) => setTimeout(resolve, 40 + chance() * 200));
    }
    await client.end();
  };
  const actors = [ingest, ingest, ingest, folding, folding, read, read, kill];
  await Promise.all(actors.map((actor, index) => actor(random(index + 1))));

  const [done] = await database.query<{ count: number }[]>('SELECT count(*)::int FROM done');
  expect(done!.count).toBeGreaterThanOrEqual(committed);
  const check = async (): Promise<void> => {
    for (const model_id of models)
      for (const [index, arm] of armsOf(model_id).entries()) {
        const total = index ? (done!.count * unit * 2) / 3 : done!.count * unit;
        expect(await totalsOf(arm)).toEqual(Array.from({ length: 4 }, () => total));
      }
  };
  await check();
  folded += await new FoldStore(database).fold(now + hourMs);
  await check();
  for (const model_id of models) {
    const all = (done!.count * unit * 5) / 3;
    expect(await stored(model_id)).toEqual({ folded: all, hour: all, lifetime: all });
  }
  expect({ committed, late, folded, reads, kills, enough: enough() }).toMatchObject({ enough: true });
}, 60_000);

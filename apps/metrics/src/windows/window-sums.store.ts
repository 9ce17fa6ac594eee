import { Sketch } from '#statistics/sketch.js';
import { boundTypes } from '../ingest/error-type.js';
import { type WindowSum } from './tally.js';

/** Runs one statement within a transaction and resolves to its rows. */
export type Query = <Row>(sql: string, parameters: unknown[]) => Promise<Row[]>;

export interface StoredWindow {
  model_id: string;
  flag_key: string;
  variant: string;
  period: string;
  window_start: Date;
  total: string;
  successful: string;
  sum_ms: number;
  min_ms: number | null;
  max_ms: number | null;
  sketch: Buffer | null;
  error_types: Record<string, number>;
  last_occurred_at: Date | null;
}

/** Rows of one statement: more of them could outlast the statement's time. */
const chunkRows = 2_000;
const maxSeen = 200_000;

const keyTypes = '$1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[]';
const keyNames = 'model_id, flag_key, variant, period, window_start';
const given = `unnest(${keyTypes}) AS given (${keyNames})`;
const order = 'model_id COLLATE "C", flag_key COLLATE "C", variant COLLATE "C", period COLLATE "C", window_start';

/** A row that this process has seen committed is gone: it was removed with its model, or pruned. Worth another try. */
export class WindowGone extends Error {
  override name = 'WindowGone';
}

/**
 * Adds to windows within a transaction. Rows that may be missing are made first, then all are locked, each time in one order: of replicas that
 * add to the same windows one waits for the other and none deadlocks. Rows seen before are not made again, which saves a third of the work.
 */
export class WindowSums {
  private seen = new Set<string>();

  /** Throws WindowGone when a row was removed since it was seen; nothing is remembered then. */
  async add(query: Query, sums: WindowSum[]): Promise<void> {
    const wanted = sums.map((sum) => ({ ...sum, window_start: new Date(sum.window_start_ms).toISOString() })).sort(byKey);
    for (const part of chunks(wanted.filter((window) => !this.seen.has(keyOf(window))))) await make(query, part);
    const stored = new Map<string, StoredWindow>();
    for (const part of chunks(wanted)) {
      const rows = await query<StoredWindow>(
        `SELECT * FROM metrics.model_window WHERE (${keyNames}) IN (SELECT * FROM ${given}) ORDER BY ${order} FOR UPDATE`,
        keysOf(part),
      );
      for (const row of rows) stored.set(keyOf({ ...row, window_start: row.window_start.toISOString() }), row);
    }
    if (stored.size < wanted.length) {
      this.seen.clear();
      throw new WindowGone('A window that was there before is not there any more');
    }
    for (const part of chunks(wanted)) await update(query, part, stored);
  }

  /** To be called once the transaction has been committed. */
  remember(sums: WindowSum[]): void {
    if (this.seen.size > maxSeen) this.seen.clear();
    for (const sum of sums) this.seen.add(keyOf({ ...sum, window_start: new Date(sum.window_start_ms).toISOString() }));
  }
}

interface Wanted extends WindowSum {
  window_start: string;
}

type Key = Pick<Wanted, 'model_id' | 'flag_key' | 'variant' | 'window_start'> & { period: string };

const keyOf = ({ model_id, flag_key, variant, period, window_start }: Key): string =>
  `${model_id}\u0000${flag_key}\u0000${variant}\u0000${period}\u0000${window_start}`;

/** In the order in which PostgreSQL compares bytes, so that chunks follow each other in it too. */
const byKey = (a: Key, b: Key): number => Buffer.compare(Buffer.from(keyOf(a)), Buffer.from(keyOf(b)));

function* chunks<Item>(items: Item[]): Generator<Item[]> {
  for (let at = 0; at < items.length; at += chunkRows) yield items.slice(at, at + chunkRows);
}

const keysOf = (windows: Wanted[]): unknown[] => [
  windows.map(({ model_id }) => model_id),
  windows.map(({ flag_key }) => flag_key),
  windows.map(({ variant }) => variant),
  windows.map(({ period }) => period),
  windows.map(({ window_start }) => window_start),
];

async function make(query: Query, windows: Wanted[]): Promise<void> {
  await query(
    `INSERT INTO metrics.model_window (${keyNames}) SELECT * FROM ${given} ORDER BY ${order} ON CONFLICT DO NOTHING`,
    keysOf(windows),
  );
}

async function update(query: Query, windows: Wanted[], stored: Map<string, StoredWindow>): Promise<void> {
  const sums = windows.map((window) => added(window, stored.get(keyOf(window))!));
  await query(
    `UPDATE metrics.model_window AS stored SET total = new.total, successful = new.successful, sum_ms = new.sum_ms, min_ms = new.min_ms,
       max_ms = new.max_ms, sketch = new.sketch, error_types = new.error_types, last_occurred_at = new.last_occurred_at
     FROM unnest(${keyTypes}, $6::bigint[], $7::bigint[], $8::float8[], $9::float8[], $10::float8[], $11::bytea[], $12::jsonb[],
       $13::timestamptz[]) AS new (${keyNames}, total, successful, sum_ms, min_ms, max_ms, sketch, error_types, last_occurred_at)
     WHERE (stored.model_id, stored.flag_key, stored.variant, stored.period, stored.window_start)
       = (new.model_id, new.flag_key, new.variant, new.period, new.window_start)`,
    [
      ...keysOf(windows),
      sums.map(({ total }) => total),
      sums.map(({ successful }) => successful),
      sums.map(({ sum_ms }) => sum_ms),
      sums.map(({ min_ms }) => min_ms),
      sums.map(({ max_ms }) => max_ms),
      sums.map(({ sketch }) => sketch),
      sums.map(({ error_types }) => error_types),
      sums.map(({ last_occurred_at }) => last_occurred_at),
    ],
  );
}

function added({ counters }: WindowSum, row: StoredWindow) {
  const sketch = row.sketch ? Sketch.parse(row.sketch) : new Sketch();
  sketch.merge(counters.sketch);
  const last = Math.max(row.last_occurred_at?.getTime() ?? -Infinity, counters.last_occurred_at_ms);
  return {
    total: Number(row.total) + counters.total,
    successful: Number(row.successful) + counters.successful,
    sum_ms: row.sum_ms + counters.sum_ms,
    min_ms: Math.min(row.min_ms ?? Infinity, counters.min_ms),
    max_ms: Math.max(row.max_ms ?? -Infinity, counters.max_ms),
    sketch: Buffer.from(sketch.serialise()),
    error_types: JSON.stringify(counters.errors.size ? addedTypes(row.error_types, counters.errors) : row.error_types),
    last_occurred_at: new Date(last).toISOString(),
  };
}

function addedTypes(stored: Record<string, number>, errors: ReadonlyMap<string, number>): Record<string, number> {
  const types = new Map(Object.entries(stored));
  for (const [type, count] of errors) {
    const bounded = boundTypes(types, type);
    types.set(bounded, (types.get(bounded) ?? 0) + count);
  }
  return Object.fromEntries(types);
}

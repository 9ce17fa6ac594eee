import { boundTypes } from '../ingest/error-type.js';
import { RowGone } from '../row-gone.js';
import { bigints, byteas, floats, instants, texts } from './array-parameter.js';
import { foldedSums, type WindowSum } from './tally.js';

/** Runs one statement within a transaction and resolves to its rows. */
export type Query = <Row>(sql: string, parameters: unknown[]) => Promise<Row[]>;

/**
 * Every statement here finds a few rows of a large table by their keys. Not knowing how few, the planner may choose to read all of the table,
 * which costs the more the longer the service runs. For the rest of a transaction it does not.
 */
export const keyLookups = 'SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_seqscan = off';

/** Rows of one statement: more of them could outlast the statement's time, and the next are read while these are merged. */
const chunkRows = 1_000;
const maxSeen = 200_000;

/** Parameters from $first on. */
const parameters = (types: string[]) => (first: number) => types.map((type, index) => `$${first + index}::${type}[]`).join(', ');
const keyTypes = parameters(['text', 'text', 'text', 'text', 'timestamptz']);
const keyNames = 'model_id, flag_key, variant, period, window_start';
const valueTypes = parameters(['bigint', 'bigint', 'float8', 'float8', 'float8', 'timestamptz', 'bytea', 'text']);
const valueNames = 'total, successful, sum_ms, min_ms, max_ms, last_occurred_at, sketch, error_types';

interface Added {
  /** What `remember` is to be told. */
  keys: string[];
  /** Of the sums, those whose rows were folded already: what was added there now is not in wider windows. */
  late: WindowSum[];
}

/**
 * Adds to windows within a transaction. Rows that may be missing are made first, then all others are locked, each time in one order: of replicas
 * that add to the same windows one waits for the other and none deadlocks. Rows seen before are not made again, which saves a third of the work.
 */
export class WindowSums {
  private seen = new Set<string>();

  /**
   * Adds to minutes, and for those that are folded already to their hours and lifetimes as well: after all minutes, which is the order in
   * which a fold takes them too. Resolves and throws as `add`.
   */
  async addMinutes(query: Query, minutes: readonly WindowSum[]): Promise<string[]> {
    const { keys, late } = await this.addKnowingLate(query, minutes);
    return late.length ? [...keys, ...(await this.add(query, foldedSums(late)))] : keys;
  }

  /** Resolves to what `remember` is to be told. Throws RowGone when a row was removed since it was seen; nothing is remembered then. */
  async add(query: Query, sums: readonly WindowSum[]): Promise<string[]> {
    return (await this.addKnowingLate(query, sums)).keys;
  }

  private async addKnowingLate(query: Query, sums: readonly WindowSum[]): Promise<Added> {
    const wanted = sums.map((sum): Wanted => ({ sum, key: keyOf(sum, sum.window_start_ms) })).sort(byKey);
    const made = new Set<string>();
    for (const part of chunks(wanted.filter(({ key }) => !this.seen.has(key)))) for (const key of await make(query, part)) made.add(key);
    const parts = [...chunks(made.size ? wanted.filter(({ key }) => !made.has(key)) : wanted)];
    const late: WindowSum[] = [];
    let locking = parts[0] && lock(query, parts[0]);
    for (const [index, part] of parts.entries()) {
      const stored = await locking!;
      if (stored.length < part.length) {
        this.seen.clear();
        throw new RowGone('A window that was there before is not there any more');
      }
      const next = parts[index + 1];
      locking = next && lock(query, next);
      let values: Buffer[];
      try {
        values = added(part, stored);
      } finally {
        // A connection takes one statement after the other, also where what is stored cannot be read.
        await locking;
      }
      await query(update, values);
      for (const [place, { folded }] of stored.entries()) if (folded) late.push(part[place]!.sum);
    }
    return { keys: wanted.map(({ key }) => key), late };
  }

  /** To be called with what `add` resolved to, once the transaction has been committed. */
  remember(keys: readonly string[]): void {
    if (this.seen.size > maxSeen) this.seen.clear();
    for (const key of keys) this.seen.add(key);
  }
}

interface Wanted {
  sum: WindowSum;
  key: string;
}

type Key = Pick<WindowSum, 'model_id' | 'flag_key' | 'variant'> & { period: string };

const keyOf = ({ model_id, flag_key, variant, period }: Key, window_start_ms: number): string =>
  `${model_id}\u0000${flag_key}\u0000${variant}\u0000${period}\u0000${window_start_ms}`;

const byKey = (a: Wanted, b: Wanted): number => (a.key < b.key ? -1 : 1);

function* chunks<Item>(items: Item[]): Generator<Item[]> {
  for (let at = 0; at < items.length; at += chunkRows) yield items.slice(at, at + chunkRows);
}

const keysOf = (windows: readonly Wanted[]): Buffer[] => [
  texts(windows.map(({ sum }) => sum.model_id)),
  texts(windows.map(({ sum }) => sum.flag_key)),
  texts(windows.map(({ sum }) => sum.variant)),
  texts(windows.map(({ sum }) => sum.period)),
  instants(windows.map(({ sum }) => sum.window_start_ms)),
];

/** What is added, but for the sketch and the error types, which are what is to stand there. */
const valuesOf = (windows: readonly Wanted[], sketches: Uint8Array[], error_types: (string | null)[]): Buffer[] => [
  bigints(windows.map(({ sum }) => sum.counters.total)),
  bigints(windows.map(({ sum }) => sum.counters.successful)),
  floats(windows.map(({ sum }) => sum.counters.sum_ms)),
  floats(windows.map(({ sum }) => sum.counters.min_ms)),
  floats(windows.map(({ sum }) => sum.counters.max_ms)),
  instants(windows.map(({ sum }) => sum.counters.last_occurred_at_ms)),
  byteas(sketches),
  texts(error_types),
];

/** Makes those that are missing. Resolves to the keys of these; the others are there, perhaps just made by another replica. */
async function make(query: Query, windows: Wanted[]): Promise<string[]> {
  const sketches = windows.map(({ sum }) => sum.counters.sketch.serialise());
  const error_types = windows.map(({ sum }) => typesAdded('{}', sum.counters.errors) ?? '{}');
  const rows = await query<Key & { window_start: Date }>(
    `INSERT INTO metrics.model_window (${keyNames}, ${valueNames}, folded)
     SELECT ${keyNames}, ${valueNames}::jsonb, period IN ('hour', 'day')
       FROM unnest(${keyTypes(1)}, ${valueTypes(6)}) WITH ORDINALITY AS new (${keyNames}, ${valueNames}, place) ORDER BY place
     ON CONFLICT DO NOTHING RETURNING ${keyNames}`,
    [...keysOf(windows), ...valuesOf(windows, sketches, error_types)],
  );
  return rows.map((row) => keyOf(row, row.window_start.getTime()));
}

interface Locked {
  /** Where the row is, and stays while it is locked. */
  place: string;
  sketch: Buffer | null;
  error_types: string;
  folded: boolean;
}

/** In the order of the windows; fewer where some are missing. */
const lock = (query: Query, windows: Wanted[]): Promise<Locked[]> =>
  query<Locked>(
    `SELECT stored.ctid::text AS place, sketch, error_types::text, folded
       FROM unnest(${keyTypes(1)}) WITH ORDINALITY AS given (${keyNames}, number)
       JOIN metrics.model_window AS stored USING (${keyNames}) ORDER BY given.number FOR UPDATE OF stored`,
    keysOf(windows),
  );

const update = `UPDATE metrics.model_window AS stored SET total = stored.total + new.total, successful = stored.successful + new.successful,
    sum_ms = stored.sum_ms + new.sum_ms, min_ms = least(stored.min_ms, new.min_ms), max_ms = greatest(stored.max_ms, new.max_ms),
    last_occurred_at = greatest(stored.last_occurred_at, new.last_occurred_at), sketch = new.sketch,
    error_types = coalesce(new.error_types::jsonb, stored.error_types)
  FROM unnest($1::text[]::tid[], ${valueTypes(2)}) AS new (place, ${valueNames}) WHERE stored.ctid = new.place`;

/** Parameters of `update`. */
function added(windows: Wanted[], stored: Locked[]): Buffer[] {
  const sketches = windows.map(({ sum: { counters } }, index) => {
    const sketch = stored[index]!.sketch;
    return sketch ? counters.sketch.addedTo(sketch) : counters.sketch.serialise();
  });
  const error_types = windows.map(({ sum }, index) => typesAdded(stored[index]!.error_types, sum.counters.errors));
  return [texts(stored.map(({ place }) => place)), ...valuesOf(windows, sketches, error_types)];
}

/** As JSON; null where none is added. */
function typesAdded(stored: string, errors: ReadonlyMap<string, number>): string | null {
  if (errors.size === 0) return null;
  const types = new Map(Object.entries(JSON.parse(stored) as Record<string, number>));
  for (const [type, count] of errors) {
    const bounded = boundTypes(types, type);
    types.set(bounded, (types.get(bounded) ?? 0) + count);
  }
  return JSON.stringify(Object.fromEntries(types));
}

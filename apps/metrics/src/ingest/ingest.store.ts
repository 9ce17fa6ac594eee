import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { AppError } from '#contracts/errors.js';
import { runAs, system } from '#runtime/caller.js';
import { Telemetry } from '#runtime/telemetry.js';
import { Sketch } from '#statistics/sketch.js';
import { AppliedRange } from './applied-range.js';
import { boundTypes } from './error-type.js';
import { type DecodedMessage, decodeMessage } from './inference-event.js';
import { KnownModels } from '../known-models.store.js';
import { type Counters, minuteMs, Tally } from '../windows/tally.js';

export interface StreamMessage {
  /** Who numbered it: a message is counted once per source and sequence. */
  source: string;
  sequence: number;
  /** Epoch milliseconds at which JetStream stored it. */
  stored_at: number;
  body: Uint8Array;
}

interface Letter {
  message: StreamMessage;
  event: number;
  reason: string;
}

interface Window {
  model_id: string;
  period: 'lifetime' | 'minute';
  window_start: string;
  counters: Counters;
}

interface StoredWindow {
  model_id: string;
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

const epoch = new Date(0).toISOString();
const maxLetterBytes = 4_096;

/**
 * Counts inference events, each once. One transaction locks the ledger rows of the batch's producers, drops what they have already applied,
 * adds the rest to the windows and writes down what cannot be counted. Rows are locked in one order, so that replicas wait and do not
 * deadlock. See docs/adr/0004-producer-range-ledger.md.
 */
@Injectable()
export class IngestStore {
  constructor(
    private readonly database: DataSource,
    private readonly known: KnownModels,
    private readonly telemetry: Telemetry,
  ) {}

  /** `deferred`: places of the messages that name a model of which cannot be told now whether it exists; they must come again. */
  async ingest(messages: StreamMessage[], now: number): Promise<{ deferred: Set<number> }> {
    const decoded = messages.map(({ body, stored_at }) => decodeMessage(body, stored_at));
    const models = await this.look(decoded);
    const deferred = new Set(
      decoded.flatMap(({ events }, index) => (events.some(({ model_id }) => models.get(model_id) === 'unsure') ? [index] : [])),
    );
    const ready = messages.map((message, index) => ({ message, ...decoded[index]! })).filter((_, index) => !deferred.has(index));
    if (ready.length) await this.database.transaction((manager) => this.apply(manager, ready, models, now));
    return { deferred };
  }

  private async apply(
    manager: EntityManager,
    ready: (DecodedMessage & { message: StreamMessage })[],
    models: Map<string, 'known' | 'unknown' | 'unsure'>,
    now: number,
  ): Promise<void> {
    const ledger = await lockLedger(manager, [...new Set(ready.map(({ message }) => message.source))]);
    const tally = new Tally();
    const letters: Letter[] = [];
    let repeated = 0;
    for (const { message, events, rejected } of ready) {
      if (!ledger.get(message.source)?.add(message.sequence)) {
        repeated += 1;
        continue;
      }
      for (const { index, reason } of rejected) letters.push({ message, event: index ?? -1, reason });
      events.forEach((event, index) => {
        if (models.get(event.model_id) === 'known') tally.add(event, now);
        else letters.push({ message, event: index, reason: `model_id; there is no model ${event.model_id}` });
      });
    }
    await addWindows(manager, windowsOf(tally));
    await writeLetters(manager, letters);
    await saveLedger(manager, ledger);
    this.telemetry.events.inc({ outcome: 'counted' }, tally.total);
    this.telemetry.events.inc({ outcome: 'clamped' }, tally.clamped);
    this.telemetry.events.inc({ outcome: 'dead_letter' }, letters.length);
    this.telemetry.events.inc({ outcome: 'repeated_message' }, repeated);
  }

  private async look(decoded: DecodedMessage[]): Promise<Map<string, 'known' | 'unknown' | 'unsure'>> {
    const ids = [...new Set(decoded.flatMap(({ events }) => events.map(({ model_id }) => model_id)))];
    return runAs(system('ingest'), async () => new Map(await Promise.all(ids.map(async (id) => [id, await this.exists(id)] as const))));
  }

  private async exists(model_id: string): Promise<'known' | 'unknown' | 'unsure'> {
    try {
      await this.known.require(model_id);
      return 'known';
    } catch (error) {
      if (error instanceof AppError && error.code === 'MODEL_NOT_FOUND') return 'unknown';
      return 'unsure';
    }
  }
}

const windowsOf = (tally: Tally): Window[] => [
  ...tally.lifetimes().map(({ model_id, counters }): Window => ({ model_id, period: 'lifetime', window_start: epoch, counters })),
  ...tally.windows(minuteMs).map(({ model_id, window_start_ms, counters }): Window => ({
    model_id,
    period: 'minute',
    window_start: new Date(window_start_ms).toISOString(),
    counters,
  })),
];

async function lockLedger(manager: EntityManager, sources: string[]): Promise<Map<string, AppliedRange>> {
  await manager.query(
    'INSERT INTO metrics.ingest_ledger (source) SELECT source FROM unnest($1::text[]) AS source ORDER BY source COLLATE "C" ON CONFLICT DO NOTHING',
    [sources],
  );
  const rows = await manager.query<{ source: string; applied: string }[]>(
    'SELECT source, applied::text FROM metrics.ingest_ledger WHERE source = ANY($1) ORDER BY source COLLATE "C" FOR UPDATE',
    [sources],
  );
  return new Map(rows.map(({ source, applied }) => [source, AppliedRange.parse(applied)]));
}

async function saveLedger(manager: EntityManager, ledger: Map<string, AppliedRange>): Promise<void> {
  await manager.query(
    `UPDATE metrics.ingest_ledger AS ledger SET applied = new.applied::int8multirange, seen_at = now()
     FROM unnest($1::text[], $2::text[]) AS new (source, applied) WHERE ledger.source = new.source`,
    [[...ledger.keys()], [...ledger.values()].map((applied) => applied.format())],
  );
}

async function addWindows(manager: EntityManager, windows: Window[]): Promise<void> {
  if (windows.length === 0) return;
  const keys = [
    windows.map(({ model_id }) => model_id),
    windows.map(({ period }) => period),
    windows.map(({ window_start }) => window_start),
  ];
  const given = 'unnest($1::text[], $2::text[], $3::timestamptz[]) AS given (model_id, period, window_start)';
  const order = 'model_id COLLATE "C", period COLLATE "C", window_start';
  await manager.query(
    `INSERT INTO metrics.model_window (model_id, period, window_start) SELECT * FROM ${given} ORDER BY ${order} ON CONFLICT DO NOTHING`,
    keys,
  );
  const rows = await manager.query<StoredWindow[]>(
    `SELECT * FROM metrics.model_window WHERE (model_id, period, window_start) IN (SELECT * FROM ${given}) ORDER BY ${order} FOR UPDATE`,
    keys,
  );
  const stored = new Map(rows.map((row) => [windowKey(row.model_id, row.period, row.window_start.toISOString()), row]));
  const sums = windows.map((window) => added(window, stored.get(windowKey(window.model_id, window.period, window.window_start))));
  await manager.query(
    `UPDATE metrics.model_window AS stored SET total = new.total, successful = new.successful, sum_ms = new.sum_ms, min_ms = new.min_ms,
       max_ms = new.max_ms, sketch = new.sketch, error_types = new.error_types, last_occurred_at = new.last_occurred_at
     FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::bigint[], $5::bigint[], $6::float8[], $7::float8[], $8::float8[], $9::bytea[],
       $10::jsonb[], $11::timestamptz[])
       AS new (model_id, period, window_start, total, successful, sum_ms, min_ms, max_ms, sketch, error_types, last_occurred_at)
     WHERE (stored.model_id, stored.period, stored.window_start) = (new.model_id, new.period, new.window_start)`,
    [
      ...keys,
      sums.map(({ total }) => total),
      sums.map(({ successful }) => successful),
      sums.map(({ sum_ms }) => sum_ms),
      sums.map(({ min_ms }) => min_ms),
      sums.map(({ max_ms }) => max_ms),
      sums.map(({ sketch }) => sketch),
      sums.map(({ error_types }) => JSON.stringify(error_types)),
      sums.map(({ last_occurred_at }) => last_occurred_at),
    ],
  );
}

const windowKey = (model_id: string, period: string, window_start: string): string => `${model_id} ${period} ${window_start}`;

function added({ counters }: Window, row: StoredWindow | undefined) {
  if (!row) throw new Error('A window that was just inserted is not there');
  const sketch = row.sketch ? Sketch.parse(row.sketch) : new Sketch();
  sketch.merge(counters.sketch);
  const types = new Map(Object.entries(row.error_types));
  for (const [type, count] of counters.errors) {
    const bounded = boundTypes(new Set(types.keys()), type);
    types.set(bounded, (types.get(bounded) ?? 0) + count);
  }
  const last = Math.max(row.last_occurred_at?.getTime() ?? -Infinity, counters.last_occurred_at_ms);
  return {
    total: Number(row.total) + counters.total,
    successful: Number(row.successful) + counters.successful,
    sum_ms: row.sum_ms + counters.sum_ms,
    min_ms: Math.min(row.min_ms ?? Infinity, counters.min_ms),
    max_ms: Math.max(row.max_ms ?? -Infinity, counters.max_ms),
    sketch: Buffer.from(sketch.serialise()),
    error_types: Object.fromEntries(types),
    last_occurred_at: new Date(last).toISOString(),
  };
}

async function writeLetters(manager: EntityManager, letters: Letter[]): Promise<void> {
  if (letters.length === 0) return;
  await manager.query(
    `INSERT INTO metrics.dead_letter (source, sequence, event, reason, body)
     SELECT * FROM unnest($1::text[], $2::bigint[], $3::int[], $4::text[], $5::bytea[]) ON CONFLICT DO NOTHING`,
    [
      letters.map(({ message }) => message.source),
      letters.map(({ message }) => message.sequence),
      letters.map(({ event }) => event),
      letters.map(({ reason }) => reason),
      letters.map(({ message }) => Buffer.from(message.body.subarray(0, maxLetterBytes))),
    ],
  );
}

import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import pg from 'pg';
import { isDatabaseAway } from '#runtime/database-fault.js';
import { measurePool } from '#runtime/database.measurements.js';
import { Logger } from '#runtime/logger.js';
import { Telemetry } from '#runtime/telemetry.js';
import { MetricsConfig } from '../metrics.config.js';
import { RowGone } from '../row-gone.js';
import { type WindowSum } from '../windows/tally.js';
import { keyLookups, type Query, WindowSums } from '../windows/window-sums.store.js';
import { AppliedRange } from './applied-range.js';
import {
  armKey,
  type BatchOutcome,
  type EventId,
  eventIdKey,
  type IngestTransaction,
  type LedgerEntry,
  type Letter,
  type StreamPlace,
} from './count-batch.js';

/** Two batches of one replica would only wait for each other's ledger rows. */
const connections = 1;
const connectWithinMs = 5_000;
/** A large batch takes its time, and so does waiting for another replica's. Both far below the wait for an acknowledgement. */
const statementMs = 10_000;
const begin = `BEGIN; SET LOCAL plan_cache_mode = force_generic_plan; ${keyLookups}`;

/**
 * The transactions that count. They have a connection of their own: what readers and probes may take, a large batch may not. See
 * docs/adr/0004-producer-range-ledger.md.
 */
@Injectable()
export class IngestStore implements OnModuleDestroy {
  private readonly pool: pg.Pool;
  private readonly windows = new WindowSums();
  private readonly names = new Map<string, string>();

  constructor(config: MetricsConfig, logger: Logger, telemetry: Telemetry) {
    this.pool = new pg.Pool({
      connectionString: config.DATABASE_URL,
      max: connections,
      application_name: 'emr-metrics-ingest',
      connectionTimeoutMillis: connectWithinMs,
      statement_timeout: statementMs,
      query_timeout: statementMs + 1_000,
      idle_in_transaction_session_timeout: statementMs,
      keepAlive: true,
    });
    measurePool(telemetry, 'ingest', connections, this.pool);
    // A connection that breaks is replaced by the next batch: in use it fails its statement, and says so here as well, unheard of which it
    // would end the process.
    const lost = (error: Error): void => logger.debug(`Lost the ingest connection: ${error.message}`, 'database');
    this.pool.on('error', lost).on('connect', (client) => client.on('error', lost));
  }

  async onModuleDestroy(): Promise<void> {
    await this.pool.end();
  }

  async transaction(work: (transaction: IngestTransaction) => Promise<BatchOutcome>): Promise<BatchOutcome> {
    const client = await this.pool.connect();
    let broken = true;
    try {
      await client.query(begin);
      const query: Query = async <Row>(text: string, values: unknown[]) =>
        (await client.query<Row & pg.QueryResultRow>({ name: this.nameOf(text), text, values })).rows;
      const transaction = new PostgresTransaction(query, this.windows);
      const outcome = await work(transaction);
      await client.query('COMMIT');
      transaction.committed();
      broken = false;
      return outcome;
    } finally {
      // After a failure the connection's state is not known: the server rolls back what a closed connection left.
      client.release(broken);
    }
  }

  /** Of all counted messages, the place of the one farthest on. */
  async lastPlace(): Promise<StreamPlace | undefined> {
    const { rows } = await this.pool.query<{ place: string; stored_at: Date }>(
      'SELECT place, stored_at FROM metrics.ingest_ledger WHERE place IS NOT NULL ORDER BY place DESC LIMIT 1',
    );
    return rows[0] && { sequence: Number(rows[0].place), stored_ms: rows[0].stored_at.getTime() };
  }

  async forgetPlaces(): Promise<void> {
    await this.pool.query('UPDATE metrics.ingest_ledger SET place = NULL, stored_at = NULL WHERE place IS NOT NULL');
  }

  /** The server plans a statement with a name once for each connection. */
  private nameOf(sql: string): string {
    let name = this.names.get(sql);
    if (name === undefined) this.names.set(sql, (name = `ingest_${this.names.size}`));
    return name;
  }

  isTransient(error: unknown): boolean {
    return isDatabaseAway(error) || error instanceof RowGone || lostRace.has((error as { code?: string }).code ?? '');
  }
}

/** Serialisation failure, deadlock, lock not available, idle in transaction for too long. */
const lostRace = new Set(['40001', '40P01', '55P03', '25P03']);

/** Counting as statements of one open transaction. */
export class PostgresTransaction implements IngestTransaction {
  private added: string[] = [];

  constructor(
    private readonly query: Query,
    private readonly windows: WindowSums,
  ) {}

  committed(): void {
    this.windows.remember(this.added);
  }

  async lockLedger(sources: string[]): Promise<Map<string, AppliedRange>> {
    await this.query(
      'INSERT INTO metrics.ingest_ledger (source) SELECT source FROM unnest($1::text[]) AS source ORDER BY source COLLATE "C" ON CONFLICT DO NOTHING',
      [sources],
    );
    const rows = await this.query<{ source: string; applied: string }>(
      'SELECT source, applied::text FROM metrics.ingest_ledger WHERE source = ANY($1) ORDER BY source COLLATE "C" FOR UPDATE',
      [sources],
    );
    // One that has said nothing for days may be pruned between the two.
    if (rows.length < sources.length) throw new RowGone('The ledger row of a producer that was there before is not there any more');
    return new Map(rows.map(({ source, applied }) => [source, AppliedRange.parse(applied)]));
  }

  async saveLedger(ledger: Map<string, LedgerEntry>): Promise<void> {
    const entries = [...ledger.values()];
    await this.query(
      `UPDATE metrics.ingest_ledger AS ledger SET applied = new.applied::int8multirange, seen_at = now(),
         (place, stored_at) = (SELECT CASE WHEN ledger.stored_at > new.stored_at THEN ledger.place ELSE new.place END, GREATEST(ledger.stored_at, new.stored_at))
       FROM unnest($1::text[], $2::text[], $3::bigint[], $4::timestamptz[]) AS new (source, applied, place, stored_at)
       WHERE ledger.source = new.source`,
      [
        [...ledger.keys()],
        entries.map(({ applied }) => applied.format()),
        entries.map(({ place }) => place.sequence),
        entries.map(({ place }) => new Date(place.stored_ms)),
      ],
    );
  }

  async claimEventIds(ids: EventId[]): Promise<Set<string>> {
    const rows = await this.query<EventId>(
      `INSERT INTO metrics.counted_event (model_id, event_id) SELECT * FROM unnest($1::text[], $2::text[]) AS given (model_id, event_id)
       ORDER BY model_id COLLATE "C", event_id COLLATE "C" ON CONFLICT DO NOTHING RETURNING model_id, event_id`,
      [ids.map(({ model_id }) => model_id), ids.map(({ event_id }) => event_id)],
    );
    return new Set(rows.map(eventIdKey));
  }

  async armsOf(model_ids: string[]): Promise<Map<string, Set<string>>> {
    const rows = await this.query<{ model_id: string; flag_key: string; variant: string }>(
      `SELECT DISTINCT model_id, flag_key, variant FROM metrics.model_window WHERE model_id = ANY($1) AND flag_key <> '' AND NOT folded`,
      [model_ids],
    );
    const arms = new Map<string, Set<string>>();
    for (const { model_id, flag_key, variant } of rows)
      arms.set(model_id, (arms.get(model_id) ?? new Set()).add(armKey(flag_key, variant)));
    return arms;
  }

  async addWindows(sums: WindowSum[]): Promise<void> {
    this.added = await this.windows.addMinutes(this.query, sums);
  }

  async writeLetters(letters: Letter[]): Promise<void> {
    await this.query(
      `INSERT INTO metrics.dead_letter (source, sequence, event, model_id, reason, body)
       SELECT * FROM unnest($1::text[], $2::bigint[], $3::int[], $4::text[], $5::text[], $6::bytea[]) ON CONFLICT DO NOTHING`,
      [
        letters.map(({ source }) => source),
        letters.map(({ sequence }) => sequence),
        letters.map(({ event }) => event),
        letters.map(({ model_id }) => model_id),
        letters.map(({ reason }) => reason),
        letters.map(({ body }) => Buffer.from(body)),
      ],
    );
  }
}

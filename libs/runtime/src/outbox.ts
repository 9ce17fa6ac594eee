import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { Kvm, type KV } from '@nats-io/kv';
import { DataSource, type EntityManager } from 'typeorm';
import { completeMarker, type ViewContract } from '#contracts/view.js';
import { Logger } from './logger.js';
import { Nats } from './nats.js';
import { OutboxEntity } from './outbox.entity.js';
import { Readiness } from './probes.js';
import { Telemetry } from './telemetry.js';
import { asPartOf, currentTrace } from './tracing.js';
import { Turns } from './turns.js';

const batchSize = 200;
const fillAtOnce = 100;
const insertedAtOnce = 1_000;
const currentEveryMs = 900;
// Any constant: all replicas of a service share its database, and the schema's name is mixed in.
const relayLock = 91_423;

interface Publication {
  view: ViewContract<never>;
  /** Everything that the view has now, for a bucket that does not exist yet. */
  all: () => Promise<object[]>;
}

/**
 * Publishes committed changes to their view's KV bucket. A row is written in the transaction of the change and removed once NATS has
 * acknowledged it; only one replica fills or relays at a time, so that the changes of one thing arrive in the order in which they were made.
 * A relay that dies in between publishes the same state once more, which changes nothing. While NATS is away the rows wait; a bucket that
 * NATS has lost is filled again. Once a second, where nothing waits, the buckets' last key is put anew: followers know by it that they have
 * everything, and by its absence that they may not.
 */
@Injectable()
export class Outbox implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly publications = new Map<string, Publication>();
  private readonly buckets = new Map<string, KV>();
  private saidCurrent_ms = 0;
  private readonly turns = new Turns(
    async () => this.nats.connected && (await this.relay()) === batchSize,
    (error) => {
      // The bucket may be gone with NATS's store: looked for again on the next turn, and filled if it is.
      this.buckets.clear();
      this.logger.failure('Could not publish committed changes; trying again', error);
    },
  );

  constructor(
    private readonly database: DataSource,
    private readonly nats: Nats,
    private readonly logger: Logger,
    readiness: Readiness,
    telemetry: Telemetry,
  ) {
    telemetry.gauge('emr_outbox_rows', 'Committed changes that NATS has not acknowledged yet.', async () => [
      { labels: { outbox: 'views' }, value: await database.manager.count(OutboxEntity) },
    ]);
    nats.onReconnect(() => {
      this.buckets.clear();
      this.flush();
    });
    readiness.add('views', () => {
      if (this.buckets.size < this.publications.size) throw new Error('not published yet');
    });
  }

  /** `all` fills the bucket when NATS does not have it: on the first start, or after NATS lost its store. */
  publish<Record extends object>(view: ViewContract<Record>, all: () => Promise<Record[]>): void {
    this.publications.set(view.bucket, { view: view, all });
  }

  /** Changes of several things in their order. */
  async put<Record extends object>(manager: EntityManager, view: ViewContract<Record>, ...records: Record[]): Promise<void> {
    const traceparent = currentTrace();
    for (let at = 0; at < records.length; at += insertedAtOnce) {
      const part = records.slice(at, at + insertedAtOnce);
      await manager.insert(
        OutboxEntity,
        part.map((record) => ({ bucket: view.bucket, key: view.keyOf(record), value: record, traceparent })),
      );
    }
  }

  async remove<Record extends object>(manager: EntityManager, view: ViewContract<Record>, key: string): Promise<void> {
    await manager.insert(OutboxEntity, { bucket: view.bucket, key, value: null, traceparent: currentTrace() });
  }

  /** Relays now instead of at the next poll; called after the transaction has been committed. */
  flush(): void {
    this.turns.wake();
  }

  onApplicationBootstrap(): void {
    this.turns.start();
  }

  async onModuleDestroy(): Promise<void> {
    await this.turns.stop();
  }

  private async openBuckets(manager: EntityManager): Promise<void> {
    for (const [bucket, { view, all }] of this.publications) {
      if (this.buckets.has(bucket)) continue;
      const kv = await new Kvm(this.nats.js).create(bucket, { history: 1, replicas: this.nats.replicas });
      if (!(await kv.get(completeMarker))) {
        const records = await all();
        for (let at = 0; at < records.length; at += fillAtOnce) {
          const part = records.slice(at, at + fillAtOnce);
          await Promise.all(part.map((record) => kv.put(view.keyOf(record as never), JSON.stringify(record))));
          // PostgreSQL ends a session that is idle for long within its transaction, and with it the lock.
          await manager.query('SELECT 1');
        }
        await kv.put(completeMarker, '{}');
      }
      this.buckets.set(bucket, kv);
    }
  }

  private relay(): Promise<number> {
    return this.database.transaction(async (manager) => {
      const [lock] = await manager.query<{ taken: boolean }[]>(
        'SELECT pg_try_advisory_xact_lock($1, hashtext(current_setting($2))) AS taken',
        [relayLock, 'application_name'],
      );
      if (!lock?.taken) return 0;
      await this.openBuckets(manager);
      const rows = await manager.find(OutboxEntity, { order: { outbox_id: 'ASC' }, take: batchSize });
      for (const { bucket, key, value, traceparent } of rows) {
        const kv = this.buckets.get(bucket);
        if (!kv) throw new Error(`No publication for ${bucket}`);
        await asPartOf(traceparent, () => (value ? kv.put(key, JSON.stringify(value)) : kv.delete(key)));
      }
      if (rows.length)
        await manager.delete(
          OutboxEntity,
          rows.map(({ outbox_id }) => outbox_id),
        );
      if (rows.length < batchSize) await this.sayCurrent();
      return rows.length;
    });
  }

  private async sayCurrent(): Promise<void> {
    const now = performance.now();
    if (now - this.saidCurrent_ms < currentEveryMs) return;
    this.saidCurrent_ms = now;
    await Promise.all([...this.buckets.values()].map((kv) => kv.put(completeMarker, '{}')));
  }
}

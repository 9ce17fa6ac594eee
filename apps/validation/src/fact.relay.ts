import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { type RunEvent, subjectOfRun } from '#contracts/validation.js';
import { ensureFactStream } from '#runtime/fact.stream.js';
import { Logger } from '#runtime/logger.js';
import { Nats } from '#runtime/nats.js';
import { asPartOf } from '#runtime/tracing.js';
import { Turns } from '#runtime/turns.js';
import { FactEntity } from './run.entity.js';

const batchSize = 100;
// Any constant of the validation service's own: all its replicas share a database.
const relayLock = 3_727_144_922;

/**
 * Publishes what is to be told of runs. A row is removed once JetStream has acknowledged it; one replica relays at a time, in the order of the
 * rows. One that dies in between leaves it to be published again, under the same id. While NATS is away the rows wait.
 */
@Injectable()
export class FactRelay implements OnApplicationBootstrap, OnModuleDestroy {
  private streamIsThere = false;
  private readonly turns = new Turns(
    () => this.relay(),
    (error) => {
      // The stream may be gone with NATS's store: looked for again on the next turn.
      this.streamIsThere = false;
      this.logger.failure('Could not publish what is to be told of runs; trying again', error);
    },
  );

  constructor(
    private readonly database: DataSource,
    private readonly nats: Nats,
    private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    this.turns.start();
  }

  async onModuleDestroy(): Promise<void> {
    await this.turns.stop();
  }

  /** Publishes now instead of at the next poll; called after the transaction has been committed. */
  flush(): void {
    this.turns.wake();
  }

  /** Tells what may get lost: not stored, and not tried again. */
  passOn(event: RunEvent): void {
    if (!this.nats.connected || !this.streamIsThere) return;
    void this.nats.js
      .publish(subjectOfRun(event.event), JSON.stringify(event), { msgID: event.event_id })
      .catch((error: unknown) => this.logger.debug(`An event was lost: ${String(error)}`, 'facts'));
  }

  /** Whether there may be more. */
  private async relay(): Promise<boolean> {
    if (!this.nats.connected) return false;
    if (!this.streamIsThere) await ensureFactStream(this.nats);
    this.streamIsThere = true;
    return this.database.transaction(async (manager) => {
      const [lock] = await manager.query<{ taken: boolean }[]>('SELECT pg_try_advisory_xact_lock($1) AS taken', [relayLock]);
      if (!lock?.taken) return false;
      const rows = await manager.find(FactEntity, { order: { position: 'ASC' }, take: batchSize });
      for (const { subject, event, traceparent } of rows)
        await asPartOf(traceparent, () => this.nats.js.publish(subject, JSON.stringify(event), { msgID: event.event_id }));
      if (rows.length)
        await manager.delete(
          FactEntity,
          rows.map(({ position }) => position),
        );
      return rows.length === batchSize;
    });
  }
}

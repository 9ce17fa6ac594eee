import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { type RunEvent, subjectOfRun } from '#contracts/validation.js';
import { ensureFactStream } from '#runtime/fact.stream.js';
import { Logger } from '#runtime/logger.js';
import { Nats } from '#runtime/nats.js';
import { FactEntity } from './run.entity.js';

const batchSize = 100;
const pollMs = 1_000;
// Any constant of the validation service's own: all its replicas share a database.
const relayLock = 3_727_144_922;

/**
 * Publishes what is to be told of runs. A row is removed once JetStream has acknowledged it; one replica relays at a time, in the order of the
 * rows. One that dies in between leaves it to be published again, under the same id. While NATS is away the rows wait.
 */
@Injectable()
export class FactRelay implements OnApplicationBootstrap, OnModuleDestroy {
  private wake: () => void = () => undefined;
  private woken = false;
  private stopped = false;
  private streamIsThere = false;
  private running: Promise<void> = Promise.resolve();

  constructor(
    private readonly database: DataSource,
    private readonly nats: Nats,
    private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    this.running = this.run();
  }

  async onModuleDestroy(): Promise<void> {
    this.stopped = true;
    this.wake();
    await this.running;
  }

  /** Publishes now instead of at the next poll; called after the transaction has been committed. */
  flush(): void {
    this.woken = true;
    this.wake();
  }

  /** Tells what may get lost: not stored, and not tried again. */
  passOn(event: RunEvent): void {
    if (!this.nats.connected || !this.streamIsThere) return;
    void this.nats.js
      .publish(subjectOfRun(event.event), JSON.stringify(event), { msgID: event.event_id })
      .catch((error: unknown) => this.logger.debug(`An event was lost: ${String(error)}`, 'facts'));
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      this.woken = false;
      try {
        if (this.nats.connected) {
          if (!this.streamIsThere) await ensureFactStream(await this.nats.manager());
          this.streamIsThere = true;
          while ((await this.relay()) === batchSize);
        }
      } catch (error) {
        // The stream may be gone with NATS's store: looked for again on the next turn.
        this.streamIsThere = false;
        this.logger.failure('Could not publish what is to be told of runs; trying again', error);
      }
      if (!this.woken && !this.stopped) await this.nap();
    }
  }

  private nap(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, pollMs);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private relay(): Promise<number> {
    return this.database.transaction(async (manager) => {
      const [lock] = await manager.query<{ taken: boolean }[]>('SELECT pg_try_advisory_xact_lock($1) AS taken', [relayLock]);
      if (!lock?.taken) return 0;
      const rows = await manager.find(FactEntity, { order: { position: 'ASC' }, take: batchSize });
      for (const { subject, event } of rows) await this.nats.js.publish(subject, JSON.stringify(event), { msgID: event.event_id });
      if (rows.length)
        await manager.delete(
          FactEntity,
          rows.map(({ position }) => position),
        );
      return rows.length;
    });
  }
}

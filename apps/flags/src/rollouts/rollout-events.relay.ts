import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { type Counter } from 'prom-client';
import { DataSource, type EntityManager } from 'typeorm';
import { AppError } from '#contracts/errors.js';
import { type RolloutEvent, type RolloutEventName, subjectOfRollout, takeRolloutEvent } from '#contracts/rollout-event.js';
import { Bus } from '#runtime/bus.js';
import { system } from '#runtime/caller.js';
import { ensureFactStream } from '#runtime/fact.stream.js';
import { Logger } from '#runtime/logger.js';
import { Nats } from '#runtime/nats.js';
import { Telemetry } from '#runtime/telemetry.js';
import { Turns } from '#runtime/turns.js';
import { RolloutEventEntity } from './rollout.entity.js';

const batchSize = 100;
// Any constant of the flags service's own: all its replicas share a database.
const relayLock = 3_727_144_934;
const endings: readonly RolloutEventName[] = ['completed', 'rolled_back', 'aborted'];

/**
 * Tells of rollouts: on JetStream, and to the metrics service for the webhooks. Rows are written with the change that they tell of and removed once both
 * have them; neither waits for the other. One replica relays at a time, in the order of the rows. One that dies in between leaves them to be told
 * again, under the same ids, by which metrics and JetStream know them. While NATS or metrics are away they wait.
 */
@Injectable()
export class RolloutEvents implements OnApplicationBootstrap, OnModuleDestroy {
  private streamIsThere = false;
  private readonly endings: Counter<'ending'>;
  private readonly turns = new Turns(
    () => this.relay(),
    (error) => this.logger.failure('Could not tell of rollouts; trying again', error),
  );

  constructor(
    private readonly database: DataSource,
    private readonly nats: Nats,
    private readonly bus: Bus,
    private readonly logger: Logger,
    telemetry: Telemetry,
  ) {
    this.endings = telemetry.counter(
      'emr_rollout_endings_total',
      'Rollouts that ended, by how; told once by the replica that told of it.',
      ['ending'],
    );
    for (const ending of endings) this.endings.inc({ ending }, 0);
    telemetry.gauge('emr_outbox_rows', 'Committed changes that NATS has not acknowledged yet.', async () => [
      { labels: { outbox: 'rollout_events' }, value: await database.manager.count(RolloutEventEntity) },
    ]);
  }

  onApplicationBootstrap(): void {
    this.turns.start();
  }

  async onModuleDestroy(): Promise<void> {
    await this.turns.stop();
  }

  /** Tells now instead of at the next poll; called after the transaction has been committed. */
  flush(): void {
    this.turns.wake();
  }

  /** Whether there may be more. */
  private async relay(): Promise<boolean> {
    if (!this.nats.connected) return false;
    return this.database.transaction(async (manager) => {
      const [lock] = await manager.query<{ held: boolean }[]>('SELECT pg_try_advisory_xact_lock($1) AS held', [relayLock]);
      if (!lock?.held) return false;
      const published = await this.each(manager, 'published', (event) => this.publish(event));
      const taken = await this.each(manager, 'taken', (event) => this.bus.ask(takeRolloutEvent, event, system('rollouts')));
      await manager.delete(RolloutEventEntity, { published: true, taken: true });
      return published || taken;
    });
  }

  /** In their order, until one is not taken: it and those after it are for the next turn. Whether there may be more. */
  private async each(
    manager: EntityManager,
    mark: 'published' | 'taken',
    tell: (event: RolloutEvent) => Promise<unknown>,
  ): Promise<boolean> {
    const rows = await manager.find(RolloutEventEntity, { where: { [mark]: false }, order: { position: 'ASC' }, take: batchSize });
    for (const { position, event } of rows) {
      try {
        await tell(event);
      } catch (error) {
        // Whoever is away says so for itself.
        if (!(error instanceof AppError && error.code === 'SERVICE_UNAVAILABLE'))
          this.logger.failure(`An event of a rollout is not ${mark} yet; trying again`, error, { event_id: event.event_id });
        return false;
      }
      await manager.update(RolloutEventEntity, { position }, { [mark]: true });
    }
    return rows.length === batchSize;
  }

  private async publish(event: RolloutEvent): Promise<void> {
    try {
      if (!this.streamIsThere) await ensureFactStream(this.nats);
      this.streamIsThere = true;
      await this.nats.js.publish(subjectOfRollout(event.event), JSON.stringify(event), { msgID: event.event_id });
    } catch (error) {
      // The stream may be gone with NATS's store: looked for again on the next turn.
      this.streamIsThere = false;
      throw error;
    }
    if (endings.includes(event.event)) this.endings.inc({ ending: event.event });
  }
}

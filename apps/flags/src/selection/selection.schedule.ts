import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { getTick } from '#contracts/metrics.js';
import { type Model } from '#contracts/registry.js';
import { Bus } from '#runtime/bus.js';
import { system } from '#runtime/caller.js';
import { Logger } from '#runtime/logger.js';
import { Outbox } from '#runtime/outbox.js';
import { FlagsConfig } from '../flags.config.js';
import { CountedModels } from './counted-models.store.js';
import { type Counters, countersOf, latencyLimit } from './model-state.js';
import { ModelsStore } from '../models.store.js';
import { SelectionStore } from './selection.store.js';
import { endTurn, takeTurn } from './turn.store.js';

/** Of a request to metrics: its contract takes so many models. */
const askedAtOnce = 100;

/**
 * Steps breakers and weights once a tick, whatever the number of replicas: each tries, one gets the lock and the rest pass. Counters are
 * cumulative and the last ones are stored with what was made of them, so that a replica that is killed, or cut off, loses nothing: its
 * transaction is undone, and the next tick, of whichever replica, finds all that was counted since.
 */
@Injectable()
export class SelectionSchedule implements OnApplicationBootstrap, OnModuleDestroy {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;

  constructor(
    private readonly database: DataSource,
    private readonly config: FlagsConfig,
    private readonly bus: Bus,
    private readonly counted: CountedModels,
    private readonly models: ModelsStore,
    private readonly store: SelectionStore,
    private readonly outbox: Outbox,
    private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => {
      this.running ??= this.tick().finally(() => (this.running = undefined));
    }, this.config.SELECTION_TICK_SECONDS * 1000);
  }

  async onModuleDestroy(): Promise<void> {
    clearInterval(this.timer);
    await this.running;
  }

  private async tick(): Promise<void> {
    try {
      await this.database.transaction(async (manager) => {
        const turn = await takeTurn(manager, this.config.SELECTION_TICK_SECONDS);
        if (!turn) return;
        await this.store.step(manager, turn, await this.read());
        await endTurn(manager, turn);
      });
      this.outbox.flush();
    } catch (error) {
      this.logger.failure('Could not step breakers and weights; trying again at the next tick', error);
    }
  }

  /** What metrics has of the models that were counted. While it is away breakers go by the clock alone. */
  private async read(): Promise<Map<string, Counters>> {
    const live = new Map(this.models.live().map((model) => [model.model_id, model]));
    const model_ids = this.counted.take([...live.keys()], performance.now());
    const read = new Map<string, Counters>();
    try {
      for (let at = 0; at < model_ids.length; at += askedAtOnce) {
        const part = model_ids.slice(at, at + askedAtOnce);
        const { arms } = await this.bus.ask(getTick, { model_ids: part }, system('selection'));
        for (const arm of arms) read.set(arm.model_id, countersOf(arm, latencyLimit(live.get(arm.model_id) as Model)));
      }
    } catch (error) {
      this.counted.putBack(model_ids);
      this.logger.failure('Could not read what was counted; trying again at the next tick', error);
    }
    return read;
  }
}

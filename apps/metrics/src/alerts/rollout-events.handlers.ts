import { Controller } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { type RolloutEvent, type RolloutEventTaken, takeRolloutEvent } from '#contracts/rollout-event.js';
import { Answers } from '#runtime/answers.js';
import { DeliveriesStore } from './deliveries.store.js';
import { DeliveryExecutor } from './delivery.executor.js';

@Controller()
export class RolloutEventsHandlers {
  constructor(
    private readonly database: DataSource,
    private readonly deliveries: DeliveriesStore,
    private readonly executor: DeliveryExecutor,
  ) {}

  /** Answered once its deliveries are committed: a replica that is killed before that is asked again, or another is. */
  @Answers(takeRolloutEvent)
  async takeRolloutEvent(event: RolloutEvent): Promise<RolloutEventTaken> {
    await this.database.transaction((manager) => this.deliveries.enqueueRollout(manager, event, new Date().toISOString()));
    this.executor.wake();
    return { taken: true };
  }
}

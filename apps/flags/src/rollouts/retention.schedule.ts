import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { Logger } from '#runtime/logger.js';
import { FlagsConfig } from '../flags.config.js';
import { RolloutRetentionStore } from './retention.store.js';

const hourMs = 3_600_000;

/** Once an hour. */
@Injectable()
export class RolloutRetentionSchedule implements OnApplicationBootstrap, OnModuleDestroy {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;

  constructor(
    private readonly store: RolloutRetentionStore,
    private readonly config: FlagsConfig,
    private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => {
      this.running ??= this.store
        .run(this.config.ROLLOUT_RETENTION_DAYS)
        .catch((error: unknown) => this.logger.failure('Could not remove old rollouts; trying again in an hour', error))
        .finally(() => (this.running = undefined));
    }, hourMs);
  }

  async onModuleDestroy(): Promise<void> {
    clearInterval(this.timer);
    await this.running;
  }
}

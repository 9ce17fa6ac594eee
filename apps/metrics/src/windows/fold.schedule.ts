import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { Logger } from '#runtime/logger.js';
import { MetricsConfig } from '../metrics.config.js';
import { FoldStore } from './fold.store.js';

/** A minute waits at most this part of FOLD_AFTER_SECONDS longer. */
const timesInAge = 8;

/** Folds minutes in every replica: they share the work, since each passes over what another has locked. */
@Injectable()
export class FoldSchedule implements OnApplicationBootstrap, OnModuleDestroy {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;

  constructor(
    private readonly store: FoldStore,
    private readonly config: MetricsConfig,
    private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    const everyMs = (this.config.FOLD_AFTER_SECONDS * 1_000) / timesInAge;
    this.timer = setInterval(() => {
      this.running ??= this.fold().finally(() => (this.running = undefined));
    }, everyMs);
  }

  async onModuleDestroy(): Promise<void> {
    clearInterval(this.timer);
    await this.running;
  }

  private async fold(): Promise<void> {
    try {
      await this.store.fold(Date.now() - this.config.FOLD_AFTER_SECONDS * 1_000);
    } catch (error) {
      this.logger.failure('Could not fold minutes into hours and lifetimes; trying again soon', error);
    }
  }
}

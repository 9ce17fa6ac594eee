import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { SchedulerRegistry } from '@nestjs/schedule';
import { CronJob } from 'cron';
import { isDatabaseAway } from '#runtime/database-fault.js';
import { Logger } from '#runtime/logger.js';
import { NightlyExecutor } from './nightly.executor.js';
import { RunClaims } from './run-claims.store.js';
import { RunExecutor } from './run.executor.js';
import { ValidationConfig } from './validation.config.js';

/**
 * The nights, and looking after runs and rounds that wait, or whose replica died. Every replica does all of it, again and again, and relies on
 * nothing that was heard; the database lets one act.
 */
@Injectable()
export class ValidationSchedule implements OnApplicationBootstrap, OnModuleDestroy {
  private stopped = false;
  private looking: Promise<void> = Promise.resolve();
  private wake: () => void = () => undefined;

  constructor(
    private readonly config: ValidationConfig,
    private readonly schedules: SchedulerRegistry,
    private readonly nightly: NightlyExecutor,
    private readonly claims: RunClaims,
    private readonly executor: RunExecutor,
    private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    const job = CronJob.from({ cronTime: this.config.NIGHTLY_CRON, timeZone: 'UTC', onTick: () => this.wake() });
    this.schedules.addCronJob('nightly', job);
    job.start();
    this.looking = this.run();
  }

  async onModuleDestroy(): Promise<void> {
    this.stopped = true;
    this.wake();
    await this.looking;
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      await this.look();
      if (!this.stopped) await this.nap();
    }
  }

  /** One that fails, for a reason of its own, keeps none of the others from being done. */
  private async look(): Promise<void> {
    const looks = [
      () => this.nightly.lookAtNights(Date.now()),
      () => this.nightly.goOn(),
      () => this.nightly.closeOver(),
      () => this.claims.giveUpLost(),
      () => this.executor.fill(),
    ];
    for (const look of looks) {
      try {
        await look();
      } catch (error) {
        this.logger.failure('Could not look after validation runs; trying again', error);
        if (isDatabaseAway(error)) return;
      }
    }
  }

  private nap(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.config.beatMs);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

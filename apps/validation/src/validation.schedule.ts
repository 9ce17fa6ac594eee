import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { SchedulerRegistry } from '@nestjs/schedule';
import { CronJob } from 'cron';
import { Logger } from '#runtime/logger.js';
import { NightlyExecutor } from './nightly.executor.js';
import { RunsStore } from './runs.store.js';
import { ValidationConfig } from './validation.config.js';

const sweepMs = 5_000;

/** The nightly round, and looking after runs whose process died. Every replica keeps both; the database lets one act. */
@Injectable()
export class ValidationSchedule implements OnApplicationBootstrap, OnModuleDestroy {
  private sweeper: NodeJS.Timeout | undefined;

  constructor(
    private readonly config: ValidationConfig,
    private readonly schedules: SchedulerRegistry,
    private readonly nightly: NightlyExecutor,
    private readonly runs: RunsStore,
    private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    const job = CronJob.from({ cronTime: this.config.NIGHTLY_CRON, timeZone: 'UTC', onTick: () => void this.startNight() });
    this.schedules.addCronJob('nightly', job);
    job.start();
    this.sweeper = setInterval(() => void this.sweep(), sweepMs);
  }

  onModuleDestroy(): void {
    clearInterval(this.sweeper);
  }

  /** The id is the planned minute, the same at every replica. */
  private async startNight(): Promise<void> {
    const minute = new Date().toISOString().slice(0, 16);
    try {
      await this.nightly.start(`night_${minute}`);
    } catch (error) {
      this.logger.failure('The nightly validation did not start', error);
    }
  }

  private async sweep(): Promise<void> {
    try {
      await this.runs.giveUpLost();
      await this.nightly.giveUpLost();
    } catch (error) {
      this.logger.failure('Could not look for lost runs; trying again', error);
    }
  }
}

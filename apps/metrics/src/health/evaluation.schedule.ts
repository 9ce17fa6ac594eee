import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Logger } from '#runtime/logger.js';
import { AlertsStore } from '../alerts/alerts.store.js';
import { DeliveryExecutor } from '../alerts/delivery.executor.js';
import { MetricsConfig } from '../metrics.config.js';
import { HealthViewRelay } from './health-view.relay.js';
import { HealthStore } from './health.store.js';
import { RecentWindowsStore } from './recent-windows.store.js';
import { endEvaluationTurn, takeEvaluationTurn } from './turn.store.js';

/**
 * Evaluates health and alerts once a tick, whatever the number of replicas: each tries, one gets the lock and the rest pass. The lock is the
 * transaction's, so that a replica that is killed, or cut off, gives it back with all that it had half done; the next tick does it again.
 */
@Injectable()
export class EvaluationSchedule implements OnApplicationBootstrap, OnModuleDestroy {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;

  constructor(
    private readonly database: DataSource,
    private readonly config: MetricsConfig,
    private readonly health: HealthStore,
    private readonly windows: RecentWindowsStore,
    private readonly alerts: AlertsStore,
    private readonly executor: DeliveryExecutor,
    private readonly view: HealthViewRelay,
    private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => {
      this.running ??= this.tick().finally(() => (this.running = undefined));
    }, this.config.HEALTH_TICK_SECONDS * 1000);
  }

  async onModuleDestroy(): Promise<void> {
    clearInterval(this.timer);
    await this.running;
  }

  private async tick(): Promise<void> {
    try {
      const evaluated = await this.database.transaction(async (manager) => {
        const now = await takeEvaluationTurn(manager, this.config.HEALTH_TICK_SECONDS);
        if (now === null) return false;
        const health = await this.health.evaluate(manager, now);
        await this.alerts.evaluate(manager, new Map(health.map(({ model_id, health_status }) => [model_id, health_status])), now);
        await this.health.save(manager, health);
        await endEvaluationTurn(manager, now);
        this.windows.forgetStale(now);
        return true;
      });
      this.executor.wake();
      if (evaluated) await this.view.publish();
    } catch (error) {
      this.logger.failure('Could not evaluate health and alerts; trying again at the next tick', error);
    }
  }
}

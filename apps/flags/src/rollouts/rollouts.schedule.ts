import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { runAs, system } from '#runtime/caller.js';
import { Logger } from '#runtime/logger.js';
import { FlagsConfig } from '../flags.config.js';
import { PendingExecutor } from './pending.executor.js';
import { TickExecutor } from './tick.executor.js';

/** At most; a tick that is shorter is looked for five times in its length. */
const pollMs = 1_000;
/** Rollouts that are taken side by side. */
const atOnce = 5;

/** $1 those that this look has taken already, whatever came of them. */
const dueStatement = `SELECT rollout_id FROM flags.rollouts WHERE next_tick_at <= clock_timestamp() AND rollout_id <> ALL($1)
  ORDER BY next_tick_at LIMIT 100`;
const pendingStatement = `SELECT rollout_id FROM flags.rollouts WHERE next_try_at <= clock_timestamp() AND rollout_id <> ALL($1)
  ORDER BY next_try_at LIMIT 100`;

/** Looks for rollouts whose tick is due, and for changes that the registry is still to make. All replicas look; each finds what no other has taken. */
@Injectable()
export class RolloutsSchedule implements OnApplicationBootstrap, OnModuleDestroy {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;

  constructor(
    private readonly database: DataSource,
    private readonly ticks: TickExecutor,
    private readonly pending: PendingExecutor,
    private readonly config: FlagsConfig,
    private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    const every = Math.min(pollMs, this.config.ROLLOUT_TICK_SECONDS * 200);
    this.timer = setInterval(() => {
      this.running ??= this.look().finally(() => (this.running = undefined));
    }, every);
  }

  async onModuleDestroy(): Promise<void> {
    clearInterval(this.timer);
    await this.running;
  }

  /** Takes all that is due. */
  async look(): Promise<void> {
    try {
      await this.each(dueStatement, async (rollout_id) => {
        if (await this.ticks.take(rollout_id)) await this.pending.make(rollout_id);
      });
      await this.each(pendingStatement, (rollout_id) => this.pending.takeUp(rollout_id));
    } catch (error) {
      this.logger.failure('Could not look for rollouts that are due; trying again', error);
    }
  }

  /** One that fails is left to the next look, and stops no other. */
  private async each(statement: string, take: (rollout_id: string) => Promise<unknown>): Promise<void> {
    const taken: string[] = [];
    for (;;) {
      const found = await this.database.query<{ rollout_id: string }[]>(statement, [taken]);
      if (found.length === 0) return;
      const ids = found.values();
      const worker = async (): Promise<void> => {
        for (const { rollout_id } of ids) {
          await runAs(system('rollouts'), () => take(rollout_id)).catch((error: unknown) => {
            this.logger.failure('Could not go on with a rollout; trying again', error, { rollout_id });
          });
        }
      };
      await Promise.all(Array.from({ length: atOnce }, worker));
      taken.push(...found.map(({ rollout_id }) => rollout_id));
    }
  }
}

import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { AppError, raise } from '#contracts/errors.js';
import { getTick } from '#contracts/metrics.js';
import { type Model } from '#contracts/registry.js';
import { applyRollout } from '#contracts/rollouts.js';
import { Bus } from '#runtime/bus.js';
import { currentCaller } from '#runtime/caller.js';
import { FlagsConfig } from '../flags.config.js';
import { type Counters, countersOf } from './counters.js';
import { Moves } from './moves.store.js';
import { RolloutEntity } from './rollout.entity.js';
import { clock, RolloutsStore } from './rollouts.store.js';

/** $1 rollout, $2 seconds until another may try: the one who tries now may be killed. */
const claimStatement = `
  WITH claimed AS (
    UPDATE flags.rollouts SET next_try_at = clock_timestamp() + make_interval(secs => $2)
    WHERE rollout_id = $1 AND next_try_at <= clock_timestamp() RETURNING rollout_id
  ) SELECT rollout_id FROM claimed`;

/** What the registry made of models, or why it refused. */
interface Made {
  models: Model[];
  refusal: AppError | null;
}

const nothing: Made = { models: [], refusal: null };

const transient = new Set(['SERVICE_UNAVAILABLE', 'INTERNAL_ERROR', 'REQUEST_TIMEOUT']);

/**
 * Has the registry make what is planned, and lands it. It may be asked for the same change any number of times, by any number of replicas: it
 * makes it once. What it refuses is asked for again each tick, since what is missing (a validation run, say) may come; only a start that it refuses ends
 * the rollout.
 */
@Injectable()
export class PendingExecutor {
  constructor(
    private readonly database: DataSource,
    private readonly bus: Bus,
    private readonly rollouts: RolloutsStore,
    private readonly moves: Moves,
    private readonly config: FlagsConfig,
  ) {}

  /** For whoever finds a change that is due: nothing where another has taken it meanwhile. */
  async takeUp(rollout_id: string): Promise<void> {
    const claimed = await this.database.query<unknown[]>(claimStatement, [rollout_id, Math.max(1, this.config.ROLLOUT_TICK_SECONDS)]);
    if (claimed.length) await this.make(rollout_id);
  }

  /** For whoever planned it: nobody else takes it up within a tick. Nothing is made, nor refused, where the registry cannot be asked now. */
  async make(rollout_id: string): Promise<Made> {
    const row = await this.database.manager.findOneBy(RolloutEntity, { rollout_id });
    if (!row?.pending) return nothing;
    const { sequence, models, release, reason, change } = row.pending;
    const why = `rollout ${rollout_id}: ${reason}`.slice(0, 1000);
    const application = { rollout_id, sequence, models, release, override: row.override, reason: why };
    const [counters, answer] = await Promise.all([
      change === 'start' ? this.countersBefore(row) : null,
      this.bus
        .ask(applyRollout, application, currentCaller())
        .catch((error: unknown) => (error instanceof AppError ? error : raise(error as Error))),
    ]);
    const refusal = answer instanceof AppError ? answer : null;
    await this.database.transaction(async (manager) => {
      const current = await this.rollouts.lock(manager, rollout_id);
      // Meanwhile another replica was faster, or it was decided otherwise.
      if (current.pending?.sequence !== sequence) return;
      const now = await clock(manager);
      if (!refusal) await this.moves.land(manager, current, now, counters);
      else if (change === 'start' && !transient.has(refusal.code)) await this.moves.refuseStart(manager, current, now, refusal.message);
      else await this.later(manager, current, refusal, now);
    });
    this.moves.changed();
    if (change === 'complete' && !refusal) await this.make(rollout_id);
    return { models: answer instanceof AppError ? [] : answer.models, refusal: refusal && !transient.has(refusal.code) ? refusal : null };
  }

  /** A step that the registry refuses, rather than cannot be asked about, waits for somebody: that is told once. */
  private async later(manager: EntityManager, row: RolloutEntity, { code, message }: AppError, now: string): Promise<void> {
    const last_error = message.slice(0, 1000);
    const isTold = transient.has(code) || row.ended_at !== null || row.held.some(({ rule }) => rule === 'pending');
    const change: Partial<RolloutEntity> = { pending: { ...row.pending!, last_error }, next_try_at: this.moves.nextTick(now) };
    const told = { action: 'rollout.held', reason: `the registry refuses the next step: ${last_error}`, at: now, rule: 'pending' as const };
    await this.rollouts.change(manager, row, change, isTold ? undefined : told);
  }

  /** What was counted before the candidate gets traffic. While metrics cannot be asked the first tick is the beginning. */
  private async countersBefore(row: RolloutEntity): Promise<Counters | null> {
    const { flag_key, candidate_variant, candidate_model_id, control_variant, control_model_id } = row;
    try {
      const tick = await this.bus.ask(getTick, { flag_key }, currentCaller());
      return {
        candidate: countersOf(tick, flag_key, candidate_variant, candidate_model_id),
        control: countersOf(tick, flag_key, control_variant, control_model_id),
      };
    } catch (error) {
      if (error instanceof AppError && transient.has(error.code)) return null;
      throw error;
    }
  }
}

import { Injectable } from '@nestjs/common';
import { type EntityManager } from 'typeorm';
import { type Flag } from '#contracts/flags.js';
import { type RolloutStatus } from '#contracts/rollouts.js';
import { FlagsConfig } from '../flags.config.js';
import { FlagsStore } from '../flags.store.js';
import { analysisOfNextStep } from './analysis.js';
import { type Counters } from './counters.js';
import { type PlannedChange, type RolloutEntity } from './rollout.entity.js';
import { RolloutEvents } from './rollout-events.relay.js';
import { RolloutsStore } from './rollouts.store.js';
import { onCanary, promoted, splitAt, withdrawn } from './traffic.js';

/**
 * How a locked rollout goes from one state to the next, with the split of its flag in the same transaction. A change is planned first, and
 * committed; then the registry makes it; then it is landed here. Whoever is killed in between leaves the plan, and another goes on with it. Back is the
 * other way round: the traffic goes at once, and the registry hears of it as soon as it can.
 */
@Injectable()
export class Moves {
  constructor(
    private readonly rollouts: RolloutsStore,
    private readonly flags: FlagsStore,
    private readonly events: RolloutEvents,
    private readonly config: FlagsConfig,
  ) {}

  /** Plans the next step, or the end after the last one; nothing is changed before the registry has it. `now`: RFC 3339. */
  async planAdvance(manager: EntityManager, row: RolloutEntity, now: string, reason: string): Promise<RolloutEntity> {
    const next = row.plan.steps[row.step + 1];
    const [candidate, control] = row.models;
    const change: Omit<PlannedChange, 'sequence' | 'since' | 'last_error'> = next
      ? {
          change: 'advance',
          models: onCanary(row, row.control_status, next.percentage),
          release: false,
          step: row.step + 1,
          percentage: next.percentage,
          reason,
        }
      : {
          change: 'complete',
          models: promoted(row, row.control_status, candidate!.name === control!.name),
          release: false,
          step: row.step,
          percentage: 100,
          reason,
        };
    return this.rollouts.change(manager, row, this.planned(row, now, change), { action: 'rollout.advance_decided', reason, at: now });
  }

  /** All traffic back to the control, at once; the flag is free. What was planned before is not made any more. */
  async withdraw(
    manager: EntityManager,
    row: RolloutEntity,
    now: string,
    change: 'rollback' | 'abort',
    reason: string,
  ): Promise<RolloutEntity> {
    const started = row.started_at !== null;
    await this.changeFlag(manager, row, { ...(started && { split: splitAt(row, 0) }), rollout_id: null }, reason);
    const plan = { change, models: withdrawn(row, row.control_status), release: true, step: row.step, percentage: 0, reason };
    const status: RolloutStatus = change === 'rollback' ? 'rolled_back' : 'aborted';
    const ended: Partial<RolloutEntity> = { status, percentage: 0, outcome: reason, ended_at: now, next_tick_at: null };
    const action = change === 'rollback' ? 'rollout.rolled_back' : 'rollout.aborted';
    const rule = change === 'rollback' ? row.last_decision?.rule : undefined;
    return this.rollouts.change(manager, row, { ...this.planned(row, now, plan), ...ended }, { action, reason, at: now, rule });
  }

  /** What the registry has made is made here too. `counters`: what was counted before the candidate got traffic, of a start. */
  async land(manager: EntityManager, row: RolloutEntity, now: string, counters: Counters | null): Promise<RolloutEntity> {
    const { change, models, step, percentage, reason } = row.pending!;
    const done: Partial<RolloutEntity> = { pending: null, next_try_at: null };
    if (change === 'rollback' || change === 'abort' || change === 'release') return this.rollouts.change(manager, row, done);
    const split = splitAt(row, percentage);
    if (change === 'complete') {
      await this.changeFlag(manager, row, { split, rollout_id: null }, reason);
      const ended: Partial<RolloutEntity> = { status: 'completed', percentage, outcome: reason, ended_at: now, next_tick_at: null };
      // Only now: until here the rollout could still be rolled back, and had to own its models for that.
      const release = this.planned(row, now, { change: 'release', models, release: true, step, percentage, reason });
      return this.rollouts.change(manager, row, { ...release, ...ended }, { action: 'rollout.completed', reason, at: now });
    }
    await this.changeFlag(manager, row, { split }, reason);
    const stepped: Partial<RolloutEntity> = { ...done, step, percentage, step_started_at: now };
    if (change === 'advance') {
      const analysis = analysisOfNextStep(row.analysis, row.percentage);
      return this.rollouts.change(manager, row, { ...stepped, analysis }, { action: 'rollout.advanced', reason, at: now });
    }
    const started: Partial<RolloutEntity> = {
      status: 'running',
      started_at: now,
      candidate_heard_at: now,
      control_heard_at: now,
      next_tick_at: this.nextTick(now),
      first_counters: counters,
      last_counters: counters,
    };
    return this.rollouts.change(manager, row, { ...stepped, ...started }, { action: 'rollout.started', reason, at: now });
  }

  /** The registry does not let it begin: nothing was changed but who owns the flag. */
  async refuseStart(manager: EntityManager, row: RolloutEntity, now: string, reason: string): Promise<RolloutEntity> {
    await this.changeFlag(manager, row, { rollout_id: null }, reason);
    const ended: Partial<RolloutEntity> = { status: 'refused', outcome: reason, ended_at: now, pending: null, next_try_at: null };
    return this.rollouts.change(manager, row, ended, { action: 'rollout.refused', reason, at: now });
  }

  /** RFC 3339, a tick after `now`. */
  nextTick(now: string): string {
    return new Date(Date.parse(now) + this.config.ROLLOUT_TICK_SECONDS * 1000).toISOString();
  }

  /** After the commit: the view of the flags follows at once, and so does what is told. */
  changed(): void {
    this.flags.changed();
    this.events.flush();
  }

  /** A flag that is another's since, or gone, is left as it is. */
  private async changeFlag(manager: EntityManager, row: RolloutEntity, change: Partial<Flag>, reason: string): Promise<void> {
    const flag = await this.flags.lock(manager, row.flag_key);
    if (flag?.rollout_id !== row.rollout_id) return;
    await this.flags.change(manager, flag, change, `rollout ${row.rollout_id}: ${reason}`.slice(0, 1000));
  }

  /** Whoever plans a change has a tick's time to make it; then others take it up. */
  private planned(
    row: RolloutEntity,
    now: string,
    change: Omit<PlannedChange, 'sequence' | 'since' | 'last_error'>,
  ): Pick<RolloutEntity, 'sequence' | 'pending' | 'next_try_at'> {
    const sequence = row.sequence + 1;
    return { sequence, pending: { ...change, sequence, since: now, last_error: null }, next_try_at: this.nextTick(now) };
  }
}

import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { AppError } from '#contracts/errors.js';
import { getTick, type Tick } from '#contracts/metrics.js';
import { Bus } from '#runtime/bus.js';
import { currentCaller } from '#runtime/caller.js';
import { insertRow } from '#runtime/rows.js';
import { type Analysis, analysisWith, type ArmsTick, limitsOf } from './analysis.js';
import { type Counters, countersOf, grown, sketchOf, storedArm } from './counters.js';
import { decide, isAlone } from './decision.js';
import { Moves } from './moves.store.js';
import { RolloutDecisionEntity, RolloutEntity } from './rollout.entity.js';
import { isNewHold } from './rollout-event.js';
import { clock, RolloutsStore } from './rollouts.store.js';
import { situationOf } from './situation.js';

interface Counted {
  counters: Counters;
  /** Of the control, as long as no limits are known. */
  analysis: (analysis: Analysis) => Analysis;
}

/**
 * Takes the ticks of a rollout: one decision each, whatever the number of replicas. Metrics is asked before anything is locked; then the rollout's
 * row is, and whoever finds it due takes the tick, with the counters of the last one as its beginning. Decision, evidence, traffic and the next
 * tick's time are one commit: a replica that is killed before it has done nothing, and the next one's tick counts what this one would have.
 */
@Injectable()
export class TickExecutor {
  constructor(
    private readonly database: DataSource,
    private readonly bus: Bus,
    private readonly rollouts: RolloutsStore,
    private readonly moves: Moves,
  ) {}

  /** Whether something was planned that the registry is to make. */
  async take(rollout_id: string): Promise<boolean> {
    const seen = await this.rollouts.get(rollout_id);
    const counted = await this.count(seen);
    const planned = await this.database.transaction(async (manager) => {
      const row = await manager
        .createQueryBuilder(RolloutEntity, 'rollout')
        .where('rollout.rollout_id = :rollout_id AND rollout.next_tick_at <= clock_timestamp()', { rollout_id })
        .setLock('pessimistic_write')
        .setOnLocked('skip_locked')
        .getOne();
      // Another has the row, or had it: counters that were read before its tick are no news.
      if (!row || row.tick !== seen.tick) return false;
      return this.decide(manager, row, counted);
    });
    if (planned) this.moves.changed();
    return planned;
  }

  private async decide(manager: EntityManager, row: RolloutEntity, counted: Counted | null): Promise<boolean> {
    const now = await clock(manager);
    const [nowMs, tick] = [Date.parse(now), row.tick + 1];
    const arms: ArmsTick = {
      candidate: grown(row.last_counters && counted ? counted.counters.candidate : null, row.last_counters?.candidate ?? null),
      control: grown(row.last_counters && counted ? counted.counters.control : null, row.last_counters?.control ?? null),
    };
    const heard = {
      candidate_heard_at: arms.candidate.inferences > 0 ? now : row.candidate_heard_at,
      control_heard_at: arms.control.inferences > 0 ? now : row.control_heard_at,
    };
    const circumstances = {
      step: row.step,
      silent_ms: { candidate: nowMs - Date.parse(heard.candidate_heard_at!), control: nowMs - Date.parse(heard.control_heard_at!) },
      step_age_ms: nowMs - Date.parse(row.step_started_at!),
      age_ms: nowMs - Date.parse(row.started_at!),
      paused: row.status === 'paused',
      pending: row.pending !== null,
    };
    const analysis = analysisWith(row.analysis, row.plan, row.percentage, arms);
    const situation = situationOf(analysis, row.plan, row.percentage, circumstances);
    const verdict = decide(situation);
    const decision: RolloutDecisionEntity = {
      rollout_id: row.rollout_id,
      tick,
      at: now,
      step: row.step,
      percentage: row.percentage,
      ...verdict,
      method: isAlone(situation) ? 'threshold' : 'comparison',
      inputs: { candidate: storedArm(arms.candidate), control: storedArm(arms.control), ...circumstances },
      guardrails: situation.readings,
      sample_ratio: situation.sample_ratio,
    };
    await insertRow(manager, RolloutDecisionEntity, decision);
    const { action, rule, reason } = verdict;
    const change: Partial<RolloutEntity> = {
      tick,
      last_decision: { ...verdict, tick, at: now },
      // Limits come from timings that no tick has been judged by: from the next one on.
      analysis: counted ? counted.analysis(analysis) : analysis,
      ...(counted && { last_counters: counted.counters, first_counters: row.first_counters ?? counted.counters }),
      ...heard,
      next_tick_at: this.moves.nextTick(now),
    };
    const told = action === 'hold' && isNewHold(row.held, rule) ? { action: 'rollout.held', reason, at: now, rule } : undefined;
    const ticked = await this.rollouts.change(manager, row, change, told);
    if (action === 'rollback') await this.moves.withdraw(manager, ticked, now, 'rollback', reason);
    if (action === 'advance') await this.moves.planAdvance(manager, ticked, now, reason);
    return action !== 'hold';
  }

  /** null: metrics cannot be asked now, so that the tick has nothing. */
  private async count(row: RolloutEntity): Promise<Counted | null> {
    const { flag_key, candidate_variant, candidate_model_id, control_variant, control_model_id } = row;
    const needsLimits = row.analysis.limits === null && row.plan.guardrails.some(({ metric }) => metric.startsWith('latency_'));
    let tick: Tick;
    try {
      tick = await this.bus.ask(getTick, { flag_key, ...(needsLimits && { model_ids: [control_model_id] }) }, currentCaller());
    } catch (error) {
      if (error instanceof AppError) return null;
      throw error;
    }
    const whole = needsLimits ? countersOf(tick, '', '', control_model_id) : null;
    return {
      counters: {
        candidate: countersOf(tick, flag_key, candidate_variant, candidate_model_id),
        control: countersOf(tick, flag_key, control_variant, control_model_id),
      },
      analysis: (analysis) => (whole && analysis.limits === null ? { ...analysis, limits: limitsOf(sketchOf(whole.sketch)) } : analysis),
    };
  }
}

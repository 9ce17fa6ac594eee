import { randomBytes } from 'node:crypto';
import { Controller } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { AppError, invalidInput, ownedByRollout, raise } from '#contracts/errors.js';
import { type Flag, getFlag } from '#contracts/flags.js';
import { type Page } from '#contracts/page.js';
import { getModel, listModels, minOverrideReason, type Model } from '#contracts/registry.js';
import { type NewRollout } from '#contracts/rollout-plan.js';
import {
  abortRollout,
  createRollout,
  getRollout,
  listRollouts,
  pauseRollout,
  promoteRollout,
  resumeRollout,
  type Rollout,
  type RolloutAction,
  type RolloutChanged,
  type RolloutFilter,
  type RolloutRef,
  type RolloutStatus,
} from '#contracts/rollouts.js';
import { Answers } from '#runtime/answers.js';
import { Bus } from '#runtime/bus.js';
import { currentCaller } from '#runtime/caller.js';
import { FlagsStore, flagNotFound } from '../flags.store.js';
import { newAnalysis } from './analysis.js';
import { Moves } from './moves.store.js';
import { PendingExecutor } from './pending.executor.js';
import { planOf } from './plan.js';
import { RolloutEntity } from './rollout.entity.js';
import { clock, RolloutsStore, shown } from './rollouts.store.js';
import { isCandidate, onCanary } from './traffic.js';

@Controller()
export class RolloutsHandlers {
  constructor(
    private readonly database: DataSource,
    private readonly bus: Bus,
    private readonly flags: FlagsStore,
    private readonly rollouts: RolloutsStore,
    private readonly moves: Moves,
    private readonly pending: PendingExecutor,
  ) {}

  @Answers(listRollouts)
  async listRollouts(filter: RolloutFilter): Promise<Page<Rollout>> {
    return this.rollouts.list(filter);
  }

  @Answers(getRollout)
  async getRollout({ rollout_id }: RolloutRef): Promise<Rollout> {
    return shown(await this.rollouts.get(rollout_id));
  }

  /**
   * The flag is the rollout's from the first commit on; the registry is asked next. Where it refuses, so does this; where it does not answer, the
   * rollout is `starting`, and some replica goes on with it.
   */
  @Answers(createRollout)
  async createRollout(input: NewRollout): Promise<RolloutChanged> {
    const plan = planOf(input);
    if (input.override) assertOverrideReason(input.reason);
    // Of what the caller may not see they say that there is none.
    const [[candidate, control]] = await Promise.all([
      this.modelsOf(input),
      this.bus.ask(getFlag, { flag_key: input.flag_key }, currentCaller()),
    ]);
    const rollout_id = `rollout_${randomBytes(6).toString('hex')}`;
    await this.database.transaction(async (manager) => {
      const flag = (await this.flags.lock(manager, input.flag_key)) ?? raise(flagNotFound(input.flag_key));
      if (flag.rollout_id !== null) throw ownedByRollout(`Flag ${flag.flag_key}`, flag.rollout_id);
      if (flag.state !== 'ENABLED') throw invalidInput([{ field: 'flag_key', value: flag.flag_key, accepted: 'a flag that is ENABLED' }]);
      if (!input.reenter) await assertNotRolledBack(manager, candidate.model_id);
      const now = await clock(manager);
      const arms = {
        candidate_model_id: candidate.model_id,
        candidate_variant: variantOf(flag, candidate, 'candidate_model_id'),
        control_model_id: control.model_id,
        control_variant: variantOf(flag, control, 'control_model_id'),
      };
      const percentage = plan.steps[0]!.percentage;
      const rollout: RolloutEntity = {
        rollout_id,
        flag_key: flag.flag_key,
        ...arms,
        control_status: control.status,
        models: [candidate, control].map(({ name, sport }) => ({ name, sport })),
        status: 'starting',
        step: 0,
        percentage: 0,
        plan,
        override: input.override ?? false,
        reason: input.reason,
        tick: 0,
        last_decision: null,
        analysis: newAnalysis(plan),
        first_counters: null,
        last_counters: null,
        candidate_heard_at: null,
        control_heard_at: null,
        next_tick_at: null,
        sequence: 1,
        pending: {
          sequence: 1,
          change: 'start',
          since: now,
          last_error: null,
          models: onCanary(arms, control.status, percentage),
          release: false,
          step: 0,
          percentage,
          reason: input.reason,
        },
        next_try_at: this.moves.nextTick(now),
        outcome: null,
        told: 0,
        held: [],
        created_at: now,
        created_by: currentCaller().actor.name,
        started_at: null,
        step_started_at: null,
        ended_at: null,
      };
      await this.rollouts.add(manager, rollout);
      await this.flags.change(manager, flag, { rollout_id }, `rollout ${rollout_id}: ${input.reason}`.slice(0, 1000));
    });
    return this.made(rollout_id);
  }

  /** Guardrails go on being watched, and roll it back; it does not advance. */
  @Answers(pauseRollout)
  async pauseRollout(action: RolloutAction): Promise<RolloutChanged> {
    return this.act(action, ['running'], (manager, row, now) =>
      this.rollouts.change(manager, row, { status: 'paused' }, { action: 'rollout.paused', reason: action.reason, at: now }),
    );
  }

  @Answers(resumeRollout)
  async resumeRollout(action: RolloutAction): Promise<RolloutChanged> {
    return this.act(action, ['paused'], (manager, row, now) =>
      this.rollouts.change(manager, row, { status: 'running' }, { action: 'rollout.resumed', reason: action.reason, at: now }),
    );
  }

  /** One step further without waiting for evidence; after the last step the candidate is made stable. */
  @Answers(promoteRollout)
  async promoteRollout(action: RolloutAction): Promise<RolloutChanged> {
    return this.act(action, ['running', 'paused'], async (manager, row, now) => {
      if (row.pending) {
        throw new AppError('ROLLOUT_NOT_RUNNING', `Rollout ${row.rollout_id} has a change that the registry is still to make`, {
          pending: shown(row).pending,
        });
      }
      return this.moves.planAdvance(manager, row, now, `by hand: ${action.reason}`);
    });
  }

  @Answers(abortRollout)
  async abortRollout(action: RolloutAction): Promise<RolloutChanged> {
    return this.act(action, ['starting', 'running', 'paused'], (manager, row, now) =>
      this.moves.withdraw(manager, row, now, 'abort', `by hand: ${action.reason}`),
    );
  }

  private async act(
    { rollout_id }: RolloutAction,
    from: RolloutStatus[],
    change: (manager: EntityManager, row: RolloutEntity, now: string) => Promise<RolloutEntity>,
  ): Promise<RolloutChanged> {
    await this.database.transaction(async (manager) => {
      const row = await this.rollouts.lock(manager, rollout_id);
      if (!from.includes(row.status)) {
        throw new AppError('ROLLOUT_NOT_RUNNING', `Rollout ${rollout_id} is ${row.status}`, {
          status: row.status,
          accepted: `a rollout that is ${from.join(' or ')}`,
        });
      }
      return change(manager, row, await clock(manager));
    });
    this.moves.changed();
    return this.made(rollout_id);
  }

  /** As it is once the registry was asked for what is planned; throws what it refused of a start. */
  private async made(rollout_id: string): Promise<RolloutChanged> {
    const { models, refusal } = await this.pending.make(rollout_id);
    const rollout = await this.getRollout({ rollout_id });
    if (refusal && rollout.status === 'refused') throw refusal;
    return { rollout, flag: await this.flags.find(this.database.manager, rollout.flag_key), models };
  }

  private async modelsOf({ candidate_model_id, control_model_id }: NewRollout): Promise<[candidate: Model, control: Model]> {
    const candidate = await this.bus.ask(getModel, { model_id: candidate_model_id }, currentCaller());
    if (!isCandidate(candidate)) {
      const accepted = `a model whose status is development or canary; this one is ${candidate.status}`;
      throw invalidInput([{ field: 'candidate_model_id', value: candidate_model_id, accepted }]);
    }
    const control = control_model_id
      ? await this.bus.ask(getModel, { model_id: control_model_id }, currentCaller())
      : await this.stableOf(candidate);
    if (!control || control.model_id === candidate_model_id || !['stable', 'canary'].includes(control.status)) {
      const accepted = control
        ? 'another model, stable or on canary'
        : `a model to compare with: no version of ${candidate.name} is stable`;
      throw invalidInput([{ field: 'control_model_id', ...(control_model_id && { value: control_model_id }), accepted }]);
    }
    return [candidate, control];
  }

  private async stableOf({ name }: Model): Promise<Model | undefined> {
    const { items } = await this.bus.ask(listModels, { status: 'stable', q: name, limit: 1_000 }, currentCaller());
    return items.find((model) => model.name === name);
  }
}

function variantOf({ variant_models }: Flag, { model_id }: Model, field: string): string {
  const bound = Object.entries(variant_models).find(([, bound]) => bound === model_id);
  if (bound) return bound[0];
  const models = Object.values(variant_models).join(', ');
  throw invalidInput([
    { field, value: model_id, accepted: `a model that one of the flag's variants is bound to: ${models || 'there is none'}` },
  ]);
}

/** What was rolled back does not come back by itself, nor by somebody who does not know of it. */
async function assertNotRolledBack(manager: EntityManager, candidate_model_id: string): Promise<void> {
  const before = await manager.findOne(RolloutEntity, {
    where: { candidate_model_id, status: 'rolled_back' },
    order: { created_at: 'DESC' },
  });
  if (!before) return;
  throw new AppError('ROLLED_BACK_BEFORE', `Model ${candidate_model_id} was rolled back: ${before.outcome}`, {
    rollout_id: before.rollout_id,
    accepted: '`reenter` true, for another attempt',
  });
}

/** Whoever goes on without evidence says why in more than a word. */
function assertOverrideReason(reason: string): void {
  if (reason.trim().length >= minOverrideReason) return;
  throw invalidInput([{ field: 'reason', value: reason, accepted: `with override: why, in at least ${minOverrideReason} characters` }]);
}

import { Controller } from '@nestjs/common';
import { DataSource, type EntityManager, In } from 'typeorm';
import { modelNotFound, ownedByRollout } from '#contracts/errors.js';
import { type GateRequirement } from '#contracts/promotion.js';
import { applyRollout, type RolledModel, type RolloutApplication, type RolloutApplied } from '#contracts/rollouts.js';
import { Answers } from '#runtime/answers.js';
import { changesAnything } from '#runtime/changes.js';
import { Outbox } from '#runtime/outbox.js';
import { AppliedRolloutEntity } from './applied-rollout.entity.js';
import { ModelChanges } from './model-changes.store.js';
import { assertStatusChange, assertStatusStill } from './model-status.js';
import { ModelEntity } from './model.entity.js';
import { gateNotPassed, PromotionGate } from './promotion-gate.store.js';

interface Step {
  model: ModelEntity;
  to: RolledModel;
  unmet: GateRequirement[];
}

@Controller()
export class RolloutsHandlers {
  constructor(
    private readonly database: DataSource,
    private readonly gate: PromotionGate,
    private readonly changes: ModelChanges,
    private readonly outbox: Outbox,
  ) {}

  /**
   * The gate is asked before anything is locked. Then all models change in one transaction, with the number of the change: a registry that is
   * killed in between has made none of it, and whoever asked asks again. A rollout that ends leaves its models as they are or takes its own
   * changes back: neither needs evidence, nor a way in the workflow.
   */
  @Answers(applyRollout)
  async applyRollout(application: RolloutApplication): Promise<RolloutApplied> {
    const { rollout_id, sequence, models, release, override, reason } = application;
    const steps: Step[] = [];
    for (const to of models) {
      const model = await this.database.manager.findOneBy(ModelEntity, { model_id: to.model_id });
      if (!model && release) continue;
      if (!model) throw modelNotFound(to.model_id);
      steps.push({ model, to, unmet: [] });
    }
    if (!(await this.isMade(rollout_id, sequence))) {
      for (const step of steps) {
        if (release || step.model.status === step.to.status) continue;
        step.unmet = await this.gate.unmet(step.model, step.to.status, override);
        if (step.unmet.length && !override) throw gateNotPassed(step.model, step.to.status, step.unmet);
      }
    }
    const changed = await this.database.transaction(async (manager) => {
      const versions = await lockVersions(manager, steps);
      if (!(await takeSequence(manager, rollout_id, sequence))) return versions;
      for (const { model: seen, to, unmet } of stableLast(steps)) {
        const model = versions.find(({ model_id }) => model_id === seen.model_id);
        if (!model) throw modelNotFound(seen.model_id);
        // One that a rollout before had, and that is free or another's since, is none of ours any more.
        if (release && model.rollout_id !== rollout_id) continue;
        if (model.rollout_id !== null && model.rollout_id !== rollout_id) throw ownedByRollout(`Model ${model.model_id}`, model.rollout_id);
        const moves = model.status !== to.status;
        if (moves && !release) {
          assertStatusChange(model.model_id, model.status, to.status);
          assertStatusStill(seen, model, to.status);
        }
        if (moves && !release && to.status === 'stable') await this.replaceStable(manager, model, versions, reason);
        if (moves && unmet.length) await this.changes.tellOfOverride(manager, model, to.status, unmet, reason);
        const change = { status: to.status, rollout_percentage: to.rollout_percentage, rollout_id: release ? null : rollout_id };
        if (!changesAnything<ModelEntity>(model, change)) continue;
        const saved = await this.changes.save(manager, model, change, moves ? 'model.status_changed' : 'model.changed', reason);
        Object.assign(model, saved);
      }
      return versions;
    });
    this.outbox.flush();
    const asked = new Set(models.map(({ model_id }) => model_id));
    return { models: changed.filter(({ model_id }) => asked.has(model_id)) };
  }

  private async isMade(rollout_id: string, sequence: number): Promise<boolean> {
    const applied = await this.database.manager.findOneBy(AppliedRolloutEntity, { rollout_id });
    return applied !== null && applied.sequence >= sequence;
  }

  /** The stable version that is not of the rollout, where the control is another. */
  private async replaceStable(manager: EntityManager, model: ModelEntity, versions: ModelEntity[], reason: string): Promise<void> {
    const replaced = versions.find(({ name, status }) => name === model.name && status === 'stable');
    if (!replaced) return;
    if (replaced.rollout_id !== null) throw ownedByRollout(`Model ${replaced.model_id}`, replaced.rollout_id);
    const why = `replaced by ${model.version}: ${reason}`;
    Object.assign(replaced, await this.changes.save(manager, replaced, { status: 'deprecated' }, 'model.status_changed', why));
  }
}

/** All versions of the models' names, in one order, so that changes which concern several versions take turns. */
function lockVersions(manager: EntityManager, steps: Step[]): Promise<ModelEntity[]> {
  const names = [...new Set(steps.map(({ model }) => model.name))];
  return manager.find(ModelEntity, { where: { name: In(names) }, order: { model_id: 'ASC' }, lock: { mode: 'pessimistic_write' } });
}

/** Whether the change is still to be made. Of two that ask at once the second waits for the first. */
async function takeSequence(manager: EntityManager, rollout_id: string, sequence: number): Promise<boolean> {
  const taken = await manager.query<unknown[]>(
    `INSERT INTO registry.applied_rollouts (rollout_id, sequence) VALUES ($1, $2)
     ON CONFLICT (rollout_id) DO UPDATE SET sequence = $2 WHERE applied_rollouts.sequence < $2 RETURNING 1`,
    [rollout_id, sequence],
  );
  return taken.length > 0;
}

/** A name has one stable version: the one that ends being it goes first. */
const stableLast = (steps: Step[]): Step[] =>
  [...steps].sort((a, b) => Number(a.to.status === 'stable') - Number(b.to.status === 'stable'));

import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { AppError } from '#contracts/errors.js';
import { type GateRequirement, type Transition } from '#contracts/promotion.js';
import { type Model, type ModelStatus } from '#contracts/registry.js';
import { type FinishedRun, getGateEvidence } from '#contracts/validation.js';
import { Bus } from '#runtime/bus.js';
import { currentCaller } from '#runtime/caller.js';
import { allowedNext } from './model-status.js';
import { judgeGate, requirementsOf, unknownGate } from './promotion-gate.js';
import { PromotionPolicyEntity } from './promotion-policy.entity.js';

/** What promotions need and how far it is met, by the policy and by what validation knows of the model. */
@Injectable()
export class PromotionGate {
  constructor(
    private readonly database: DataSource,
    private readonly bus: Bus,
  ) {}

  /** Throws SERVICE_UNAVAILABLE where validation must be asked and does not answer. */
  async transitionsOf({ model_id, status }: Model): Promise<Transition[]> {
    const policy = await this.policy();
    const steps = allowedNext[status].map((to) => ({ to, needed: requirementsOf(status, to, policy) }));
    const run = steps.some(({ needed }) => needed.length > 0) ? await this.newestRun(model_id) : null;
    return steps.map(({ to, needed }) => {
      const requirements = judgeGate(needed, run, policy, Date.now());
      return { to, allowed: requirements.every(({ met }) => met), requirements };
    });
  }

  /**
   * What is not met of a step's requirements. Where validation does not answer: SERVICE_UNAVAILABLE, or all of them when that shall not
   * stop the step.
   */
  async unmet({ model_id, status }: Model, to: ModelStatus, override: boolean): Promise<GateRequirement[]> {
    const policy = await this.policy();
    const needed = requirementsOf(status, to, policy);
    if (needed.length === 0) return [];
    try {
      return judgeGate(needed, await this.newestRun(model_id), policy, Date.now()).filter(({ met }) => !met);
    } catch (error) {
      if (override && error instanceof AppError && error.code === 'SERVICE_UNAVAILABLE') return unknownGate(needed);
      throw error;
    }
  }

  private policy(): Promise<PromotionPolicyEntity> {
    return this.database.manager.findOneByOrFail(PromotionPolicyEntity, { policy: 'promotion' });
  }

  private async newestRun(model_id: string): Promise<FinishedRun | null> {
    return (await this.bus.ask(getGateEvidence, { model_id }, currentCaller())).newest_run;
  }
}

/** Refuses a promotion, saying which requirements are not met, why, and what to do. */
export function gateNotPassed({ model_id }: Model, to: ModelStatus, requirements: GateRequirement[]): AppError {
  const why = requirements.map(({ requirement, reason }) => `${requirement} (${reason})`).join(', ');
  return new AppError('GATE_NOT_PASSED', `Model ${model_id} cannot become ${to} yet: ${why}`, {
    to,
    requirements,
    accepted: `POST /validation/run {"model_id": "${model_id}"} first, or \`override\` with a reason`,
  });
}

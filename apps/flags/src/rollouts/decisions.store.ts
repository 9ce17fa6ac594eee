import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { type Page } from '#contracts/page.js';
import { type RolloutDecisionsRequest } from '#contracts/rollout-analysis.js';
import { type RolloutDecision } from '#contracts/rollout-decision.js';
import { cursorParts, cursorText, fillPage } from '#runtime/cursor.js';
import { RolloutDecisionEntity } from './rollout.entity.js';

/** The decisions of rollouts, each with all that it was made of. */
@Injectable()
export class DecisionsStore {
  constructor(private readonly database: DataSource) {}

  /** Newest first. */
  async list({ rollout_id, cursor, ...page }: RolloutDecisionsRequest): Promise<Page<RolloutDecision>> {
    const query = this.database
      .getRepository(RolloutDecisionEntity)
      .createQueryBuilder('decision')
      .where('decision.rollout_id = :rollout_id', { rollout_id })
      .orderBy('decision.tick', 'DESC');
    if (cursor !== undefined) query.andWhere('decision.tick < :tick', { tick: tickOf(cursor) });
    const { items, next_cursor } = await fillPage(
      page,
      (rows) => query.take(rows).getMany(),
      ({ tick }) => cursorText([String(tick)]),
    );
    return { items: items.map(shownDecision), next_cursor };
  }

  /** The decisions after tick `after`, in order, `limit` at the most. */
  async inOrder(rollout_id: string, after: number, limit: number): Promise<RolloutDecisionEntity[]> {
    return this.database
      .getRepository(RolloutDecisionEntity)
      .createQueryBuilder('decision')
      .where('decision.rollout_id = :rollout_id AND decision.tick > :after', { rollout_id, after })
      .orderBy('decision.tick')
      .take(limit)
      .getMany();
  }
}

const tickOf = (cursor: string): number => {
  const tick = Number(cursorParts(cursor, 1)[0]);
  return Number.isSafeInteger(tick) && tick < 2 ** 31 ? tick : 0;
};

const shownDecision = ({ inputs, ...decision }: RolloutDecisionEntity): RolloutDecision => ({
  tick: decision.tick,
  at: decision.at,
  action: decision.action,
  rule: decision.rule,
  reason: decision.reason,
  step: decision.step,
  percentage: decision.percentage,
  candidate: { inferences: inputs.candidate.inferences, failures: inputs.candidate.failures },
  control: { inferences: inputs.control.inferences, failures: inputs.control.failures },
  guardrails: decision.guardrails,
  sample_ratio: decision.sample_ratio,
  method: decision.method,
});

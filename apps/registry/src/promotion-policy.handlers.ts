import { Controller } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { assertRevision } from '#contracts/errors.js';
import { changePromotionPolicy, getPromotionPolicy, type PromotionPolicy, type PromotionPolicyChange } from '#contracts/promotion.js';
import { NoInput } from '#contracts/request.js';
import { Answers } from '#runtime/answers.js';
import { AuditStore } from '#runtime/audit.store.js';
import { currentCaller } from '#runtime/caller.js';
import { changesAnything } from '#runtime/changes.js';
import { PromotionPolicyEntity } from './promotion-policy.entity.js';

@Controller()
export class PromotionPolicyHandlers {
  constructor(
    private readonly database: DataSource,
    private readonly audit: AuditStore,
  ) {}

  @Answers(getPromotionPolicy)
  async getPromotionPolicy(_: NoInput): Promise<PromotionPolicy> {
    return shown(await this.database.manager.findOneByOrFail(PromotionPolicyEntity, { policy: 'promotion' }));
  }

  /** A promotion that is under way is judged by the policy that it has read. */
  @Answers(changePromotionPolicy)
  async changePromotionPolicy({ reason, if_match, ...change }: PromotionPolicyChange): Promise<PromotionPolicy> {
    return this.database.transaction(async (manager) => {
      const before = await manager.findOneOrFail(PromotionPolicyEntity, {
        where: { policy: 'promotion' },
        lock: { mode: 'pessimistic_write' },
      });
      assertRevision('The promotion policy', before.revision, if_match);
      const { max_run_age_hours = before.max_run_age_hours, canary = before.canary, stable = before.stable } = change;
      const changed = { max_run_age_hours, canary: [...new Set(canary)], stable: [...new Set(stable)] };
      if (!changesAnything(before, changed)) return shown(before);
      const after: PromotionPolicyEntity = {
        ...before,
        ...changed,
        updated_at: new Date().toISOString(),
        updated_by: currentCaller().actor.name,
        revision: before.revision + 1,
      };
      await manager.save(PromotionPolicyEntity, after);
      await this.audit.write(manager, {
        action: 'policy.changed',
        subject_type: 'policy',
        subject_id: 'promotion',
        reason,
        before: shown(before),
        after: shown(after),
      });
      return shown(after);
    });
  }
}

const shown = ({ policy: _, ...fields }: PromotionPolicyEntity): PromotionPolicy => fields;

import { Controller } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { AppError, assertRevision, invalidInput, raise } from '#contracts/errors.js';
import {
  changeValidationPolicy,
  getValidationPolicy,
  type ValidationPolicy,
  type ValidationPolicyChange,
  type ValidationPolicyRequest,
} from '#contracts/policy.js';
import { Answers } from '#runtime/answers.js';
import { AuditStore } from '#runtime/audit.store.js';
import { changesAnything } from '#runtime/changes.js';
import { currentCaller } from '#runtime/caller.js';
import { insertRow } from '#runtime/rows.js';
import { policyProblems } from './policy-rules.js';
import { PolicyEntity } from './policy.entity.js';
import { PolicyStore } from './policy.store.js';

@Controller()
export class PolicyHandlers {
  constructor(
    private readonly database: DataSource,
    private readonly audit: AuditStore,
    private readonly policies: PolicyStore,
  ) {}

  @Answers(getValidationPolicy)
  async getValidationPolicy({ revision }: ValidationPolicyRequest): Promise<ValidationPolicy> {
    if (revision === undefined) return this.policies.current();
    return (await this.policies.at(revision)) ?? raise(new AppError('POLICY_NOT_FOUND', `There is no revision ${revision} of the policy`));
  }

  /** Runs that are being judged keep to the policy that they began with. */
  @Answers(changeValidationPolicy)
  async changeValidationPolicy({ if_match, reason, ...change }: ValidationPolicyChange): Promise<ValidationPolicy> {
    return this.database.transaction(async (manager) => {
      // One change at a time, so that each begins with the one before.
      await manager.query('LOCK TABLE validation.policies IN SHARE ROW EXCLUSIVE MODE');
      const before = await this.policies.current(manager);
      assertRevision('The validation policy', before.revision, if_match);
      const problems = policyProblems({ ...before, ...change });
      if (problems.length) throw invalidInput(problems);
      if (!changesAnything(before, change)) return before;
      const after: PolicyEntity = {
        ...before,
        ...change,
        revision: before.revision + 1,
        updated_at: new Date().toISOString(),
        updated_by: currentCaller().actor.name,
      };
      await insertRow(manager, PolicyEntity, after);
      const subject = { action: 'policy.changed', subject_type: 'policy', subject_id: 'validation' };
      await this.audit.write(manager, { ...subject, reason, before, after });
      return after;
    });
  }
}

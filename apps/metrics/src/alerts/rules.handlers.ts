import { Controller } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import {
  type AlertRule,
  type AlertRuleChange,
  type AlertRuleFilter,
  type AlertRuleRef,
  type AlertRuleRemoval,
  changeAlertRule,
  createAlertRule,
  getAlertRule,
  listAlertRules,
  type NewAlertRule,
  removeAlertRule,
} from '#contracts/alerts.js';
import { AppError, assertRevision, invalidInput, raise } from '#contracts/errors.js';
import { type Page } from '#contracts/page.js';
import { type Removed } from '#contracts/request.js';
import { Answers } from '#runtime/answers.js';
import { AuditStore } from '#runtime/audit.store.js';
import { currentCaller } from '#runtime/caller.js';
import { cursorText, fillPage, uuidCursor } from '#runtime/cursor.js';
import { insertRow } from '#runtime/rows.js';
import { KnownModels } from '../known-models.store.js';
import { AlertRuleEntity } from './alert.entity.js';
import { assertRoom } from './limits.store.js';
import { assertCondition } from './rule-checks.js';
import { isConfined, reaches, withoutNull } from './rule-scope.js';

@Controller()
export class RulesHandlers {
  constructor(
    private readonly database: DataSource,
    private readonly audit: AuditStore,
    private readonly known: KnownModels,
  ) {}

  /** The newest first. */
  @Answers(listAlertRules)
  async listRules(filter: AlertRuleFilter): Promise<Page<AlertRule>> {
    const query = this.database.getRepository(AlertRuleEntity).createQueryBuilder('rule').orderBy('rule.rule_id', 'DESC');
    if (filter.cursor !== undefined) query.andWhere('rule.rule_id < :after', { after: uuidCursor(filter.cursor) });
    const page = await fillPage(
      filter,
      (rows) => query.take(rows).getMany(),
      ({ rule_id }) => cursorText([rule_id]),
    );
    return { ...page, items: page.items.filter((rule) => this.isVisible(rule)) };
  }

  @Answers(getAlertRule)
  async getRule({ rule_id }: AlertRuleRef): Promise<AlertRule> {
    return this.visible(rule_id, await this.database.manager.findOneBy(AlertRuleEntity, { rule_id }));
  }

  @Answers(createAlertRule)
  async createRule(input: NewAlertRule): Promise<AlertRule> {
    const now = new Date().toISOString();
    const rule: AlertRuleEntity = {
      rule_id: uuidv7(),
      name: input.name,
      applies_to: withoutNull(input.applies_to ?? {}),
      metric: input.metric,
      comparison: input.comparison,
      window_minutes: input.window_minutes ?? 15,
      for_minutes: input.for_minutes ?? 0,
      recovery_minutes: input.recovery_minutes ?? 5,
      minimum_inferences: input.minimum_inferences ?? 20,
      severity: input.severity,
      enabled: input.enabled ?? true,
      created_at: now,
      updated_at: now,
      created_by: currentCaller().actor.name,
      revision: 1,
    };
    await this.assertSound(rule);
    return this.database.transaction(async (manager) => {
      await assertRoom(manager, 'alert_rules');
      await insertRow(manager, AlertRuleEntity, rule);
      await this.audited(manager, 'alert_rule.created', null, rule);
      return rule;
    });
  }

  @Answers(changeAlertRule)
  async changeRule({ rule_id, if_match, ...change }: AlertRuleChange): Promise<AlertRule> {
    return this.database.transaction(async (manager) => {
      const before = await this.lock(manager, rule_id, if_match);
      const applies_to = change.applies_to ? withoutNull(change.applies_to) : before.applies_to;
      const changed = { applies_to, updated_at: new Date().toISOString(), revision: before.revision + 1 };
      const after: AlertRuleEntity = { ...before, ...change, ...changed };
      await this.assertSound(after);
      await manager.save(AlertRuleEntity, after);
      await this.audited(manager, 'alert_rule.changed', before, after);
      return after;
    });
  }

  /** What it has open is resolved at the next evaluation. */
  @Answers(removeAlertRule)
  async removeRule({ rule_id, if_match }: AlertRuleRemoval): Promise<Removed> {
    await this.database.transaction(async (manager) => {
      const before = await this.lock(manager, rule_id, if_match);
      await manager.delete(AlertRuleEntity, { rule_id });
      await this.audited(manager, 'alert_rule.removed', before, null);
    });
    return { removed: true };
  }

  private audited(manager: EntityManager, action: string, before: AlertRuleEntity | null, after: AlertRuleEntity | null): Promise<void> {
    const subject_id = (after ?? before)?.rule_id ?? '';
    return this.audit.write(manager, { action, subject_type: 'alert_rule', subject_id, before, after });
  }

  private async lock(manager: EntityManager, rule_id: string, if_match: number[] | undefined): Promise<AlertRuleEntity> {
    const row = await manager.findOne(AlertRuleEntity, { where: { rule_id }, lock: { mode: 'pessimistic_write' } });
    const rule = this.visible(rule_id, row);
    assertRevision(`Alert rule ${rule_id}`, rule.revision, if_match);
    if (!this.isMine(rule)) {
      throw new AppError('OUT_OF_SCOPE', 'The rule is also for models outside this key’s scope', { applies_to: rule.applies_to });
    }
    return rule;
  }

  /** The condition makes sense, the model is there, and a narrowed key keeps to what it sees. */
  private async assertSound(rule: AlertRuleEntity): Promise<void> {
    assertCondition(rule);
    if (rule.applies_to.model_id) await this.known.require(rule.applies_to.model_id, currentCaller());
    if (!this.isMine(rule)) {
      throw invalidInput([
        { field: 'applies_to', value: rule.applies_to, accepted: 'a sport or name, or a model_id, of this key’s scope' },
      ]);
    }
  }

  private isMine({ applies_to }: AlertRuleEntity): boolean {
    return isConfined(applies_to, currentCaller().actor.scope, this.known.find(applies_to.model_id));
  }

  private isVisible({ applies_to }: AlertRuleEntity): boolean {
    return reaches(applies_to, currentCaller().actor.scope, this.known.find(applies_to.model_id));
  }

  private visible(rule_id: string, rule: AlertRuleEntity | null): AlertRuleEntity {
    return rule && this.isVisible(rule) ? rule : raise(new AppError('ALERT_RULE_NOT_FOUND', `Alert rule ${rule_id} not found`));
  }
}

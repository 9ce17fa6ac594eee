import { Controller } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { inScope, isNarrowed } from '#contracts/access.js';
import { type AuditEntry, type AuditFilter, listAuditOf } from '#contracts/audit.js';
import { AppError, assertRevision, raise } from '#contracts/errors.js';
import {
  changeFlag,
  createFlag,
  evaluateFlag,
  type Evaluation,
  type EvaluationRequest,
  type Flag,
  type FlagChange,
  type FlagFilter,
  type FlagRef,
  type FlagRemoval,
  getFlag,
  listFlags,
  type NewFlag,
  removeFlag,
} from '#contracts/flags.js';
import { type Page } from '#contracts/page.js';
import { getModel, type Model, modelsView } from '#contracts/registry.js';
import { type Removed } from '#contracts/request.js';
import { Answers } from '#runtime/answers.js';
import { AuditStore } from '#runtime/audit.store.js';
import { Bus } from '#runtime/bus.js';
import { changesAnything } from '#runtime/changes.js';
import { currentCaller, runAs, system } from '#runtime/caller.js';
import { cursorParts, cursorText, fillPage } from '#runtime/cursor.js';
import { isUniqueViolation } from '#runtime/database-fault.js';
import { insertRow } from '#runtime/rows.js';
import { type Followed, Views } from '#runtime/views.js';
import { isAbsent } from '#runtime/visible-records.js';
import { evaluate } from './evaluation.js';
import { FlagEntity } from './flag.entity.js';
import { assertConsistent } from './flag-rules.js';

@Controller()
export class FlagsHandlers {
  private readonly models: Followed<Model>;

  constructor(
    private readonly database: DataSource,
    private readonly audit: AuditStore,
    private readonly bus: Bus,
    views: Views,
  ) {
    this.models = views.follow(modelsView, {
      removed: (model_id) => this.removeFlagsOf(model_id),
      leftovers: {
        held: async () => {
          const rows = await database.query<{ model_id: string }[]>('SELECT DISTINCT model_id FROM flags.flags WHERE model_id IS NOT NULL');
          return rows.map(({ model_id }) => model_id);
        },
        isGone: (model_id) => isAbsent(() => bus.ask(getModel, { model_id }), 'MODEL_NOT_FOUND'),
      },
    });
  }

  /** In the order of their keys. */
  @Answers(listFlags)
  async listFlags(filter: FlagFilter): Promise<Page<Flag>> {
    const query = this.database.getRepository(FlagEntity).createQueryBuilder('flag').orderBy('flag.flag_key');
    if (filter.model_id !== undefined) query.andWhere('flag.model_id = :model_id', { model_id: filter.model_id });
    if (filter.cursor !== undefined) query.andWhere('flag.flag_key > :after', { after: cursorParts(filter.cursor, 1)[0] });
    const { scope } = currentCaller().actor;
    if (isNarrowed(scope)) {
      const visible = [...this.models.values()].filter((model) => inScope(scope, model)).map(({ model_id }) => model_id);
      query.andWhere('(flag.model_id IS NULL OR flag.model_id = ANY(:visible))', { visible });
    }
    return fillPage(
      filter,
      (rows) => query.take(rows).getMany(),
      ({ flag_key }) => cursorText([flag_key]),
    );
  }

  @Answers(getFlag)
  async getFlag({ flag_key }: FlagRef): Promise<Flag> {
    return this.visible(flag_key, await this.database.manager.findOneBy(FlagEntity, { flag_key }));
  }

  @Answers(evaluateFlag)
  async evaluateFlag({ flag_key, targeting_key }: EvaluationRequest): Promise<Evaluation> {
    return evaluate(await this.getFlag({ flag_key }), targeting_key);
  }

  @Answers(createFlag)
  async createFlag(input: NewFlag): Promise<Flag> {
    const now = new Date().toISOString();
    const flag: FlagEntity = {
      flag_key: input.flag_key,
      description: input.description ?? '',
      state: input.state ?? 'ENABLED',
      variants: input.variants,
      default_variant: input.default_variant,
      rollout_variant: input.rollout_variant ?? null,
      rollout_percentage: input.rollout_percentage ?? 0,
      model_id: input.model_id ?? null,
      created_at: now,
      updated_at: now,
      created_by: currentCaller().actor.name,
      revision: 1,
    };
    assertConsistent(flag);
    assertMayWrite(flag);
    await this.assertModel(flag.model_id);
    return this.database.transaction(async (manager) => {
      await insertRow(manager, FlagEntity, flag).catch((error: unknown) => {
        if (!isUniqueViolation(error)) throw error;
        throw new AppError('FLAG_EXISTS', `Flag ${flag.flag_key} exists already`, { accepted: 'a flag_key that is not in use' });
      });
      await this.audit.write(manager, {
        action: 'flag.created',
        subject_type: 'flag',
        subject_id: flag.flag_key,
        before: null,
        after: flag,
      });
      return flag;
    });
  }

  @Answers(changeFlag)
  async changeFlag({ flag_key, if_match, ...change }: FlagChange): Promise<Flag> {
    if (change.model_id) await this.assertModel(change.model_id);
    return this.database.transaction(async (manager) => {
      const before = await this.lock(manager, flag_key, if_match);
      assertMayWrite(before);
      assertMayWrite({ ...before, ...change });
      if (!changesAnything(before, change)) return before;
      const after: FlagEntity = { ...before, ...change, updated_at: new Date().toISOString(), revision: before.revision + 1 };
      assertConsistent(after);
      await manager.save(FlagEntity, after);
      await this.audit.write(manager, { action: 'flag.changed', subject_type: 'flag', subject_id: flag_key, before, after });
      return after;
    });
  }

  @Answers(removeFlag)
  async removeFlag({ flag_key, if_match }: FlagRemoval): Promise<Removed> {
    await this.database.transaction(async (manager) => {
      const flag = await this.lock(manager, flag_key, if_match);
      assertMayWrite(flag);
      await this.remove(manager, flag, null);
    });
    return { removed: true };
  }

  @Answers(listAuditOf('flags'))
  async listAudit(filter: AuditFilter): Promise<Page<AuditEntry>> {
    return this.audit.list(filter);
  }

  /** The registry removed a model: its flags go with it. Says nothing when they are gone already. */
  private async removeFlagsOf(model_id: string): Promise<void> {
    await runAs(system('retention'), () =>
      this.database.transaction(async (manager) => {
        const flags = await manager.find(FlagEntity, { where: { model_id }, lock: { mode: 'pessimistic_write' } });
        for (const flag of flags) await this.remove(manager, flag, `model ${model_id} was removed`);
      }),
    );
  }

  private async remove(manager: EntityManager, flag: FlagEntity, reason: string | null): Promise<void> {
    await manager.delete(FlagEntity, { flag_key: flag.flag_key });
    await this.audit.write(manager, {
      action: 'flag.removed',
      subject_type: 'flag',
      subject_id: flag.flag_key,
      reason,
      before: flag,
      after: null,
    });
  }

  private async lock(manager: EntityManager, flag_key: string, if_match: number[] | undefined): Promise<FlagEntity> {
    const row = await manager.findOne(FlagEntity, { where: { flag_key }, lock: { mode: 'pessimistic_write' } });
    const flag = this.visible(flag_key, row);
    assertRevision(`Flag ${flag_key}`, flag.revision, if_match);
    return flag;
  }

  /** The registry says whether the model is there and in the caller's scope. */
  private async assertModel(model_id: string | null): Promise<void> {
    if (model_id !== null) await this.bus.ask(getModel, { model_id });
  }

  /** A flag of a model outside a narrowed key's scope is as good as absent. */
  private visible(flag_key: string, flag: FlagEntity | null): FlagEntity {
    const absent = new AppError('FLAG_NOT_FOUND', `Flag ${flag_key} not found`);
    if (!flag) raise(absent);
    const { scope } = currentCaller().actor;
    if (flag.model_id === null || !isNarrowed(scope)) return flag;
    const model = this.models.get(flag.model_id);
    return model && inScope(scope, model) ? flag : raise(absent);
  }
}

/** What is bound to no model is everybody's: a narrowed key reads it and leaves it as it is. */
function assertMayWrite({ flag_key, model_id }: FlagEntity): void {
  if (model_id !== null || !isNarrowed(currentCaller().actor.scope)) return;
  throw new AppError('OUT_OF_SCOPE', `Flag ${flag_key} is bound to no model; this key is narrowed to some`, {
    accepted: 'a flag with a model_id in the scope of the key',
  });
}

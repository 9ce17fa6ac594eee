import { Controller } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { inScope, isNarrowed } from '#contracts/access.js';
import { type AuditEntry, type AuditFilter, listAuditOf } from '#contracts/audit.js';
import {
  type AssignmentPreview,
  type AssignmentRequest,
  defaultSample,
  maxShownMoves,
  previewAssignment,
} from '#contracts/assignment-preview.js';
import { AppError, raise } from '#contracts/errors.js';
import {
  changeFlag,
  createFlag,
  type Flag,
  type FlagChange,
  type FlagFilter,
  flagInScope,
  type FlagRef,
  type FlagRemoval,
  getFlag,
  listFlags,
  type NewFlag,
  removeFlag,
} from '#contracts/flags.js';
import { type Page } from '#contracts/page.js';
import { getModel } from '#contracts/registry.js';
import { type Removed } from '#contracts/request.js';
import { compileFlag } from '#evaluation/compiled-flag.js';
import { Answers } from '#runtime/answers.js';
import { AuditStore } from '#runtime/audit.store.js';
import { Bus } from '#runtime/bus.js';
import { currentCaller } from '#runtime/caller.js';
import { changesAnything } from '#runtime/changes.js';
import { cursorParts, cursorText, fillPage } from '#runtime/cursor.js';
import { assignmentPreview, sampleKeys } from './assignment-preview.js';
import { EvaluatorsStore } from './evaluators.store.js';
import { FlagEntity } from './flag.entity.js';
import { modelsOfFlag } from './flag-bindings.store.js';
import { assertConsistent, assertNotOwned, splitFrom } from './flag-rules.js';
import { assertFlagRevision, flagNotFound, FlagsStore } from './flags.store.js';
import { ModelsStore } from './models.store.js';
import { newFlag } from './new-flag.js';

@Controller()
export class FlagsHandlers {
  constructor(
    private readonly database: DataSource,
    private readonly flags: FlagsStore,
    private readonly evaluators: EvaluatorsStore,
    private readonly audit: AuditStore,
    private readonly bus: Bus,
    private readonly models: ModelsStore,
  ) {}

  /** In the order of their keys. */
  @Answers(listFlags)
  async listFlags(filter: FlagFilter): Promise<Page<Flag>> {
    const query = this.database.getRepository(FlagEntity).createQueryBuilder('flag').orderBy('flag.flag_key');
    if (filter.model_id !== undefined) query.andWhere(`:model_id = ANY(${modelsOfFlag})`, { model_id: filter.model_id });
    if (filter.owner !== undefined) query.andWhere('flag.owner = :owner', { owner: filter.owner });
    if (filter.tag !== undefined) query.andWhere(':tag = ANY(flag.tags)', { tag: filter.tag });
    if (filter.expired !== undefined) query.andWhere(`COALESCE(flag.expires_at <= now(), false) = :expired`, { expired: filter.expired });
    if (filter.cursor !== undefined) query.andWhere('flag.flag_key > :after', { after: cursorParts(filter.cursor, 1)[0] });
    const { scope } = currentCaller().actor;
    if (isNarrowed(scope)) {
      const visible = [...this.models.all()].filter((model) => inScope(scope, model)).map(({ model_id }) => model_id);
      query.andWhere(`${modelsOfFlag} <@ :visible`, { visible });
    }
    return fillPage(
      filter,
      (rows) => query.take(rows).getMany(),
      ({ flag_key }) => cursorText([flag_key]),
    );
  }

  @Answers(getFlag)
  async getFlag({ flag_key }: FlagRef): Promise<Flag> {
    return this.visible(flag_key, await this.flags.find(this.database.manager, flag_key));
  }

  /** Who would move, if the split became another one: nothing is changed. */
  @Answers(previewAssignment)
  async previewAssignment({
    flag_key,
    split,
    targeting_keys,
    sample = defaultSample,
    context = {},
  }: AssignmentRequest): Promise<AssignmentPreview> {
    const flag = await this.getFlag({ flag_key });
    const asked: Flag = split === undefined ? flag : { ...flag, split: splitFrom(split, flag.split, flag_key) };
    const rules = await this.evaluators.rules();
    assertConsistent(asked, Object.keys(rules));
    return assignmentPreview(compileFlag(flag, rules), compileFlag(asked, rules), {
      keys: targeting_keys ?? sampleKeys(sample),
      context,
      now_ms: Date.now(),
      shown: targeting_keys?.length ?? maxShownMoves,
    });
  }

  @Answers(createFlag)
  async createFlag(input: NewFlag): Promise<Flag> {
    const flag = newFlag(input, { now: new Date().toISOString(), created_by: currentCaller().actor.name });
    assertMayWrite(flag);
    await this.assertModels(flag);
    await this.database.transaction(async (manager) => {
      assertConsistent(flag, await this.evaluators.shared(manager));
      await this.flags.add(manager, flag);
    });
    this.flags.changed();
    return flag;
  }

  @Answers(changeFlag)
  async changeFlag({ flag_key, if_match, split, ...rest }: FlagChange): Promise<Flag> {
    if (rest.variant_models) await this.assertModels({ variant_models: rest.variant_models });
    const flag = await this.database.transaction(async (manager) => {
      // Before the flag: an import keeps others from the evaluators, then waits for flags.
      const evaluators = await this.evaluators.shared(manager);
      const before = await this.lock(manager, flag_key, if_match);
      const change: Partial<Flag> = { ...rest, ...(split !== undefined && { split: splitFrom(split, before.split, flag_key) }) };
      assertMayWrite(before);
      assertMayWrite({ ...before, ...change });
      if (!changesAnything<Flag>(before, change)) return before;
      assertNotOwned(before, change);
      assertConsistent({ ...before, ...change }, evaluators);
      return this.flags.change(manager, before, change);
    });
    this.flags.changed();
    return flag;
  }

  @Answers(removeFlag)
  async removeFlag({ flag_key, if_match }: FlagRemoval): Promise<Removed> {
    await this.database.transaction(async (manager) => {
      const flag = await this.lock(manager, flag_key, if_match);
      assertMayWrite(flag);
      assertNotOwned(flag, flag);
      await this.flags.remove(manager, flag);
    });
    this.flags.changed();
    return { removed: true };
  }

  @Answers(listAuditOf('flags'))
  async listAudit(filter: AuditFilter): Promise<Page<AuditEntry>> {
    return this.audit.list(filter);
  }

  private async lock(manager: EntityManager, flag_key: string, if_match: number[] | undefined): Promise<FlagEntity> {
    const flag = this.visible(flag_key, await this.flags.lock(manager, flag_key));
    assertFlagRevision(flag, if_match);
    return flag;
  }

  /** The registry says whether the models are there and in the caller's scope. */
  private async assertModels({ variant_models }: Pick<Flag, 'variant_models'>): Promise<void> {
    await Promise.all([...new Set(Object.values(variant_models))].map((model_id) => this.bus.ask(getModel, { model_id }, currentCaller())));
  }

  /** A flag of a model outside a narrowed key's scope is as good as absent. */
  private visible(flag_key: string, flag: FlagEntity | null): FlagEntity {
    const { scope } = currentCaller().actor;
    return flag && flagInScope(scope, flag, (model_id) => this.models.find(model_id)) ? flag : raise(flagNotFound(flag_key));
  }
}

/** What is bound to no model is everybody's: a narrowed key reads it and leaves it as it is. */
function assertMayWrite({ flag_key, variant_models }: Flag): void {
  if (Object.keys(variant_models).length || !isNarrowed(currentCaller().actor.scope)) return;
  throw new AppError('OUT_OF_SCOPE', `Flag ${flag_key} is bound to no model; this key is narrowed to some`, {
    accepted: 'a flag with variant_models in the scope of the key',
  });
}

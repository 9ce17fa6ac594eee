import { randomBytes } from 'node:crypto';
import { Controller, type OnModuleInit } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { isNarrowed, roleSuffices } from '#contracts/access.js';
import { AppError, assertRevision, invalidInput, modelNotFound, ownedByRollout, raise } from '#contracts/errors.js';
import { type AuditEntry, type AuditFilter, listAuditOf } from '#contracts/audit.js';
import { type Page } from '#contracts/page.js';
import { getTransitions, type ModelTransitions } from '#contracts/promotion.js';
import {
  changeModel,
  changeStatus,
  getModel,
  listModels,
  minOverrideReason,
  type Model,
  type ModelChange,
  type ModelFilter,
  modelHistory,
  type ModelHistoryRequest,
  type ModelRef,
  modelsView,
  type NewModel,
  type Objectives,
  registerModel,
  type StatusChange,
  type StatusChanged,
} from '#contracts/registry.js';
import { type Serving } from '#contracts/serving.js';
import { Answers } from '#runtime/answers.js';
import { AuditStore } from '#runtime/audit.store.js';
import { changesAnything } from '#runtime/changes.js';
import { currentCaller } from '#runtime/caller.js';
import { isUniqueViolation } from '#runtime/database-fault.js';
import { Outbox } from '#runtime/outbox.js';
import { insertRow } from '#runtime/rows.js';
import { assertNoNewerPromotion } from './promotion.store.js';
import { modelIdOf } from './model-id.js';
import { assertStatusChange, assertStatusStill } from './model-status.js';
import { ModelChanges } from './model-changes.store.js';
import { ModelEntity } from './model.entity.js';
import { ModelsStore } from './models.store.js';
import { gateNotPassed, PromotionGate } from './promotion-gate.store.js';
import { servingProblems } from './serving-rules.js';

@Controller()
export class RegistryHandlers implements OnModuleInit {
  constructor(
    private readonly database: DataSource,
    private readonly models: ModelsStore,
    private readonly audit: AuditStore,
    private readonly outbox: Outbox,
    private readonly gate: PromotionGate,
    private readonly changes: ModelChanges,
  ) {}

  onModuleInit(): void {
    this.outbox.publish(modelsView, () => this.database.manager.find(ModelEntity));
  }

  @Answers(listModels)
  async listModels(filter: ModelFilter): Promise<Page<Model>> {
    return this.models.list(filter);
  }

  @Answers(getModel)
  async getModel({ model_id }: ModelRef): Promise<Model> {
    return this.models.get(model_id);
  }

  @Answers(registerModel)
  async registerModel(input: NewModel): Promise<Model> {
    const { actor } = currentCaller();
    const sport = input.sport ?? null;
    assertInScope({ sport, name: input.name });
    if (input.rollout_percentage) assertMayRollOut();
    const now = new Date().toISOString();
    const model: ModelEntity = {
      model_id: modelIdOf(sport, randomBytes(4)),
      name: input.name,
      version: input.version,
      model_type: input.model_type,
      status: 'development',
      description: input.description ?? '',
      sport,
      created_at: now,
      updated_at: now,
      created_by: actor.name,
      deployment_target: input.deployment_target ?? 'production',
      feature_flag_id: input.feature_flag_id ?? null,
      rollout_percentage: input.rollout_percentage ?? 0,
      retention_days: input.retention_days ?? 90,
      serving: servingOf(input.serving),
      objectives: objectivesOf(input.objectives),
      retired_at: null,
      rollout_id: null,
      revision: 1,
    };
    return this.committed(async (manager) => {
      await insertRow(manager, ModelEntity, model).catch((error: unknown) => this.explainDuplicate(error, input));
      await this.audit.write(manager, {
        action: 'model.registered',
        subject_type: 'model',
        subject_id: model.model_id,
        before: null,
        after: model,
      });
      await this.outbox.put(manager, modelsView, model);
      return model;
    });
  }

  @Answers(changeModel)
  async changeModel({ model_id, if_match, ...change }: ModelChange): Promise<Model> {
    return this.committed(async (manager) => {
      const before = await this.models.lock(manager, model_id);
      assertRevision(`Model ${model_id}`, before.revision, if_match);
      if (change.rollout_percentage !== undefined && change.rollout_percentage !== before.rollout_percentage) {
        assertMayRollOut();
        assertFree(before);
      }
      if (change.rollout_percentage && before.status === 'retired') {
        throw new AppError('MODEL_RETIRED', `Model ${model_id} is retired and takes no traffic`, { accepted: 'rollout_percentage 0' });
      }
      const serving = change.serving === undefined ? before.serving : servingOf(change.serving);
      const objectives = change.objectives === undefined ? before.objectives : objectivesOf(change.objectives);
      const changed = { ...change, serving, objectives };
      return changesAnything(before, changed) ? this.changes.save(manager, before, changed, 'model.changed', null) : before;
    });
  }

  /** The dry run of `changeStatus`, for every step that the workflow has. */
  @Answers(getTransitions)
  async getTransitions({ model_id }: ModelRef): Promise<ModelTransitions> {
    const model = await this.models.get(model_id);
    const { status, revision } = model;
    return { model_id, status, model_revision: revision, transitions: await this.gate.transitionsOf(model) };
  }

  /**
   * Validation is asked for the evidence before anything is locked: a slow answer holds nobody up. All versions of the name are locked while
   * the rule is checked, so that two promotions cannot both pass.
   */
  @Answers(changeStatus)
  async changeStatus({ model_id, to, reason, override = false, if_match }: StatusChange): Promise<StatusChanged> {
    if (override) assertOverrideReason(reason);
    const seen = await this.models.get(model_id);
    assertRevision(`Model ${model_id}`, seen.revision, if_match);
    assertStatusChange(model_id, seen.status, to);
    const unmet = await this.gate.unmet(seen, to, override);
    if (unmet.length && !override) throw gateNotPassed(seen, to, unmet);
    return this.committed(async (manager) => {
      const { model, versions } = await this.models.lockName(manager, model_id);
      assertRevision(`Model ${model_id}`, model.revision, if_match);
      assertStatusChange(model_id, model.status, to);
      assertStatusStill(seen, model, to);
      assertFree(model);
      if (unmet.length) await this.changes.tellOfOverride(manager, model, to, unmet, reason);
      const stable = to === 'stable' ? versions.find(({ status }) => status === 'stable') : undefined;
      const replaced = stable ? await this.deprecate(manager, stable, `replaced by ${model.version}: ${reason}`) : null;
      const change = to === 'retired' ? { retired_at: new Date().toISOString(), rollout_percentage: 0 } : { retired_at: null };
      return { model: await this.changes.save(manager, model, { status: to, ...change }, 'model.status_changed', reason), replaced };
    });
  }

  @Answers(modelHistory)
  async modelHistory({ model_id, ...page }: ModelHistoryRequest): Promise<Page<AuditEntry>> {
    const history = await this.audit.list({ ...page, subject_id: model_id });
    const present = await this.models.get(model_id).catch((error: unknown) => {
      if (error instanceof AppError) return null;
      throw error;
    });
    // What is left of a removed model is its audit; a narrowed key sees only what is in its scope.
    if (!present && (history.items.length === 0 || isNarrowed(currentCaller().actor.scope))) throw modelNotFound(model_id);
    return history;
  }

  @Answers(listAuditOf('registry'))
  async listAudit(filter: AuditFilter): Promise<Page<AuditEntry>> {
    return this.audit.list(filter);
  }

  private async committed<Changed>(change: (manager: EntityManager) => Promise<Changed>): Promise<Changed> {
    const changed = await this.database.transaction(change);
    this.outbox.flush();
    return changed;
  }

  private async deprecate(manager: EntityManager, stable: ModelEntity, reason: string): Promise<ModelEntity> {
    assertFree(stable);
    await assertNoNewerPromotion(manager, stable);
    return this.changes.save(manager, stable, { status: 'deprecated' }, 'model.status_changed', reason);
  }

  private async explainDuplicate(error: unknown, { name, version }: NewModel): Promise<never> {
    if (!isUniqueViolation(error, 'models_name_version')) throw error;
    const existing = await this.database.manager.findOneBy(ModelEntity, { name, version });
    throw new AppError('MODEL_EXISTS', `Version ${version} of ${name} is registered already`, {
      model_id: existing?.model_id ?? null,
      accepted: 'a (name, version) that is not registered yet',
    });
  }
}

/** As it is stored: fields that the protocol does not have are left out, those that it may have are there. */
function servingOf(serving: Serving | null | undefined): Serving | null {
  if (!serving) return null;
  const problems = servingProblems(serving);
  if (problems.length) throw invalidInput(problems);
  const { model_name = null, model_version = null, timeout_ms = 5_000, ...own } = serving;
  const given = Object.fromEntries(Object.entries(own).filter(([, value]) => value !== null)) as typeof own;
  return { ...given, model_name, model_version, timeout_ms };
}

function objectivesOf(objectives: Objectives | null | undefined): Objectives | null {
  if (!objectives) return null;
  const { success_rate = null, p95_ms = null, p99_ms = null } = objectives;
  return { success_rate, p95_ms, p99_ms };
}

/** A share of traffic is a release decision, even where the rest of the request is an editor's. */
function assertMayRollOut(): void {
  const { role } = currentCaller().actor;
  if (roleSuffices(role, 'releaser')) return;
  throw new AppError('ROLE_TOO_SMALL', 'Changing rollout_percentage needs the role releaser', { role, needed: 'releaser' });
}

/** Whoever goes on without evidence says why in more than a word. */
function assertOverrideReason(reason: string): void {
  if (reason.trim().length >= minOverrideReason) return;
  throw invalidInput([{ field: 'reason', value: reason, accepted: `with override: why, in at least ${minOverrideReason} characters` }]);
}

function assertFree({ model_id, rollout_id }: ModelEntity): void {
  if (rollout_id !== null) throw ownedByRollout(`Model ${model_id}`, rollout_id);
}

function assertInScope({ sport, name }: { sport: string | null; name: string }): void {
  const { sports, names } = currentCaller().actor.scope;
  if (sports && (sport === null || !sports.includes(sport))) {
    raise(invalidInput([{ field: 'sport', value: sport, accepted: `one of this key's sports: ${sports.join(', ')}` }]));
  }
  if (names && !names.includes(name)) {
    raise(invalidInput([{ field: 'name', value: name, accepted: `one of this key's names: ${names.join(', ')}` }]));
  }
}

import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { inScope, isNarrowed } from '#contracts/access.js';
import { AppError } from '#contracts/errors.js';
import { type Page } from '#contracts/page.js';
import { type Rollout, type RolloutFilter } from '#contracts/rollouts.js';
import { AuditStore } from '#runtime/audit.store.js';
import { currentCaller } from '#runtime/caller.js';
import { cursorParts, cursorText, fillPage } from '#runtime/cursor.js';
import { insertRow } from '#runtime/rows.js';
import { RolloutEntity, RolloutEventEntity } from './rollout.entity.js';
import { eventOf, type Told } from './rollout-event.js';

/** Rollouts as the present caller may see them: of models outside a narrowed key's scope is as good as absent. */
@Injectable()
export class RolloutsStore {
  constructor(
    private readonly database: DataSource,
    private readonly audit: AuditStore,
  ) {}

  async get(rollout_id: string): Promise<RolloutEntity> {
    return visible(rollout_id, await this.database.manager.findOneBy(RolloutEntity, { rollout_id }));
  }

  async lock(manager: EntityManager, rollout_id: string): Promise<RolloutEntity> {
    const row = await manager.findOne(RolloutEntity, { where: { rollout_id }, lock: { mode: 'pessimistic_write' } });
    return visible(rollout_id, row);
  }

  /** Newest first. */
  async list(filter: RolloutFilter): Promise<Page<Rollout>> {
    const query = this.database
      .getRepository(RolloutEntity)
      .createQueryBuilder('rollout')
      .orderBy({ 'rollout.created_at': 'DESC', 'rollout.rollout_id': 'DESC' });
    if (filter.status !== undefined) query.andWhere('rollout.status = :status', { status: filter.status });
    if (filter.flag_key !== undefined) query.andWhere('rollout.flag_key = :flag_key', { flag_key: filter.flag_key });
    if (filter.cursor !== undefined) {
      const [after] = cursorParts(filter.cursor, 1);
      // By the row itself, whose time has more digits than its text.
      const place = '(SELECT created_at, rollout_id FROM flags.rollouts WHERE rollout_id = :after)';
      query.andWhere(`(rollout.created_at, rollout.rollout_id) < ${place}`, { after });
    }
    const { sports, names } = currentCaller().actor.scope;
    const beyond = (field: string, allowed: string): string =>
      `NOT EXISTS (SELECT 1 FROM jsonb_array_elements(rollout.models) AS model WHERE NOT COALESCE(model->>'${field}' = ANY(:${allowed}), false))`;
    if (sports) query.andWhere(beyond('sport', 'sports'), { sports });
    if (names) query.andWhere(beyond('name', 'names'), { names });
    const page = await fillPage(
      filter,
      (rows) => query.take(rows).getMany(),
      ({ rollout_id }) => cursorText([rollout_id]),
    );
    return { ...page, items: page.items.map(shown) };
  }

  async add(manager: EntityManager, rollout: RolloutEntity): Promise<void> {
    await insertRow(manager, RolloutEntity, rollout);
    await this.write(manager, 'rollout.created', null, rollout, rollout.reason);
  }

  /** The locked rollout with what is changed, and what is told of that. A tick alone is no change that the audit tells of: it has its decision. */
  async change(manager: EntityManager, before: RolloutEntity, change: Partial<RolloutEntity>, told?: Told): Promise<RolloutEntity> {
    const news = told ? eventOf(before, { ...before, ...change }, told) : null;
    const changed = { ...change, ...news?.remembered };
    const after: RolloutEntity = { ...before, ...changed };
    // Not saved as a whole: that would read the row again, and compare its evidence.
    await manager.update(RolloutEntity, { rollout_id: before.rollout_id }, changed);
    if (news) await manager.insert(RolloutEventEntity, { event: news.event });
    if (told) await this.write(manager, told.action, before, after, told.reason);
    return after;
  }

  private write(manager: EntityManager, action: string, before: RolloutEntity | null, after: RolloutEntity, reason: string): Promise<void> {
    const subject_id = after.rollout_id;
    return this.audit.write(manager, {
      action,
      subject_type: 'rollout',
      subject_id,
      reason: reason.slice(0, 1000),
      before: before && shown(before),
      after: shown(after),
    });
  }
}

export function visible(rollout_id: string, row: RolloutEntity | null): RolloutEntity {
  const { scope } = currentCaller().actor;
  if (row && (!isNarrowed(scope) || row.models.every((model) => inScope(scope, model)))) return row;
  throw new AppError('ROLLOUT_NOT_FOUND', `Rollout ${rollout_id} not found`);
}

/** What others see of a rollout: not the evidence, which `GET …/analysis` shows. */
export const shown = (row: RolloutEntity): Rollout => ({
  rollout_id: row.rollout_id,
  flag_key: row.flag_key,
  candidate_model_id: row.candidate_model_id,
  candidate_variant: row.candidate_variant,
  control_model_id: row.control_model_id,
  control_variant: row.control_variant,
  status: row.status,
  step: row.step,
  percentage: row.percentage,
  plan: row.plan,
  override: row.override,
  reason: row.reason,
  last_decision: row.last_decision,
  pending: row.pending && {
    sequence: row.pending.sequence,
    change: row.pending.change,
    since: row.pending.since,
    last_error: row.pending.last_error,
  },
  outcome: row.outcome,
  created_at: row.created_at,
  created_by: row.created_by,
  started_at: row.started_at,
  step_started_at: row.step_started_at,
  ended_at: row.ended_at,
});

/** PostgreSQL's clock: one for all replicas, theirs may differ. */
export async function clock(manager: EntityManager): Promise<string> {
  const [row] = await manager.query<{ at: Date }[]>('SELECT clock_timestamp() AS at');
  return row!.at.toISOString();
}

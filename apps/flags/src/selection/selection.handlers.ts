import { Controller } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { AppError } from '#contracts/errors.js';
import { type Page, type PageRequest } from '#contracts/page.js';
import { getModel, type ModelRef } from '#contracts/registry.js';
import {
  type BanditPool,
  type BreakerChange,
  breakersView,
  changeBreaker,
  type CircuitBreaker,
  type CircuitBreakerFilter,
  getBreaker,
  listBreakers,
  listPools,
  type ModelsWanted,
  poolIdOf,
  usePool,
} from '#contracts/selection.js';
import { Answers } from '#runtime/answers.js';
import { AuditStore } from '#runtime/audit.store.js';
import { Bus } from '#runtime/bus.js';
import { currentCaller } from '#runtime/caller.js';
import { cursorParts, cursorText, fillPage } from '#runtime/cursor.js';
import { Outbox } from '#runtime/outbox.js';
import { breakerOf, newState } from './model-state.js';
import { newRevision } from './pool.js';
import { BanditPoolEntity, ModelStateEntity } from './selection.entity.js';
import { insertStates, poolOf } from './selection.store.js';

/** Each is looked at every few seconds. */
const mostPools = 200;

@Controller()
export class SelectionHandlers {
  constructor(
    private readonly database: DataSource,
    private readonly audit: AuditStore,
    private readonly outbox: Outbox,
    private readonly bus: Bus,
  ) {}

  /** In the order of their models. */
  @Answers(listBreakers)
  async listBreakers(filter: CircuitBreakerFilter): Promise<Page<CircuitBreaker>> {
    const query = this.database.getRepository(ModelStateEntity).createQueryBuilder('model').orderBy('model.model_id');
    if (filter.state !== undefined) query.andWhere(`model.breaker->>'state' = :state`, { state: filter.state });
    if (filter.cursor !== undefined) query.andWhere('model.model_id > :after', { after: cursorParts(filter.cursor, 1)[0] });
    return fillPage(
      filter,
      async (rows) => (await query.take(rows).getMany()).map(breakerOf),
      ({ model_id }) => cursorText([model_id]),
    );
  }

  @Answers(getBreaker)
  async getBreaker({ model_id }: ModelRef): Promise<CircuitBreaker> {
    await this.bus.ask(getModel, { model_id }, currentCaller());
    return breakerOf((await this.database.manager.findOneBy(ModelStateEntity, { model_id })) ?? newState(model_id, Date.now()));
  }

  /** A tick that is under way waits for this row, or this for it: neither undoes what the other did. */
  @Answers(changeBreaker)
  async changeBreaker({ model_id, state, reason }: BreakerChange): Promise<CircuitBreaker> {
    await this.bus.ask(getModel, { model_id }, currentCaller());
    const forced = state === 'automatic' ? null : state;
    const changed = await this.database.transaction(async (manager) => {
      await insertStates(manager, [model_id], Date.now());
      const before = await manager.findOneOrFail(ModelStateEntity, { where: { model_id }, lock: { mode: 'pessimistic_write' } });
      if (forced === null && before.forced === null) return before;
      const after: ModelStateEntity = {
        ...before,
        forced,
        forced_by: forced && currentCaller().actor.name,
        forced_reason: forced && reason,
        revision: before.revision + 1,
      };
      await manager.save(ModelStateEntity, after);
      await this.outbox.put(manager, breakersView, breakerOf(after));
      await this.audit.write(manager, {
        action: 'breaker.changed',
        subject_type: 'breaker',
        subject_id: model_id,
        reason,
        before: breakerOf(before),
        after: breakerOf(after),
      });
      return after;
    });
    this.outbox.flush();
    return breakerOf(changed);
  }

  @Answers(listPools)
  async listPools(filter: PageRequest): Promise<Page<BanditPool>> {
    const query = this.database.getRepository(BanditPoolEntity).createQueryBuilder('pool').orderBy('pool.pool_id');
    if (filter.cursor !== undefined) query.andWhere('pool.pool_id > :after', { after: cursorParts(filter.cursor, 1)[0] });
    return fillPage(
      filter,
      async (rows) => (await query.take(rows).getMany()).map(poolOf),
      ({ pool_id }) => cursorText([pool_id]),
    );
  }

  /** Said again and again while it is served. Its weights come with the next tick; two gateways that say it first are told the same. */
  @Answers(usePool)
  async usePool(wanted: ModelsWanted): Promise<BanditPool> {
    const pool_id = poolIdOf(wanted);
    const now = new Date().toISOString();
    const { name = null, sport = null, model_type = null } = wanted;
    return this.database.transaction(async (manager) => {
      const { affected } = await manager.update(BanditPoolEntity, { pool_id }, { used_at: now });
      if (!affected) {
        if ((await manager.count(BanditPoolEntity)) >= mostPools)
          throw new AppError('LIMIT_REACHED', 'There are as many bandit pools as there may be', { limit: mostPools });
        const pool = { pool_id, name, sport, model_type, arms: [], settled_at: now, used_at: now, revision: newRevision };
        await manager.createQueryBuilder().insert().into(BanditPoolEntity).values(pool).orIgnore().execute();
      }
      return poolOf(await manager.findOneByOrFail(BanditPoolEntity, { pool_id }));
    });
  }
}

import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { type EntityManager, Repository, type SelectQueryBuilder } from 'typeorm';
import { inScope } from '#contracts/access.js';
import { modelNotFound, raise } from '#contracts/errors.js';
import { isInstant } from '#contracts/fields.js';
import { type Page } from '#contracts/page.js';
import { type ModelFilter } from '#contracts/registry.js';
import { currentCaller } from '#runtime/caller.js';
import { badCursor, cursorParts, cursorText, fillPage } from '#runtime/cursor.js';
import { ModelEntity } from './model.entity.js';

/** Whatever the database's own: the gateway lists models in this order, too. */
const byCodePoint = 'COLLATE "C"';

/** Models as the present caller may see them: one outside a narrowed key's scope is as good as absent. */
@Injectable()
export class ModelsStore {
  constructor(@InjectRepository(ModelEntity, 'registry') private readonly models: Repository<ModelEntity>) {}

  async get(model_id: string): Promise<ModelEntity> {
    return visible(await this.models.findOneBy({ model_id })) ?? raise(modelNotFound(model_id));
  }

  async lock(manager: EntityManager, model_id: string): Promise<ModelEntity> {
    const row = await manager.findOne(ModelEntity, { where: { model_id }, lock: { mode: 'pessimistic_write' } });
    return visible(row) ?? raise(modelNotFound(model_id));
  }

  /** The model and all versions of its name, locked in one order, so that changes which concern several versions take turns. */
  async lockName(manager: EntityManager, model_id: string): Promise<{ model: ModelEntity; versions: ModelEntity[] }> {
    const { name } = await this.get(model_id);
    const versions = await manager.find(ModelEntity, { where: { name }, order: { model_id: 'ASC' }, lock: { mode: 'pessimistic_write' } });
    const model = versions.find((version) => version.model_id === model_id);
    return { model: model ?? raise(modelNotFound(model_id)), versions };
  }

  async list(filter: ModelFilter): Promise<Page<ModelEntity>> {
    const query = this.models.createQueryBuilder('model');
    for (const column of ['status', 'model_type', 'sport'] as const) {
      if (filter[column] !== undefined) query.andWhere(`model.${column} = :${column}`, { [column]: filter[column] });
    }
    if (filter.q !== undefined) {
      const matches = (column: string): string => `lower(model.${column} COLLATE "pg_c_utf8") LIKE lower(:q COLLATE "pg_c_utf8")`;
      query.andWhere(`(${matches('name')} OR ${matches('description')})`, { q: `%${filter.q.replace(/[\\%_]/g, '\\$&')}%` });
    }
    const { sports, names } = currentCaller().actor.scope;
    if (sports) query.andWhere('model.sport = ANY(:sports)', { sports });
    if (names) query.andWhere('model.name = ANY(:names)', { names });

    const order = filter.order_by ?? '-created_at';
    const column = order.replace('-', '') as 'created_at' | 'updated_at' | 'name';
    orderBy(query, column, order.startsWith('-'), filter.cursor);
    return fillPage(
      filter,
      (rows) => query.take(rows).getMany(),
      (model) => cursorText([model[column], model.model_id]),
    );
  }
}

function visible(row: ModelEntity | null): ModelEntity | null {
  return row && inScope(currentCaller().actor.scope, row) ? row : null;
}

function orderBy(query: SelectQueryBuilder<ModelEntity>, column: string, descending: boolean, cursor: string | undefined): void {
  const direction = descending ? 'DESC' : 'ASC';
  const [first, second] = [column === 'name' ? `model.name ${byCodePoint}` : `model.${column}`, `model.model_id ${byCodePoint}`];
  query.orderBy(first, direction).addOrderBy(second, direction);
  if (cursor === undefined) return;
  const [value, id] = cursorParts(cursor, 2);
  if (column !== 'name' && !isInstant(value)) throw badCursor(cursor);
  query.andWhere(`(${first}, ${second}) ${descending ? '<' : '>'} (:cursor_value, :cursor_id)`, { cursor_value: value, cursor_id: id });
}

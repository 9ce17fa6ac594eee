import { inScope, type Scope } from '#contracts/access.js';
import { instantMs } from '#contracts/instant.js';
import { type Page } from '#contracts/page.js';
import { type Model, type ModelFilter } from '#contracts/registry.js';
import { badCursor, cursorParts, cursorText, pageFrom } from '#runtime/cursor.js';
import { recordText } from './record-text.js';
import { SortedRecords } from './sorted-records.js';
import { compareTexts, foldedCase } from './text-order.js';

const columns = ['created_at', 'updated_at', 'name'] as const;
type Column = (typeof columns)[number];

/** All models in each order that a list may have; it answers as the registry does, to the cursor. */
export class ModelList {
  private readonly orders = new Map(
    columns.map((column) => [column, new SortedRecords<Model>((a, b) => lie(a, column, b[column], b.model_id))]),
  );

  add(model: Model): void {
    for (const order of this.orders.values()) order.add(model);
  }

  remove(model: Model): void {
    for (const order of this.orders.values()) order.remove(model);
  }

  /** Throws INVALID_INPUT for a cursor that is none. */
  page(filter: ModelFilter, scope: Scope): Page<Model> {
    const order = filter.order_by ?? '-created_at';
    const descending = order.startsWith('-');
    const column = order.replace('-', '') as Column;
    const after = filter.cursor === undefined ? undefined : afterCursor(column, filter.cursor);
    const accepts = matching(filter, scope);
    return pageFrom(
      filter,
      (count) => this.orders.get(column)!.take(count, accepts, { after, descending }),
      (model) => cursorText([model[column], model.model_id]),
      recordText,
    );
  }
}

/** How a model lies to a place in the order of a column. Times are texts of one form, whose order is theirs. */
const lie = (model: Model, column: Column, value: string, model_id: string): number =>
  compareTexts(model[column], value) || compareTexts(model.model_id, model_id);

function afterCursor(column: Column, cursor: string): (model: Model) => number {
  const [value = '', model_id = ''] = cursorParts(cursor, 2);
  if (column === 'name') return (model) => lie(model, column, value, model_id);
  const time = instantMs(value);
  if (Number.isNaN(time)) throw badCursor(cursor);
  const instant = new Date(time).toISOString();
  return (model) => lie(model, column, instant, model_id);
}

function matching({ status, model_type, sport, q }: ModelFilter, scope: Scope): (model: Model) => boolean {
  const part = q === undefined ? undefined : foldedCase(q);
  return (model) =>
    (status === undefined || model.status === status) &&
    (model_type === undefined || model.model_type === model_type) &&
    (sport === undefined || model.sport === sport) &&
    inScope(scope, model) &&
    (part === undefined || foldedCase(model.name).includes(part) || foldedCase(model.description).includes(part));
}

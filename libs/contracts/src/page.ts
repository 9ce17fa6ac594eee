import { type DataClass, Parts, Text, Whole } from './fields.js';

export interface Page<Item> {
  items: Item[];
  next_cursor: string | null;
}

/** The answer to a list request: its items and where to go on, null at the end. */
export function pageOf<Item extends object>(item: DataClass<Item>): DataClass<Page<Item>> {
  class PageOfItem {
    @Parts(() => item)
    items!: Item[];

    @Text({ max: 1000, nullable: true })
    next_cursor!: string | null;
  }
  return PageOfItem;
}

export const defaultLimit = 100;

export class PageRequest {
  @Whole({
    min: 1,
    max: 1000,
    optional: true,
    description: 'Items on a page at the most. Default 100. A page may be shorter: follow `next_cursor`.',
  })
  limit?: number;

  @Text({ max: 1000, optional: true, description: '`page.next_cursor` of the page before.' })
  cursor?: string;
}

import { type AppError, invalidInput, raise } from '#contracts/errors.js';
import { defaultLimit, type Page, type PageRequest } from '#contracts/page.js';

/** Where a page ended, as a text that means nothing to a client: the order's columns of its last item. */
export const cursorText = (parts: string[]): string => Buffer.from(JSON.stringify(parts)).toString('base64url');

export const badCursor = (cursor: string): AppError =>
  invalidInput([{ field: 'cursor', value: cursor.slice(0, 100), accepted: '`page.next_cursor` of an earlier answer to the same request' }]);

/** The parts of a cursor that `cursorText` made; INVALID_INPUT for anything else. */
export function cursorParts(cursor: string, length: number): string[] {
  try {
    const parts = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown;
    const wellMade =
      Array.isArray(parts) && parts.length === length && parts.every((part) => typeof part === 'string' && !part.includes('\u0000'));
    if (wellMade) return parts as string[];
  } catch {
    // Not ours: reported below.
  }
  throw badCursor(cursor);
}

const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function uuidCursor(cursor: string): string {
  const [id] = cursorParts(cursor, 1);
  return id && uuidPattern.test(id) ? id : raise(badCursor(cursor));
}

// NATS refuses messages over 1 MB unless its server is told otherwise.
const maxPageBytes = 700_000;

/**
 * Reads one item more than the page holds to know whether there is a next page, and ends the page early where its bytes would not fit into
 * a message.
 */
export async function fillPage<Item>(
  request: PageRequest,
  read: (rows: number) => Promise<Item[]>,
  cursorOf: (item: Item) => string,
): Promise<Page<Item>> {
  const rows = await read(rowsFor(request));
  return pageFrom(request, () => rows, cursorOf, JSON.stringify);
}

/** The same of what is in memory. `textOf` is an item's JSON. */
export function pageFrom<Item>(
  request: PageRequest,
  read: (rows: number) => Item[],
  cursorOf: (item: Item) => string,
  textOf: (item: Item) => string,
): Page<Item> {
  const wanted = rowsFor(request);
  const rows = read(wanted);
  const items: Item[] = [];
  let bytes = 0;
  for (const row of rows.slice(0, wanted - 1)) {
    bytes += Buffer.byteLength(textOf(row));
    if (items.length > 0 && bytes > maxPageBytes) break;
    items.push(row);
  }
  const last = items.at(-1);
  return { items, next_cursor: last !== undefined && items.length < rows.length ? cursorOf(last) : null };
}

const rowsFor = ({ limit = defaultLimit }: PageRequest): number => limit + 1;

import { type CaseResult } from '#contracts/case-result.js';
import { type Page, type PageRequest } from '#contracts/page.js';
import { badCursor, cursorParts, cursorText, fillPage } from '#runtime/cursor.js';

/** A page of a run's results, in their order. A cursor is how many came before. */
export async function resultsPage(results: CaseResult[], page: PageRequest): Promise<Page<CaseResult>> {
  const before = page.cursor === undefined ? 0 : placeOf(page.cursor);
  const places = new Map(results.map((result, index) => [result, index]));
  return fillPage(
    page,
    (rows) => Promise.resolve(results.slice(before, before + rows)),
    (result) => cursorText([String(places.get(result)! + 1)]),
  );
}

function placeOf(cursor: string): number {
  const [text = ''] = cursorParts(cursor, 1);
  if (!/^\d{1,6}$/.test(text)) throw badCursor(cursor);
  return Number(text);
}

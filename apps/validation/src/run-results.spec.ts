import { type CaseResult } from '#contracts/case-result.js';
import { resultsPage } from './run-results.js';

const resultsOf = (count: number, bytes = 10): CaseResult[] =>
  Array.from({ length: count }, (_, index) => ({
    test_case_id: `case_${index}`,
    outcome: 'failed',
    duration_ms: 1,
    reason: 'x'.repeat(bytes),
    checks: [],
  }));

async function walked(results: CaseResult[], limit: number): Promise<{ seen: CaseResult[]; pages: number[] }> {
  const seen: CaseResult[] = [];
  const pages: number[] = [];
  let cursor: string | undefined;
  do {
    const { items, next_cursor } = await resultsPage(results, { limit, cursor });
    seen.push(...items);
    pages.push(items.length);
    cursor = next_cursor ?? undefined;
  } while (cursor !== undefined);
  return { seen, pages };
}

it('walks through all results once, in their order', async () => {
  const results = resultsOf(25);
  expect(await walked(results, 10)).toEqual({ seen: results, pages: [10, 10, 5] });
  expect(await walked(results, 25)).toEqual({ seen: results, pages: [25] });
  expect(await walked([], 1)).toEqual({ seen: [], pages: [0] });
});

it('ends a page where a message would be too large', async () => {
  const results = resultsOf(10_000, 900);
  const { seen, pages } = await walked(results, 10_000);
  expect(seen).toEqual(results);
  expect(pages.length).toBeGreaterThan(10);
  expect(Buffer.byteLength(JSON.stringify(results.slice(0, pages[0])))).toBeLessThan(750_000);
});

it('refuses a cursor that is none of its own', async () => {
  for (const cursor of ['', 'x', Buffer.from('["-1"]').toString('base64url'), Buffer.from('["1","2"]').toString('base64url')])
    await expect(resultsPage(resultsOf(3), { cursor })).rejects.toMatchObject({ code: 'INVALID_INPUT' });
});

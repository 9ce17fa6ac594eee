import { type RowOutcome } from './judging/rows.js';
import { packed, unpacked } from './row-outcomes.js';

it('gives back what was packed, with scores and without, in a few bytes a row', async () => {
  const outcomes: RowOutcome[] = Array.from({ length: 10_000 }, (_, index) => ({
    row: index + 1,
    label: index % 3 === 0,
    prediction: index % 2 === 0,
  }));
  const scored = outcomes.map((outcome, index) => ({ ...outcome, score: (index % 100) / 100 }));
  expect(await unpacked(await packed(outcomes))).toEqual(outcomes);
  expect(await unpacked(await packed(scored))).toEqual(scored);
  expect(await unpacked(await packed([]))).toEqual([]);
  expect((await packed(outcomes)).length).toBeLessThan(60_000);
});

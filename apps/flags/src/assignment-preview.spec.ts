import { type Flag } from '#contracts/flags.js';
import { type SplitAlgorithm } from '#contracts/split.js';
import { compileFlag } from '#evaluation/compiled-flag.js';
import { assignmentPreview, sampleKeys } from './assignment-preview.js';

const compiled = (algorithm: SplitAlgorithm, weights: Record<string, number>) =>
  compileFlag(
    {
      ...{ flag_key: 'f', state: 'ENABLED', variants: { a: 1, b: 2, c: 3 }, default_variant: 'a', targeting: null, variant_models: {} },
      split: { algorithm, salt: 'f', weights },
    } as unknown as Flag,
    {},
  );
const preview = (algorithm: SplitAlgorithm, before: Record<string, number>, after: Record<string, number>, shown = 5) =>
  assignmentPreview(compiled(algorithm, before), compiled(algorithm, after), { keys: sampleKeys(20_000), context: {}, now_ms: 0, shown });

describe('a preview of an assignment', () => {
  it('counts who moves, and how many must', () => {
    const [before, after] = [{ a: 34, b: 33, c: 33 }, { a: 50, b: 25, c: 25 }]; // prettier-ignore
    const [fractional, rendezvous] = [preview('fractional', before, after), preview('rendezvous', before, after)];
    expect(fractional.moved_percent).toBeCloseTo(24, 0);
    expect(rendezvous.moved_percent).toBeCloseTo(16, 0);
    expect(rendezvous.moved_percent).toBe(rendezvous.unavoidable_percent);
    expect(rendezvous.variants.map(({ variant }) => variant)).toEqual(['a', 'b', 'c']);
    expect(rendezvous.variants.reduce((sum, share) => sum + share.after, 0)).toBe(20_000);
  });

  it('shows the first of those who move', () => {
    const { moved, moves } = preview('fractional', { a: 1, b: 1 }, { a: 3, b: 1 });
    expect(moved).toBeGreaterThan(5);
    expect(moves).toHaveLength(5);
    for (const { from, to } of moves) expect([from, to]).toEqual(['b', 'a']);
  });

  it('moves nobody without a change', () => {
    expect(preview('fractional', { a: 1, b: 1 }, { a: 1, b: 1 })).toMatchObject({
      moved: 0,
      moved_percent: 0,
      unavoidable_percent: 0,
      moves: [],
    });
  });
});

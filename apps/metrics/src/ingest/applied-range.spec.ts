import { fc } from '#testing/property.js';
import { AppliedRange } from './applied-range.js';

const maxSeq = Number.MAX_SAFE_INTEGER - 1;
const rangeOf = (seqs: Iterable<number>): AppliedRange => {
  const applied = new AppliedRange();
  for (const seq of seqs) applied.add(seq);
  return applied;
};

describe('AppliedRange', () => {
  it('holds what a Set holds, whatever the order', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(60), { maxLength: 80 }), (seqs) => {
        const applied = new AppliedRange();
        const set = new Set<number>();
        for (const seq of seqs) {
          expect(applied.add(seq)).toBe(!set.has(seq));
          set.add(seq);
        }
        for (let seq = -1; seq <= 62; seq++) expect(applied.has(seq)).toBe(set.has(seq));
      }),
    );
  });

  it('keeps as few ranges as the numbers have runs', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(60), { maxLength: 80 }), (seqs) => {
        const set = new Set(seqs);
        const runs = [...set].filter((seq) => !set.has(seq - 1)).length;
        expect(rangeOf(seqs).rangeCount).toBe(runs);
      }),
    );
  });

  it('has one text for one set, and reads it back', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(
          fc.oneof(
            fc.nat(60),
            fc.maxSafeNat().map((seq) => Math.min(seq, maxSeq)),
          ),
          { maxLength: 60 },
        ),
        (seqs) => {
          const text = rangeOf(seqs).format();
          expect(rangeOf([...seqs].sort((a, b) => a - b)).format()).toBe(text);
          expect(AppliedRange.parse(text).format()).toBe(text);
          for (const seq of seqs) expect(AppliedRange.parse(text).has(seq)).toBe(true);
        },
      ),
    );
  });

  it.each([
    [[], '{}'],
    [[0, 1, 2, 3, 4, 7, 8], '{[0,5),[7,9)}'],
    [[5, 4, 6], '{[4,7)}'],
    [[0, 2, 1], '{[0,3)}'],
    [[maxSeq], '{[9007199254740990,9007199254740991)}'],
  ])('writes %j as %s', (seqs, text) => {
    expect(rangeOf(seqs).format()).toBe(text);
  });

  it('goes on from what it read', () => {
    const applied = AppliedRange.parse('{[0,5),[7,9)}');
    expect([applied.add(4), applied.add(5), applied.add(6)]).toEqual([false, true, true]);
    expect(applied.format()).toBe('{[0,9)}');
  });

  it.each([
    '',
    '{',
    '}',
    '[0,5)',
    'empty',
    '{[0,5)',
    '{(0,5)}',
    '{[0,5]}',
    '{[0,)}',
    '{(,)}',
    '{[5,5)}',
    '{[5,3)}',
    '{[-1,3)}',
    '{[0,5),[5,9)}',
    '{[0,5),[3,9)}',
    '{[7,9),[0,5)}',
    '{[0,5),}',
    '{,[0,5)}',
    '{[0,5)[7,9)}',
    '{[0,9007199254740992)}',
    '{[0,99999999999999999999)}',
    '{[0,1e3)}',
  ])('refuses to read %j', (text) => {
    expect(() => AppliedRange.parse(text)).toThrow(RangeError);
  });

  it.each([-1, 0.5, Number.NaN, Infinity, maxSeq + 1, 2 ** 53])('does not add %d', (seq) => {
    const applied = new AppliedRange();
    expect(() => applied.add(seq)).toThrow(RangeError);
    expect(applied.format()).toBe('{}');
    expect(applied.has(seq)).toBe(false);
  });

  it('shows only the beginning of a long text that it refuses', () => {
    expect(() => AppliedRange.parse('x'.repeat(100_000))).toThrow(/x{100}…$/);
  });
});

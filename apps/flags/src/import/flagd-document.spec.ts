import { importable, readDocument } from './imported-flag.js';

const variants = { on: true, off: false };

describe('a flagd document', () => {
  it('becomes flags and evaluators, its metadata theirs, and evaluators within evaluators written out', () => {
    const { candidates, evaluators } = readDocument('flagd', {
      flags: {
        a: {
          state: 'ENABLED',
          variants,
          defaultVariant: 'off',
          targeting: { if: [{ $ref: 'staff' }, 'on', null] },
          metadata: { team: 'x' },
        },
        b: { state: 'DISABLED', variants, defaultVariant: null, targeting: { $ref: 'by_plan' }, unheard: 1 },
        c: { state: 'ENABLED' },
      },
      $evaluators: {
        staff: { '==': [{ var: 'plan' }, 'staff'] },
        by_plan: { if: [{ $ref: 'staff' }, 'on', 'off'] },
      },
      metadata: { set: 'one', team: 'y' },
    });
    const rule = { if: [{ '==': [{ var: 'plan' }, 'staff'] }, 'on', 'off'] };
    expect(evaluators).toEqual([
      { name: 'staff', rule: { '==': [{ var: 'plan' }, 'staff'] } },
      { name: 'by_plan', rule },
    ]);
    const [a, b, c] = candidates.map((candidate) => importable(candidate, ['staff', 'by_plan']));
    expect(a).toMatchObject({ lost: [], flag: { flag_key: 'a', metadata: { set: 'one', team: 'x' }, default_variant: 'off' } });
    expect(b).toMatchObject({
      lost: [{ field: 'unheard', reason: 'flagd has no such field' }],
      flag: { default_variant: null, targeting: rule, state: 'DISABLED' },
    });
    expect(c!.flag).toMatchObject({ variants: { true: true, false: false }, default_variant: null });
  });

  it('may list its flags with their keys', () => {
    const { candidates } = readDocument('flagd', { flags: [{ key: 'a', state: 'ENABLED', variants, defaultVariant: 'on' }] });
    expect(candidates.map((candidate) => importable(candidate, []))).toMatchObject([{ flag: { flag_key: 'a', default_variant: 'on' } }]);
  });

  it('says of each flag why it is refused', () => {
    const { candidates } = readDocument('flagd', {
      flags: {
        'no such key': { state: 'ENABLED', variants, defaultVariant: 'on' },
        state: { state: 'ON', variants, defaultVariant: 'on' },
        circle: { state: 'ENABLED', variants, defaultVariant: 'on', targeting: { if: [{ $ref: 'circle' }, 'on', 'off'] } },
      },
      $evaluators: { circle: { '!': { $ref: 'circle' } } },
    });
    const fields = candidates.map((candidate) => importable(candidate, []).lost.map(({ field }) => field));
    expect(fields).toEqual([['flag_key'], ['state'], ['targeting.if[0].$ref']]);
  });

  it('is refused where evaluators within evaluators grow beyond all bounds', () => {
    const doubled = (at: number): object => (at ? { and: [{ $ref: `e${at - 1}` }, { $ref: `e${at - 1}` }] } : { '!': [true] });
    const $evaluators = Object.fromEntries(Array.from({ length: 60 }, (_, at) => [`e${at}`, doubled(at)]));
    const { candidates } = readDocument('flagd', {
      flags: { huge: { state: 'ENABLED', variants, defaultVariant: 'on', targeting: { $ref: 'e59' } } },
      $evaluators,
    });
    expect(importable(candidates[0]!, [])).toMatchObject({ flag: null, lost: [{ field: 'targeting' }] });
  });
});

import { referencesOf, targetingProblems } from './targeting-rules.js';

const known = { path: 'targeting', variants: ['on', 'off', 'true'], evaluators: ['is_staff'] };
const places = (rule: unknown): string[] => targetingProblems(rule, known).map(({ field }) => field);

describe('a targeting', () => {
  it.each([
    {},
    { if: [{ '==': [{ var: 'country' }, 'CA'] }, 'on', null] },
    { if: [{ $ref: 'is_staff' }, 'on'] },
    { '!': { var: 'none' } },
    { fractional: [['on', 30], ['off', 70]] }, // prettier-ignore
    { fractional: [{ cat: ['salt', { var: 'targetingKey' }] }, ['on', { '*': [{ var: 'x' }, 2] }], [{ var: 'named' }], [null, 1]] },
    { if: [{ in: [{ var: ['user.plan', 'free'] }, ['pro', 'team']] }, true, { if: [{ var: 'beta' }, 'on', 'off'] }] },
    { if: [{ some: [{ var: 'tags' }, { starts_with: [{ var: '' }, 'a'] }] }, 'on', 'off'] },
    { if: [{ '<=': [1_700_000_000, { var: '$flagd.timestamp' }, 1_800_000_000] }, 'on', 'off'] },
  ])('%j is accepted', (rule) => {
    expect(targetingProblems(rule, known)).toEqual([]);
  });

  it.each([
    ['on', ['targeting']],
    [['on'], ['targeting']],
    [{ $ref: 'is_staff' }, ['targeting']],
    [{ '==': [1, 2], '!=': [1, 2] }, ['targeting']],
    [{ if: [{ '==': [{ var: 'country' }, 'CA', 'US'] }, 'on', 'off'] }, ['targeting.if[0].==']],
    [{ if: [{ '==': [{ unheard: [1] }, 'CA'] }, 'on', 'off'] }, ['targeting.if[0].==[0]']],
    [{ if: [true, 'onn', { if: [true, 'on', 'offf'] }] }, ['targeting.if[1]', 'targeting.if[2].if[2]']],
    [{ if: [{ $ref: 'is_stuff' }, 'on', 'off'] }, ['targeting.if[0].$ref']],
    [{ if: [{ var: '$flagd.time' }, 'on', 'off'] }, ['targeting.if[0].var']],
    [{ if: [{ var: [{ var: 'x' }] }, 'on', 'off'] }, ['targeting.if[0].var']],
    [{ fractional: [['on', 1.5], ['off', -1], ['onn', 1], ['on', 1, 1], 'off'] }, ['targeting.fractional[0][1]', 'targeting.fractional[1][1]', 'targeting.fractional[2][0]', 'targeting.fractional[3]', 'targeting.fractional[4]']], // prettier-ignore
    [{ fractional: [{ var: 'x' }] }, ['targeting.fractional']],
    [{ if: [{ sem_ver: [{ var: 'v' }, '>>', '1.2'] }, 'on', 'off'] }, ['targeting.if[0].sem_ver[1]', 'targeting.if[0].sem_ver[2]']],
    [{ if: [{ starts_with: [1, 'a'] }, 'on', 'off'] }, ['targeting.if[0].starts_with[0]']],
    [{ if: [{ missing: 'country' }, 'on', 'off'] }, ['targeting.if[0].missing']],
    [{ if: [{ reduce: [{ var: 'x' }, 1] }, 'on', 'off'] }, ['targeting.if[0].reduce']],
    [{ if: [{ in: ['a', ['b', { and: [] }]] }, 'on', 'off'] }, ['targeting.if[0].in[1][1].and']],
  ])('%j is refused at %j', (rule, fields) => {
    expect(places(rule)).toEqual(fields);
  });

  it('is refused with what is accepted, and with what was there', () => {
    expect(targetingProblems({ if: [true, 'onn', null] }, known)).toEqual([
      { field: 'targeting.if[1]', value: 'onn', accepted: 'one of the variants: on, off, true; or null' },
    ]);
  });

  it('names the evaluators that it refers to, wherever', () => {
    expect([...referencesOf({ if: [{ and: [{ $ref: 'a' }, { '!': { $ref: 'b' } }] }, 'on', ['x', { $ref: 'a' }]] })]).toEqual(['a', 'b']);
  });
});

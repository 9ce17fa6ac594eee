import type { Check, Expectation } from '#contracts/expectation.js';
import { fc } from '#testing/property.js';
import { judge, expectationProblems } from './expectation.js';

const answer = {
  model_name: 'mlb-props',
  outputs: [
    { name: 'probability', datatype: 'FP64', shape: [2], data: [0.61, 0.39] },
    { name: 'pick', datatype: 'BYTES', shape: [1], data: ['over 7.5'] },
  ],
  rows: [
    [1, 2],
    [3, 4],
  ],
  empty: [],
  nothing: null,
  'a b': { c: true, d: 'é🏈' },
};

const checkOf = (expectation: Expectation): Check | undefined => judge({ expectations: [expectation] }, answer, 1).checks[0];
const passes = (expectation: Expectation): boolean | undefined => checkOf(expectation)?.passed;
const first = '$.outputs[0].data[0]';

describe('judging an answer', () => {
  it.each<[Expectation, boolean]>([
    [{ path: '$.model_name', op: 'equals', value: 'mlb-props' }, true],
    [{ path: '$.model_name', op: 'equals', value: 'MLB-props' }, false],
    [{ path: '$.outputs[0]', op: 'equals', value: { data: [0.61, 0.39], shape: [2], datatype: 'FP64', name: 'probability' } }, true],
    [{ path: '$.outputs[0].shape', op: 'equals', value: [2, 1] }, false],
    [{ path: '$.outputs[0].shape', op: 'equals', value: { 0: 2 } }, false],
    [{ path: "$['a b']", op: 'equals', value: { c: true } }, false],
    [{ path: "$['a b']", op: 'equals', value: { c: true, toString: 'é🏈' } }, false],
    [{ path: '$.nothing', op: 'equals', value: null }, true],
    [{ path: '$.nowhere', op: 'equals', value: null }, false],
    [{ path: first, op: 'equals', value: '0.61' }, false],
    [{ path: first, op: 'approx', value: 0.6, tolerance: 0.02 }, true],
    [{ path: first, op: 'approx', value: 0.6, tolerance: 0.001 }, false],
    [{ path: first, op: 'approx', value: 0.6, relative: 0.02 }, true],
    [{ path: first, op: 'approx', value: 0.6, relative: 0.016 }, false],
    [{ path: first, op: 'approx', value: 0.6, tolerance: 0.02, relative: 0 }, true],
    [{ path: first, op: 'approx', value: 0.61, tolerance: 0 }, true],
    [{ path: '$.outputs[0].data', op: 'approx', value: [0.6, 0.4], tolerance: 0.02 }, true],
    [{ path: '$.outputs[0].data', op: 'approx', value: [0.6, 0.5], tolerance: 0.02 }, false],
    [{ path: '$.outputs[0].data', op: 'approx', value: [0.6], tolerance: 1 }, false],
    [
      {
        path: '$.rows',
        op: 'approx',
        value: [
          [1, 2],
          [3, 4.1],
        ],
        tolerance: 0.2,
      },
      true,
    ],
    [{ path: '$.rows', op: 'approx', value: [1, 2], tolerance: 9 }, false],
    [{ path: '$.model_name', op: 'approx', value: 1, tolerance: 1 }, false],
    [{ path: first, op: 'range', min: 0, max: 1 }, true],
    [{ path: first, op: 'range', min: 0.61, max: 0.61 }, true],
    [{ path: first, op: 'range', min: 0.62 }, false],
    [{ path: first, op: 'range', max: 0.6 }, false],
    [{ path: '$.rows', op: 'range', min: 1, max: 4 }, true],
    [{ path: '$.rows', op: 'range', min: 1, max: 3 }, false],
    [{ path: '$.empty', op: 'range', min: 1 }, false],
    [{ path: '$.model_name', op: 'range', min: 0 }, false],
    [{ path: '$.model_name', op: 'one_of', value: ['nfl-props', 'mlb-props'] }, true],
    [{ path: '$.outputs[0].shape', op: 'one_of', value: [[1], [2]] }, true],
    [{ path: '$.model_name', op: 'one_of', value: ['nfl-props'] }, false],
    [{ path: '$.outputs[1].data[0]', op: 'matches', value: '^(over|under) \\d+\\.5$' }, true],
    [{ path: '$.outputs[1].data[0]', op: 'matches', value: '^under' }, false],
    [{ path: first, op: 'matches', value: '.' }, false],
    [{ path: '$.outputs', op: 'length', value: 2 }, true],
    [{ path: '$.outputs', op: 'length', value: 3 }, false],
    [{ path: '$.outputs', op: 'length', min: 1, max: 2 }, true],
    [{ path: '$.outputs', op: 'length', min: 3 }, false],
    [{ path: "$['a b'].d", op: 'length', value: 2 }, true],
    [{ path: "$['a b']", op: 'length', value: 2 }, false],
    [{ op: 'exists' }, true],
    [{ path: '$.nothing', op: 'exists' }, true],
    [{ path: '$.nowhere', op: 'exists' }, false],
    [{ path: '$.nowhere', op: 'exists', value: false }, true],
    [{ path: '$.nothing', op: 'exists', value: false }, false],
    [{ path: '$.toString', op: 'exists', value: false }, true],
  ])('%j passes: %s', (expectation, expected) => {
    expect(expectationProblems('expectations', [expectation])).toEqual([]);
    const check = checkOf(expectation);
    expect(check?.passed).toBe(expected);
    expect(check?.reason === '').toBe(expected);
  });

  it('says what was expected, what came and why it fails', () => {
    expect(judge({ expectations: [{ path: first, op: 'approx', value: 0.5, tolerance: 0.1 }] }, answer, 5)).toEqual({
      outcome: 'failed',
      checks: [
        {
          path: first,
          op: 'approx',
          expected: { value: 0.5, tolerance: 0.1 },
          actual: 0.61,
          passed: false,
          reason: '0.61 differs from 0.5 by 0.10999999999999999, more than 0.1',
        },
      ],
    });
    expect(checkOf({ path: '$.nowhere', op: 'range', min: 1 })).toMatchObject({
      expected: { min: 1 },
      actual: null,
      reason: 'there is no value at this path',
    });
    expect(checkOf({ op: 'exists' })).toMatchObject({ path: '$', expected: true, passed: true });
  });

  it('passes when every check passes and only then', () => {
    const good: Expectation = { op: 'exists' };
    const bad: Expectation = { path: '$.nowhere', op: 'exists' };
    expect(judge({ expectations: [good, good] }, answer, 1).outcome).toBe('passed');
    expect(judge({ expectations: [good, bad] }, answer, 1).outcome).toBe('failed');
    expect(judge({ expectations: [] }, answer, 1)).toEqual({ outcome: 'failed', checks: [] });
  });

  it('holds the duration against max_duration_ms, the limit included', () => {
    const timed = (duration_ms: number): unknown => judge({ expectations: [{ op: 'exists' }], max_duration_ms: 100 }, answer, duration_ms);
    expect(timed(100)).toMatchObject({ outcome: 'passed' });
    expect(timed(100.5)).toMatchObject({
      outcome: 'failed',
      checks: [{}, { path: 'duration_ms', op: 'max_duration_ms', expected: 100, actual: 100.5, passed: false }],
    });
    expect(judge({ expectations: [{ op: 'exists' }], max_duration_ms: null }, answer, 1e9).outcome).toBe('passed');
  });

  it('takes no inherited property for an equal one', () => {
    const expected: unknown = JSON.parse('{"__proto__":{}}');
    expect(judge({ expectations: [{ op: 'equals', value: expected as Expectation['value'] }] }, { a: 1 }, 1).outcome).toBe('failed');
  });

  it('matches texts of up to 4000 characters', () => {
    const outcome = (length: number): string => judge({ expectations: [{ op: 'matches', value: '^x' }] }, 'x'.repeat(length), 1).outcome;
    expect([outcome(4000), outcome(4001)]).toEqual(['passed', 'failed']);
  });

  it('shortens what was large', () => {
    const long = { text: 'x'.repeat(5000) };
    const check = judge({ expectations: [{ op: 'equals', value: long }] }, { text: '🏈'.repeat(5000) }, 1).checks[0];
    for (const value of [check?.expected, check?.actual]) {
      expect(typeof value).toBe('string');
      expect((value as string).length).toBeLessThan(1100);
      expect((value as string).isWellFormed()).toBe(true);
    }
  });

  it('fails, and does not throw, on answers that are too deep or cannot be stored', () => {
    let deep: unknown = 1;
    for (let level = 0; level < 100_000; level += 1) deep = [deep];
    for (const odd of [deep, 'a\u0000b', ['\ud800'], { [`k\u0000`]: 1 }, undefined, Infinity]) {
      const expectations: Expectation[] = [
        { op: 'range', min: 0 },
        { op: 'equals', value: [[1]] },
        { op: 'approx', value: [[1]], tolerance: 1 },
      ];
      expect(judge({ expectations }, odd, 1).checks.map(({ passed, actual }) => ({ passed, actual }))).toEqual(
        expectations.map(() => ({ passed: false, actual: null })),
      );
    }
  });

  it('never throws, whatever was stored and whatever was answered, and every check that did not pass has a reason', () => {
    const ops = fc.constantFrom('equals', 'approx', 'range', 'one_of', 'matches', 'length', 'exists', 'constructor', null);
    const paths = fc.constantFrom('$', '$.a', '$[0]', '$.a[0]', 'x', 7);
    const expectation = fc.oneof(
      fc.record(
        { op: ops, path: paths, value: fc.jsonValue(), tolerance: fc.jsonValue(), min: fc.jsonValue(), max: fc.jsonValue() },
        { requiredKeys: ['op'] },
      ),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(fc.array(expectation), fc.jsonValue(), (expectations, value) => {
        for (const { passed, reason, path } of judge({ expectations: expectations as Expectation[] }, { a: value }, 1).checks) {
          expect(reason === '').toBe(passed);
          expect(reason.length).toBeLessThanOrEqual(1000);
          expect(path).not.toBe('');
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('validating expectations', () => {
  it.each<[unknown, string]>([
    [{ op: 'equals' }, 'value'],
    [{ op: 'equals', value: 1, tolerance: 1 }, 'tolerance'],
    [{ op: 'approx', value: 1 }, 'tolerance'],
    [{ op: 'approx', value: 'a', tolerance: 1 }, 'value'],
    [{ op: 'approx', value: [], tolerance: 1 }, 'value'],
    [{ op: 'approx', value: 1, tolerance: -1 }, 'tolerance'],
    [{ op: 'approx', value: 1, relative: '1' }, 'relative'],
    [{ op: 'range' }, 'min'],
    [{ op: 'range', min: 2, max: 1 }, 'max'],
    [{ op: 'range', min: 'a' }, 'min'],
    [{ op: 'range', min: 1, value: 1 }, 'value'],
    [{ op: 'one_of', value: [] }, 'value'],
    [{ op: 'one_of', value: Array.from({ length: 101 }, () => 1) }, 'value'],
    [{ op: 'one_of', value: 'a' }, 'value'],
    [{ op: 'matches', value: '(a' }, 'value'],
    [{ op: 'matches', value: 'a'.repeat(201) }, 'value'],
    [{ op: 'matches' }, 'value'],
    [{ op: 'length' }, 'value'],
    [{ op: 'length', value: 1.5 }, 'value'],
    [{ op: 'length', value: 1, min: 1 }, 'value'],
    [{ op: 'length', min: -1 }, 'min'],
    [{ op: 'exists', value: 'yes' }, 'value'],
    [{ op: 'equal', value: 1 }, 'op'],
    [{ op: 'toString', value: 1 }, 'op'],
    [{ value: 1 }, 'op'],
    [{ op: 'exists', path: '$.*' }, 'path'],
    [{ op: 'exists', path: '' }, 'path'],
    [{ op: 'exists', nonsense: 1 }, 'nonsense'],
  ])('%j is wrong in %s', (expectation, field) => {
    const problems = expectationProblems('expectations', [{ op: 'exists' }, expectation]);
    expect(problems.map((problem) => problem.field)).toEqual([`expectations.1.${field}`]);
    expect(problems[0]?.accepted).not.toBe('');
  });

  it('names what was sent and what would be accepted', () => {
    expect(expectationProblems('expectations', [{ op: 'one_off' }])).toEqual([
      { field: 'expectations.0.op', value: 'one_off', accepted: 'one of equals, approx, range, one_of, matches, schema, length, exists' },
    ]);
    expect(expectationProblems('expectations', [{ op: 'matches', value: 'a*?' }])[0]?.accepted).toContain('lazy');
  });

  it('takes objects only', () => {
    expect(expectationProblems('steps.1.expectations', [null]).map(({ field }) => field)).toEqual(['steps.1.expectations.0']);
  });
});

describe('a check of a list', () => {
  it('fails for one wrong entry wherever it stands', () => {
    for (const data of [
      [9, 1, 1],
      [1, 9, 1],
      [1, 1, 9],
    ]) {
      expect(judge({ expectations: [{ op: 'range', max: 5 }] }, data, 1).outcome).toBe('failed');
      expect(judge({ expectations: [{ op: 'approx', value: [1, 1, 1], tolerance: 5 }] }, data, 1).outcome).toBe('failed');
    }
    expect(passes({ path: '$.rows', op: 'range', max: 5 })).toBe(true);
  });
});

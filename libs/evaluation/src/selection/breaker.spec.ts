import { fc } from '#testing/property.js';
import { type Breaker, closedBreaker, type Counted, envoySettings, peerRates, stepBreaker } from './breaker.js';

const second = 1_000;
const at = (seconds: number): number => seconds * second;

/** Steps a second apart, the first one a second after `from`. */
function run(before: Breaker, seen: [total: number, failures: number][], from = 0, peers: number[] = [], jitter = 0): Breaker {
  return seen.reduce(
    (breaker, [total, failures], index) =>
      stepBreaker(breaker, { seen: { total, failures }, peers: () => peers, now_ms: from + at(index + 1), jitter }, envoySettings),
    before,
  );
}

const closed = closedBreaker(0);
const opened = run(closed, [[5, 5]]);

describe('a closed breaker', () => {
  it.each<[string, [number, number][], Breaker['state']]>([
    ['five failures at once', [[5, 5]], 'open'],
    [
      'five failures one by one',
      [
        [1, 1],
        [1, 1],
        [0, 0],
        [1, 1],
        [1, 1],
        [1, 1],
      ],
      'open',
    ],
    ['four failures', [[4, 4]], 'closed'],
    [
      'a success between',
      [
        [4, 4],
        [1, 0],
        [4, 4],
      ],
      'closed',
    ],
    [
      'a success in the same tick, whose place is not known',
      [
        [9, 8],
        [4, 4],
      ],
      'closed',
    ],
    [
      'no inferences',
      [
        [0, 0],
        [0, 0],
      ],
      'closed',
    ],
  ])('after %s', (_, seen, state) => {
    expect(run(closed, seen).state).toBe(state);
  });

  it.each<[string, number[], number, Breaker['state']]>([
    ['no peers', [], 40, 'closed'],
    ['peers that fail as often', [0.1, 0.1], 12, 'closed'],
    ['peers that hardly fail, and 4 % of its own', [0, 0], 4, 'closed'],
    ['peers that hardly fail, and a third of its own', [0, 0.01], 33, 'open'],
    ['one peer that fails less', [0.04], 30, 'open'],
    ['peers among whom such a rate is nothing special', [0.01, 0.5, 0.02, 0.4], 33, 'closed'],
  ])('of 100 inferences beside %s', (_, peers, failures, state) => {
    expect(run(closed, [[100, failures]], 0, peers).state).toBe(state);
  });

  it('is not judged by its rate before it has 100 inferences of the last minute', () => {
    expect(run(closed, [[99, 50]], 0, [0, 0]).state).toBe('closed');
    expect(run(closed, [[60, 30], ...Array.from({ length: 60 }, (): [number, number] => [0, 0]), [60, 30]], 0, [0, 0]).state).toBe(
      'closed',
    );
  });

  it('forgets its openings once it has been closed for 300 s', () => {
    const back: Breaker = { ...closedBreaker(0), openings: 3 };
    expect(run(back, [[1, 0]], at(298)).openings).toBe(3);
    expect(run(back, [[1, 0]], at(299)).openings).toBe(0);
  });
});

describe('an open breaker', () => {
  it('stays so for 30 s times its openings, 300 s at the most, and up to a tenth longer', () => {
    expect(opened).toMatchObject({ state: 'open', openings: 1, since_ms: at(1), until_ms: at(31), reason: '5 failures in a row' });
    const lasting = (openings: number, jitter: number): number => {
      const { since_ms, until_ms } = run({ ...closed, openings: openings - 1 }, [[5, 5]], 0, [], jitter);
      return (until_ms - since_ms) / second;
    };
    expect([1, 2, 3, 10, 11].map((openings) => lasting(openings, 0))).toEqual([30, 60, 90, 300, 300]);
    expect([1, 10].map((openings) => lasting(openings, 1))).toEqual([33, 330]);
  });

  it('takes no notice of what is counted meanwhile, and is tried when its time is over', () => {
    expect(run(opened, [[9, 9]], at(20))).toBe(opened);
    expect(run(opened, [[9, 9]], at(30))).toMatchObject({
      state: 'half_open',
      since_ms: at(31),
      until_ms: at(61),
      recent: { total: 0, failures: 0 },
    });
  });
});

describe('a half-open breaker', () => {
  const tried = run(opened, [[0, 0]], at(30));

  it.each<[string, [number, number][], Breaker['state'], number]>([
    ['five successes', [[5, 0]], 'closed', 1],
    [
      'one failure of five',
      [
        [2, 1],
        [3, 0],
      ],
      'closed',
      1,
    ],
    [
      'two failures',
      [
        [1, 1],
        [1, 1],
      ],
      'open',
      2,
    ],
    [
      'two failures after three successes',
      [
        [3, 0],
        [2, 2],
      ],
      'open',
      2,
    ],
    ['four successes', [[4, 0]], 'half_open', 1],
  ])('after %s', (_, seen, state, openings) => {
    expect(run(tried, seen, at(31))).toMatchObject({ state, openings });
  });

  it('closes with a clean slate: what was counted before does not open it again', () => {
    expect(run(tried, [[5, 0]], at(31))).toMatchObject({ in_row: 0, recent: { total: 0, failures: 0 }, reason: '0 of 5 probes failed' });
  });

  it('is tried anew when its probes were not reported within 30 s', () => {
    expect(run(tried, [[2, 0]], at(60))).toMatchObject({
      state: 'half_open',
      since_ms: at(61),
      until_ms: at(91),
      recent: { total: 0, failures: 0 },
    });
  });
});

it('comes back by itself from whatever was counted, once nothing fails any more', () => {
  const counted = fc.tuple(fc.nat(50), fc.nat(50)).map(([total, failures]): [number, number] => [total, Math.min(total, failures)]);
  fc.assert(
    fc.property(
      fc.array(counted, { maxLength: 40 }),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 4 }),
      (seen, peers) => {
        const after = run(closed, seen, 0, peers, 1);
        const healed = run(
          after,
          Array.from({ length: 340 }, (): [number, number] => [1, 0]),
          at(seen.length),
          peers,
          1,
        );
        expect(healed.state).toBe('closed');
      },
    ),
  );
});

it('compares with closed models that have enough inferences alone', () => {
  const of = (recent: Counted, state: Breaker['state'] = 'closed'): Breaker => ({ ...closed, state, recent });
  expect(
    peerRates([of({ total: 100, failures: 5 }), of({ total: 99, failures: 50 }), of({ total: 200, failures: 200 }, 'half_open')], 0),
  ).toEqual([0.05]);
});

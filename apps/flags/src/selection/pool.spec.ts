import { type BanditPool } from '#contracts/selection.js';
import { type Breaker, closedBreaker } from '#evaluation/selection/breaker.js';
import { candidate } from '#evaluation/selection/candidates.harness.js';
import { type ModelState, newState } from './model-state.js';
import { isLive, weighPool } from './pool.js';

const pool: BanditPool = {
  pool_id: 'p',
  name: null,
  sport: 'MLB',
  model_type: null,
  arms: [],
  settled_at: new Date(0).toISOString(),
  revision: 1,
};
const model = (model_id: string, of: object = {}) => candidate(model_id, of).model;
const open: Breaker = { ...closedBreaker(0), state: 'open', until_ms: 30_000 };

const state = (model_id: string, good: number, bad: number, of: Partial<ModelState> = {}): [string, ModelState] => [
  model_id,
  { ...newState(model_id, 0), evidence: { good, bad, at_ms: 0 }, ...of },
];
const weigh = (states: [string, ModelState][], before = pool, models = ['a', 'b'].map((id) => model(id)), now_ms = 0): BanditPool =>
  weighPool(before, models.filter(isLive), new Map(states), now_ms);

const sharesOf = ({ arms }: BanditPool): Record<string, number> =>
  Object.fromEntries(arms.map(({ model_id, weight }) => [model_id, weight]));

it('weighs live models that are meant, those of which nothing is known too', () => {
  const models = [
    model('a'),
    model('new', { status: 'canary', rollout_percentage: 10 }),
    model('off', { status: 'canary', rollout_percentage: 0 }),
    model('old', { status: 'deprecated' }),
    model('other', { sport: 'NFL' }),
    model('stopped'),
  ];
  const weighed = weigh([state('a', 50, 50), state('stopped', 99, 1, { forced: 'open' })], pool, models);
  expect(weighed).toMatchObject({ revision: 2, settled_at: '1970-01-01T00:00:00.000Z' });
  expect(Object.keys(sharesOf(weighed)).sort()).toEqual(['a', 'new']);
  expect(weighed.arms.every(({ rest_weight }) => rest_weight === null)).toBe(true);
});

it('is itself while nothing has changed that matters, and while it has no models', () => {
  const weighed = weigh([state('a', 90, 10), state('b', 80, 20)]);
  expect(weigh([state('a', 91, 10), state('b', 80, 20)], weighed)).toBe(weighed);
  const empty = weigh([], pool, []);
  expect(empty).toEqual({ ...pool, revision: 2 });
  expect(weigh([], empty, [])).toBe(empty);
});

it('keeps the weights of all where a breaker opens and shares out the rest, and forgets that when it closes', () => {
  const before = weigh(
    [state('a', 90, 10), state('b', 50, 50), state('c', 20, 80)],
    pool,
    ['a', 'b', 'c'].map((id) => model(id)),
  );
  const models = ['a', 'b', 'c'].map((id) => model(id));
  const opened = weigh([state('a', 90, 10, { breaker: open }), state('b', 50, 50), state('c', 20, 80)], before, models);
  expect(sharesOf(opened)).toEqual(sharesOf(before));
  expect(opened.arms.map(({ model_id, rest_weight }) => [model_id, rest_weight && Math.round(rest_weight * 100)])).toEqual([
    ['a', null],
    ['b', 99],
    ['c', 1],
  ]);
  const closed = weigh([state('a', 90, 10), state('b', 50, 50), state('c', 20, 80)], opened, models);
  expect(sharesOf(closed)).toEqual(sharesOf(before));
  expect(closed.arms.every(({ rest_weight }) => rest_weight === null)).toBe(true);
});

it('does not let the evidence of an open model fade', () => {
  const hour = 60 * 60_000;
  const [fading] = weigh([state('a', 90, 10), state('b', 50, 50)], pool, undefined, hour).arms;
  expect(fading!.good).toBeLessThan(20);
  const [kept] = weigh([state('a', 90, 10, { breaker: open }), state('b', 50, 50)], pool, undefined, hour).arms;
  expect(kept!.good).toBe(90);
});

it('weighs the 20 that succeed most often', () => {
  const models = Array.from({ length: 25 }, (_, index) => model(`m${index}`));
  const weighed = weigh(
    models.map(({ model_id }, index) => state(model_id, index, 25 - index)),
    pool,
    models,
  );
  expect(weighed.arms).toHaveLength(20);
  expect(weighed.arms.map(({ model_id }) => model_id)).not.toContain('m4');
});

import { fc } from '#testing/property.js';
import { candidate } from './candidates.harness.js';
import { type Candidate, type Choice, type Exclusion, prepareChoice, type Question } from './choose.js';

const keys = Array.from({ length: 2_000 }, (_, index) => `user-${index}`);

interface Asked extends Question {
  targeting_key: string;
}

const choose = ({ targeting_key, ...asked }: Asked): Choice | { excluded: Exclusion[] } => prepareChoice(asked)(targeting_key);

const question = (candidates: Candidate[], of: Partial<Asked> = {}): Asked => ({
  policy: 'weighted',
  targeting_key: 'somebody',
  candidates,
  weights: null,
  rest: null,
  flag: null,
  ...of,
});

/** A choice; fails where there is none. */
function chosen(asked: Asked): Choice {
  const answer = choose(asked);
  if (!('chosen' in answer)) throw new Error(`Nothing was chosen: ${JSON.stringify(answer)}`);
  return answer;
}
const idOf = (asked: Asked): string => chosen(asked).chosen.model.model_id;

/** How many of the keys get which model. */
function sharesAmong(candidates: Candidate[], of: Partial<Asked> = {}): Map<string, number> {
  const counts = new Map<string, number>();
  for (const targeting_key of keys) {
    const id = idOf(question(candidates, { ...of, targeting_key }));
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return new Map([...counts].map(([id, count]) => [id, count / keys.length]));
}

const changed = (candidates: Candidate[], model_id: string, known: Partial<Candidate>): Candidate[] =>
  candidates.map((one) => (one.model.model_id === model_id ? { ...one, ...known } : one));

const three = [
  candidate('a', { rollout_percentage: 50 }),
  candidate('b', { rollout_percentage: 30 }),
  candidate('c', { rollout_percentage: 20 }),
];

describe('the policy weighted', () => {
  it('shares keys by rollout_percentage, and evenly where nobody has one', () => {
    const shares = sharesAmong(three);
    for (const [id, share] of Object.entries({ a: 0.5, b: 0.3, c: 0.2 })) expect(Math.abs(shares.get(id)! - share)).toBeLessThan(0.03);
    expect(Math.abs(sharesAmong([candidate('a'), candidate('b')]).get('a')! - 0.5)).toBeLessThan(0.03);
  });

  it('gives a canary exactly the keys within its rollout', () => {
    const at = (rollout_percentage: number): Candidate[] => [candidate('a'), candidate('new', { status: 'canary', rollout_percentage })];
    const on = (rollout_percentage: number): Set<string> =>
      new Set(keys.filter((targeting_key) => idOf(question(at(rollout_percentage), { targeting_key })) === 'new'));
    expect(on(0).size).toBe(0);
    const [ten, twenty] = [on(10), on(20)];
    expect(Math.abs(ten.size / keys.length - 0.1)).toBeLessThan(0.02);
    expect([...ten].every((key) => twenty.has(key))).toBe(true);
    expect(on(100).size).toBe(keys.length);
  });
});

describe('an ejected model', () => {
  it.each<[string, Partial<Candidate>, string]>([
    ['unhealthy', { health_status: 'unhealthy' }, 'UNHEALTHY'],
    ['open', { breaker: 'open' }, 'BREAKER_OPEN'],
    ['half-open and has been tried enough', { breaker: 'half_open' }, 'BREAKER_HALF_OPEN'],
    ['forced open', { forced: 'open' }, 'FORCED_OPEN'],
  ])('that is %s gets nothing, and nobody else is moved', (_, known, reason) => {
    const after = changed(three, 'a', known);
    for (const targeting_key of keys.slice(0, 500)) {
      const [was, is] = [idOf(question(three, { targeting_key })), chosen(question(after, { targeting_key }))];
      expect(is.chosen.model.model_id).not.toBe('a');
      if (was !== 'a') expect(is).toMatchObject({ way: 'policy', chosen: { model: { model_id: was } } });
      else if (known.forced !== 'open') expect(is).toMatchObject({ way: 'fallback', fallback_from: 'a' });
      expect(is.excluded).toEqual([{ model_id: 'a', reason }]);
    }
  });

  it('is served when an admin has forced its breaker closed', () => {
    const after = changed(three, 'a', { breaker: 'open', forced: 'closed' });
    for (const targeting_key of keys.slice(0, 100))
      expect(idOf(question(after, { targeting_key }))).toBe(idOf(question(three, { targeting_key })));
  });

  it('is tried with the keys that are its own while it has probes left', () => {
    const after = changed(three, 'a', { breaker: 'half_open', probes_left: 2 });
    for (const targeting_key of keys.slice(0, 100)) {
      const answer = chosen(question(after, { targeting_key }));
      expect(answer.chosen.model.model_id).toBe(idOf(question(three, { targeting_key })));
      expect(answer.fallbacks.map(({ model }) => model.model_id)).not.toContain('a');
    }
  });

  it('is not given up where it is the last one: the least bad ones stay', () => {
    const unhealthy = changed(changed(three, 'a', { breaker: 'open' }), 'b', { breaker: 'half_open' });
    const worst = changed(unhealthy, 'c', { health_status: 'unhealthy' });
    expect(chosen(question(worst))).toMatchObject({ way: 'last_one', chosen: { model: { model_id: 'c' } } });
    const none = changed(worst, 'c', { breaker: 'open' });
    expect(chosen(question(none))).toMatchObject({ way: 'last_one', chosen: { model: { model_id: 'b' } } });
    expect(choose(question([candidate('a', {}, { forced: 'open' })]))).toEqual({ excluded: [{ model_id: 'a', reason: 'FORCED_OPEN' }] });
  });

  it('that is the only stable one goes on for those whom the canary is not for', () => {
    const pair = [candidate('a', {}, { breaker: 'open' }), candidate('new', { status: 'canary', rollout_percentage: 10 })];
    const shares = sharesAmong(pair);
    expect(Math.abs(shares.get('new')! - 0.1)).toBeLessThan(0.02);
    expect(shares.get('a')! + shares.get('new')!).toBe(1);
  });
});

it('serves neither what is in another status nor a canary beyond its rollout', () => {
  const candidates = (['development', 'deprecated', 'retired'] as const).map((status) => candidate(status, { status }));
  expect(choose(question([...candidates, candidate('new', { status: 'canary' })]))).toEqual({
    excluded: [
      ...candidates.map(({ model }) => ({ model_id: model.model_id, reason: 'STATUS' })),
      { model_id: 'new', reason: 'OUTSIDE_ROLLOUT' },
    ],
  });
  expect(choose(question([]))).toEqual({ excluded: [] });
});

describe('the policy best_health', () => {
  const of = (known: Partial<Candidate>[]): Candidate[] => known.map((one, index) => candidate(`m${index}`, {}, one));

  it.each<[string, Partial<Candidate>[], string]>([
    [
      'the healthy one',
      [{ health_status: 'degraded', success: 0.99 }, { health_status: 'healthy', success: 0.8 }, { health_status: 'unknown' }],
      'm1',
    ],
    ['the one that succeeds more', [{ success: 0.91 }, { success: 0.95 }, { success: 0.93 }], 'm1'],
    ['not the best where it is open', [{ success: 0.91 }, { success: 0.95, breaker: 'open' }], 'm0'],
  ])('takes %s', (_, known, id) => {
    expect(chosen(question(of(known), { policy: 'best_health' }))).toMatchObject({
      way: 'policy',
      propensity: 1,
      chosen: { model: { model_id: id } },
    });
  });

  it('shares keys among those that are alike', () => {
    const shares = sharesAmong(of([{ success: 0.951 }, { success: 0.949 }, { success: 0.8 }]), { policy: 'best_health' });
    expect([...shares.keys()].sort()).toEqual(['m0', 'm1']);
    expect(Math.abs(shares.get('m0')! - 0.5)).toBeLessThan(0.03);
  });

  it('orders the others by their health', () => {
    const { fallbacks } = chosen(question(of([{ success: 0.7 }, { success: 0.99 }, { success: 0.8 }]), { policy: 'best_health' }));
    expect(fallbacks.map(({ model }) => model.model_id)).toEqual(['m2', 'm0']);
  });
});

describe('the policy bandit', () => {
  const weights = { a: 0.9, b: 0.06, c: 0.04 };

  it('shares keys by the weights, and evenly before there are any', () => {
    const shares = sharesAmong(three, { policy: 'bandit', weights });
    for (const [id, share] of Object.entries(weights)) expect(Math.abs(shares.get(id)! - share)).toBeLessThan(0.02);
    for (const share of sharesAmong(three, { policy: 'bandit' }).values()) expect(Math.abs(share - 1 / 3)).toBeLessThan(0.03);
  });

  it('shares what falls to an open one by the weights of the rest, and moves nobody else', () => {
    const rest = { b: 0.8, c: 0.2 };
    const after = changed(three, 'a', { breaker: 'open' });
    const moved = keys.filter((targeting_key) => idOf(question(three, { policy: 'bandit', weights, targeting_key })) === 'a');
    const to = moved.map((targeting_key) => idOf(question(after, { policy: 'bandit', weights, rest, targeting_key })));
    expect(Math.abs(to.filter((id) => id === 'b').length / moved.length - 0.8)).toBeLessThan(0.03);
    for (const targeting_key of keys.filter((key) => !moved.includes(key)).slice(0, 200)) {
      const before = idOf(question(three, { policy: 'bandit', weights, targeting_key }));
      expect(idOf(question(after, { policy: 'bandit', weights, rest, targeting_key }))).toBe(before);
    }
  });

  it('gives a model that it does not know yet the least share', () => {
    const shares = sharesAmong([...three, candidate('d')], { policy: 'bandit', weights });
    expect(shares.get('d')!).toBeGreaterThan(0.003);
    expect(shares.get('d')!).toBeLessThan(0.02);
  });
});

describe('the policy flag', () => {
  const flag = {
    model_id: 'b',
    shares: new Map([
      ['a', 0.25],
      ['b', 0.75],
    ]),
  };
  const asked = (candidates: Candidate[]): Asked => question(candidates, { policy: 'flag', flag });

  it('does what the flag says, also with a canary of whatever share', () => {
    expect(chosen(asked(three))).toMatchObject({ way: 'policy', propensity: 0.75, chosen: { model: { model_id: 'b' } } });
    const canary = [three[0]!, candidate('b', { status: 'canary', rollout_percentage: 0 })];
    expect(chosen(asked(canary))).toMatchObject({ way: 'policy', chosen: { model: { model_id: 'b' } } });
  });

  it('falls back on the stable version of the same name, then on others', () => {
    const candidates = [candidate('a', { name: 'Other' }), candidate('b', {}, { breaker: 'open' }), candidate('c')];
    const answer = chosen(asked(candidates));
    expect(answer).toMatchObject({ way: 'fallback', fallback_from: 'b', chosen: { model: { model_id: 'c' } } });
    expect(answer.fallbacks.map(({ model }) => model.model_id)).toEqual(['a']);
    expect(answer.propensity).toBe(0.75);
  });

  it('falls back where the variant is of no model, and cannot tell its propensity where targeting has decided', () => {
    expect(chosen({ ...asked(three), flag: { model_id: null, shares: null } })).toMatchObject({
      way: 'fallback',
      fallback_from: null,
      propensity: null,
    });
  });
});

const statuses = fc.constantFrom('stable', 'stable', 'canary', 'deprecated');
const candidates = fc
  .array(
    fc.record({
      status: statuses,
      rollout_percentage: fc.integer({ min: 0, max: 60 }),
      health_status: fc.constantFrom('healthy', 'unknown', 'degraded', 'unhealthy'),
      breaker: fc.constantFrom('closed', 'closed', 'open', 'half_open'),
      forced: fc.constantFrom(null, null, null, 'open', 'closed'),
      probes_left: fc.nat(2),
      success: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
    { maxLength: 5 },
  )
  .map((models) =>
    models.map(({ status, rollout_percentage, ...known }, index) =>
      candidate(`m${index}`, { status, rollout_percentage, name: index % 2 ? 'Odd' : 'Even' }, known as Partial<Candidate>),
    ),
  );
const policies = fc.constantFrom('weighted', 'best_health', 'bandit');

it('always answers while there is a stable model that is not forced open, and never with what may not be served', () => {
  fc.assert(
    fc.property(candidates, policies, fc.string(), (models, policy, targeting_key) => {
      const answer = choose(question(models, { policy, targeting_key }));
      const certain = models.some(({ model, forced }) => model.status === 'stable' && forced !== 'open');
      if (certain) expect('chosen' in answer).toBe(true);
      if (!('chosen' in answer)) return;
      for (const { model, forced } of [answer.chosen, ...answer.fallbacks]) {
        expect(['stable', 'canary']).toContain(model.status);
        expect(forced).not.toBe('open');
        expect(model.status === 'canary' && model.rollout_percentage === 0).toBe(false);
      }
      expect(answer.propensity).toBeGreaterThan(0);
      const ids = [answer.chosen, ...answer.fallbacks].map(({ model }) => model.model_id);
      expect(new Set(ids).size).toBe(ids.length);
      expect(answer.excluded.some(({ model_id }) => ids.includes(model_id))).toBe(false);
      expect(choose(question(models, { policy, targeting_key }))).toEqual(answer);
    }),
    { numRuns: 300 },
  );
});

it('tells propensities that are the shares of keys', () => {
  fc.assert(
    fc.property(candidates, policies, (models, policy) => {
      const weights = Object.fromEntries(models.map(({ model }, index) => [model.model_id, (index + 1) / 15]));
      const told = new Map<string, number>();
      const counted = new Map<string, number>();
      for (const targeting_key of keys.slice(0, 1_500)) {
        const answer = choose(question(models, { policy, targeting_key, weights, rest: null }));
        const id = 'chosen' in answer ? answer.chosen.model.model_id : '';
        counted.set(id, (counted.get(id) ?? 0) + 1 / 1_500);
        if ('chosen' in answer) told.set(id, answer.propensity!);
      }
      for (const [id, propensity] of told) expect(Math.abs(counted.get(id)! - propensity)).toBeLessThan(0.06);
    }),
    { numRuns: 25 },
  );
});

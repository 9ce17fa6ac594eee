import { readFileSync } from 'node:fs';
import { type Breaker, closedBreaker, envoySettings, peerRates, stepBreaker } from './breaker.js';
import { candidate } from './candidates.harness.js';
import { prepareChoice } from './choose.js';
import { epsilonGreedy, type Learner, plainThompson, uniform } from './learners.harness.js';
import { type Evidence, noEvidence, withInferences } from './posterior.js';
import { settledWeights, type Weights } from './weights.js';

/** Arrivals of the real trace, in milliseconds after the first: 19,366 in 59 minutes. */
const arrivals = readFileSync('examples/trace/azure-llm-inference-conv-2023.csv', 'utf8')
  .split('\n')
  .slice(1)
  .filter(Boolean)
  .map((line) => Date.parse(`${line.slice(0, 10)}T${line.slice(11, 23)}Z`))
  .map((at, _, all) => at - all[0]!);
const half = arrivals.length / 2;
const users = 500;
const ids = ['best', 'second', 'third'];
/** How often they succeed, before and after the best one breaks. */
const before = [0.97, 0.93, 0.9];
const after = [0.02, 0.93, 0.9];

interface Run {
  /** Expected successes that the best choice of each request would have had more. */
  regret: number;
  /** Of the second half: the share of requests that went to the broken one. */
  toBroken: number;
  /** When the last request before its first probe, 30 s after the break, went there. */
  leftAfter_ms: number;
  /** Users who were taken from one model that worked to another, though nothing had been learned since. */
  baselessFlips: number;
}

function run(learner: Learner & { weighed: () => number }, seed: number): Run {
  const random = uniform(seed);
  const where = new Map<string, { arm: number; weighed: number }>();
  const result: Run = { regret: 0, toBroken: 0, leftAfter_ms: 0, baselessFlips: 0 };
  arrivals.forEach((now_ms, index) => {
    const isAfter = index >= half;
    const rates = isAfter ? after : before;
    const user = `user-${Math.floor(random() * users)}`;
    const arm = learner.choose(user, now_ms);
    const luck = random();
    learner.learn(arm, luck < rates[arm]!, now_ms);
    result.regret += Math.max(...rates) - rates[arm]!;
    const was = where.get(user);
    where.set(user, { arm, weighed: learner.weighed() });
    const bothWork = !isAfter || (was?.arm !== 0 && arm !== 0);
    if (was && was.arm !== arm && bothWork && was.weighed === learner.weighed()) result.baselessFlips += 1;
    if (!isAfter || arm !== 0) return;
    result.toBroken += 1 / (arrivals.length - half);
    if (now_ms - arrivals[half]! < envoySettings.open_ms) result.leftAfter_ms = now_ms - arrivals[half]!;
  });
  return result;
}

const tickMs = 1_000;
const weighEvery = 5;

/** Breakers each second and weights each five from what was counted until then. */
function selection(): Learner & { weighed: () => number } {
  let at_ms = 0;
  let weighed = 0;
  let breakers: Breaker[] = ids.map(() => closedBreaker(0));
  let evidence: Evidence[] = ids.map(() => noEvidence(0));
  let counted = ids.map(() => ({ total: 0, failures: 0 }));
  let [weights, rest]: [Weights | null, Weights | null] = [null, null];
  let probed = ids.map(() => 0);
  const jitter = uniform(7);
  const weigh = (kept: Weights | null, isIn: (index: number) => boolean): Weights =>
    settledWeights(kept, new Map(ids.flatMap((id, index) => (isIn(index) ? [[id, evidence[index]!] as const] : []))));

  function tick(now_ms: number): void {
    const peers = breakers;
    breakers = breakers.map((breaker, index) =>
      stepBreaker(
        breaker,
        {
          seen: counted[index]!,
          peers: () =>
            peerRates(
              peers.filter((_, other) => other !== index),
              now_ms,
            ),
          now_ms,
          jitter: jitter(),
        },
        envoySettings,
      ),
    );
    probed = probed.map((count, index) => (breakers[index]!.since_ms === now_ms ? 0 : count));
    evidence = evidence.map((one, index) => {
      const { total, failures } = counted[index]!;
      return breakers[index]!.state === 'closed' ? withInferences(one, total - failures, failures, now_ms) : { ...one, at_ms: now_ms };
    });
    counted = ids.map(() => ({ total: 0, failures: 0 }));
    at_ms = now_ms;
    const isChanged = breakers.some(({ state }, index) => state !== peers[index]!.state);
    if (!isChanged && (now_ms / tickMs) % weighEvery > 0) return;
    const old = [weights, rest];
    weights = weigh(weights, () => true);
    const isClosed = (index: number): boolean => breakers[index]!.state === 'closed';
    rest = breakers.some(({ state }) => state !== 'closed') ? weigh(rest, isClosed) : null;
    if (weights !== old[0] || rest !== old[1]) weighed += 1;
  }

  return {
    weighed: () => weighed,
    choose: (targeting_key, now_ms) => {
      while (now_ms - at_ms >= tickMs) tick(at_ms + tickMs);
      const candidates = ids.map((id, index) => candidate(id, {}, { breaker: breakers[index]!.state, probes_left: 5 - probed[index]! }));
      const answer = prepareChoice({ policy: 'bandit', candidates, weights, rest, flag: null })(targeting_key);
      if (!('chosen' in answer)) throw new Error('Nothing was chosen');
      const arm = ids.indexOf(answer.chosen.model.model_id);
      if (breakers[arm]!.state === 'half_open') probed[arm]! += 1;
      return arm;
    },
    learn: (arm, good) => {
      counted[arm]!.total += 1;
      counted[arm]!.failures += Number(!good);
    },
  };
}

/** Learns from every request at once, which counters cannot tell. */
const atOnce = (learner: Learner): Learner & { weighed: () => number } => ({ ...learner, weighed: () => 0 });

const seeds = [1];
const mean = (runs: Run[]): number => runs.reduce((sum, { regret }) => sum + regret, 0) / runs.length;

it('loses less than plain Thompson and epsilon-greedy on the real trace, leaves the broken model within 5 s and moves nobody for nothing', () => {
  const ours = seeds.map((seed) => run(selection(), seed));
  const thompson = seeds.map((seed) => run(atOnce(plainThompson(3, seed)), seed));
  const greedy = seeds.map((seed) => run(atOnce(epsilonGreedy(3, seed)), seed));
  expect(mean(ours)).toBeLessThan(mean(thompson) / 2);
  expect(mean(ours)).toBeLessThan(mean(greedy) / 2);
  for (const { leftAfter_ms, toBroken, baselessFlips } of ours) {
    expect(leftAfter_ms).toBeLessThan(5_000);
    expect(toBroken).toBeLessThan(0.02);
    expect(baselessFlips).toBe(0);
  }
});

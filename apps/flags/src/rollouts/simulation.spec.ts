import { binomialAtMost } from '#statistics/distributions.js';
import { planOf } from './plan.js';
import {
  base,
  drifting,
  failing,
  type Outcome,
  ourJudge,
  outcomeOf,
  overdispersed,
  slowerBy,
  slowingBy,
  unsteadyBy,
  type World,
  worseBy,
} from './rollout.simulation.harness.js';

// The figures of docs/statistics.md are those of `npm run bench -- rollouts`: many more runs, beside other judges.
const seed = 1;
const failures = planOf({ guardrails: [{ metric: 'failure_rate' }] });
const latencies = planOf({ guardrails: [{ metric: 'latency_p50' }, { metric: 'latency_p95' }, { metric: 'latency_p99' }] });
const all = planOf({});

const rollbacks = (runs: number, world: World, plan = failures): Outcome =>
  outcomeOf(runs, seed, world, () => ourJudge(plan, world.latency), 'rollback');

/** No more than a rate of exactly `rate` exceeds in one of a thousand simulations. */
function expectAtMost({ share }: Outcome, runs: number, rate: number): void {
  const rest = share === 0 ? 1 : 1 - binomialAtMost(Math.round(share * runs) - 1, runs, rate);
  expect(rest).toBeGreaterThan(0.001);
}

describe('simulated rollouts', () => {
  it.each([
    ['nothing differs', base],
    ['the rates of both drift while the candidate gets more', drifting],
    ['ticks differ more than chance makes them', overdispersed],
  ])('are rolled back in at most 1 %% of the runs where %s', (_, world) => {
    expectAtMost(rollbacks(40, world), 40, 0.01);
  });

  it('are rolled back in at most 1 % of the runs where nothing differs, all guardrails together', () => {
    expectAtMost(rollbacks(3, slowerBy(1), all), 3, 0.01);
    expectAtMost(rollbacks(3, slowerBy(1.1), latencies), 3, 0.01);
  });

  it.each([
    ['both arms get slower while the candidate gets more', slowingBy(1)],
    ['the median of each arm varies from tick to tick', unsteadyBy(1)],
  ])('are rolled back in at most 1 %% of the runs where %s', (_, world) => {
    expectAtMost(rollbacks(3, world, latencies), 3, 0.01);
  });

  // Bounds: the deflated e-process alone takes 62 and 23 ticks for failures; the e-process as it is 60 for rare ones, and 53, 6 and 2 for
  // timings, of which a quarter more is allowed.
  it.each([
    ['2 points more failures', worseBy(2), failures, 62],
    ['4 points more failures', worseBy(4), failures, 23],
    ['0.5 % failures instead of 0.1 %', failing(0.005, 0.001), failures, 84],
    ['timings 1.2 times as long', slowerBy(1.2), latencies, 66],
    ['timings 1.5 times as long', slowerBy(1.5), latencies, 7],
    ['timings twice as long', slowerBy(2), latencies, 2],
  ])('find %s in time', (_, world, plan, ticks) => {
    const { share, median } = rollbacks(world.latency ? 9 : 41, world, plan);
    expect(share).toBeGreaterThan(0.9);
    expect(median).toBeLessThanOrEqual(ticks);
  });

  it('are promoted where nothing differs, and at the margin in at most 5 % of the runs', () => {
    const promotions = (runs: number, world: World, plan = failures): Outcome =>
      outcomeOf(runs, seed, world, () => ourJudge(plan, world.latency), 'advance');
    expect(promotions(31, base).median).toBeLessThan(60);
    expectAtMost(promotions(40, worseBy(2)), 40, 0.05);
    expectAtMost(promotions(3, slowerBy(1.25), latencies), 3, 0.05);
  });
});

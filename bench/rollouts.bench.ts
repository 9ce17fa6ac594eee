import { parseArgs } from 'node:util';
import { planOf } from '#flags/rollouts/plan.js';
import {
  base,
  controlLimits,
  drifting,
  failing,
  type Judge,
  type Outcome,
  ourJudge,
  outcomeOf,
  overdispersed,
  slowerBy,
  slowingBy,
  unsteadyBy,
  type World,
  worseBy,
} from '#flags/rollouts/rollout.simulation.harness.js';
import { machineLine, writeSection } from './measurement.js';
import { bareEProcess, kayentaStyle, naivePeeking, threshold } from './rollouts/judges.js';

// Not a measurement of time: the same runs and seed give the same table on any machine.
const { values } = parseArgs({
  args: process.argv.slice(3),
  options: {
    rounds: { type: 'string', default: '2000' },
    seed: { type: 'string', default: '1' },
    write: { type: 'boolean', default: false },
  },
});
const runs = Number(values.rounds);
const seed = Number(values.seed);
/** Each draws every single timing. */
const timedRuns = Math.ceil(runs / 5);

const failures = planOf({ guardrails: [{ metric: 'failure_rate' }] });
const latencies = planOf({ guardrails: [{ metric: 'latency_p50' }, { metric: 'latency_p95' }, { metric: 'latency_p99' }] });
const all = planOf({});

const rollback = (world: World, judge: () => Judge): Outcome => outcomeOf(world.latency ? timedRuns : runs, seed, world, judge, 'rollback');
const promotion = (world: World, plan = failures): Outcome =>
  outcomeOf(world.latency ? timedRuns : runs, seed, world, () => ourJudge(plan, world.latency), 'advance');
const percent = ({ share }: Outcome): string => `${(share * 100).toFixed(share > 0 && share < 0.1 ? 2 : 1)} %`;
const found = (outcome: Outcome): string =>
  Number.isFinite(outcome.median) ? `${outcome.median} (${percent(outcome)})` : `– (${percent(outcome)})`;

const judges: (() => Judge)[] = [() => ourJudge(failures), naivePeeking, kayentaStyle, threshold];
const row = (name: string, world: World, show: (outcome: Outcome) => string): string =>
  `| ${[name, ...judges.map((judge) => show(rollback(world, judge)))].join(' | ')} |`;
const timedRow = (name: string, world: World, show = found): string => {
  const { log_sd } = world.latency!;
  const judges = [latencies, all].map((plan) => rollback(world, () => ourJudge(plan, world.latency)));
  const bare = rollback(world, () => bareEProcess(controlLimits(log_sd)!));
  return `| ${[name, ...[...judges, bare].map(show)].join(' | ')} |`;
};

const text = [
  await machineLine(),
  `Seed ${seed}; ${runs} runs of 240 ticks with 300 requests each, the candidate has 10 % of them; timings are lognormal with σ = 0.5, ${timedRuns} runs.`,
  '',
  '| | ours | z-test each tick | Kayenta’s way | threshold |',
  '| --- | --- | --- | --- | --- |',
  row('**rolled back although nothing differs** (3.8 % fail)', base, percent),
  row('… while both drift from 2 to 6 %, the candidate from 1 to 50 %', drifting, percent),
  row('… while each arm’s rate varies by tick (log-sd 0.6)', overdispersed, percent),
  row('**found: median tick** (share) of 2 points more failures', worseBy(2), found),
  row('… 4 points more', worseBy(4), found),
  row('… 20 % instead of 3.8 %', failing(0.2, 0.038), found),
  row('… 0.5 % instead of 0.1 %', failing(0.005, 0.001), found),
  '',
  '| timings, by p50, p95 and p99 at a margin of 10 % | ours | ours, all four guardrails | the e-process alone |',
  '| --- | --- | --- | --- |',
  timedRow('**rolled back although nothing differs**', slowerBy(1), percent),
  timedRow('… at the margin: 1.1 times as long', slowerBy(1.1), percent),
  timedRow('… while both double, the candidate from 1 to 50 %', slowingBy(1), percent),
  timedRow('… the same at the margin', slowingBy(1.1), percent),
  timedRow('… while each arm’s median varies by tick (log-sd 0.1)', unsteadyBy(1), percent),
  timedRow('… the same at the margin', unsteadyBy(1.1), percent),
  timedRow('**found: median tick** (share) of 1.2 times as long', slowerBy(1.2)),
  ...[1.5, 2].map((factor) => timedRow(`… ${factor} times`, slowerBy(factor))),
  ...[1.2, 1.5, 2].map((factor) => timedRow(`… with σ = 0.65, ${factor} times as long`, slowerBy(factor, 0.65))),
  '',
  '| promotion | evidence at tick (share) |',
  '| --- | --- |',
  `| nothing differs, failures | ${found(promotion(base))} |`,
  `| nothing differs, all four guardrails | ${found(promotion(slowerBy(1), all))} |`,
  `| **at the margin**: 2 points more failures | ${found(promotion(worseBy(2)))} |`,
  `| **at the margin**: 1.25 times as long | ${found(promotion(slowerBy(1.25), latencies))} |`,
].join('\n');
console.log(`\n${text}`);
if (values.write) writeSection('rollouts', text);

import { type RolloutPlan } from '#contracts/rollout-plan.js';
import { storedArm } from './counters.js';
import { planOf } from './plan.js';
import { Replay } from './replay.js';
import { base, firstTick, ourJudge, ticksOf, type World, worseBy } from './rollout.simulation.harness.js';

const plan = planOf({
  guardrails: [{ metric: 'failure_rate' }],
  steps: [10, 100].map((percentage) => ({ percentage, min_duration_seconds: 0, min_samples: 0 })),
});

function replayed(world: World, as: RolloutPlan): Replay {
  const replay = new Replay(as, null);
  let tick = 0;
  for (const { candidate, control, percentage } of ticksOf(world, 1)) {
    tick += 1;
    const age_ms = tick * 10_000;
    const circumstances = { silent_ms: { candidate: 0, control: 0 }, age_ms, step_age_ms: age_ms, paused: false, pending: false };
    const inputs = { candidate: storedArm(candidate), control: storedArm(control), ...circumstances };
    replay.add({ tick, at: new Date(age_ms).toISOString(), percentage, inputs, guardrails: [] });
  }
  return replay;
}

describe('a replay', () => {
  it('comes to the decisions that were made', () => {
    const at = firstTick(worseBy(4), 1, ourJudge(plan), 'rollback');
    const replay = replayed(worseBy(4), plan);
    expect(replay.rollback_at_tick).toBe(at);
    expect(replay.ticks).toBe(at);
    expect(replay.decisions.map(({ action, rule }) => [action, rule])).toEqual([
      ['hold', 'collecting'],
      ['rollback', 'guardrail_harm'],
    ]);
  });

  it('comes to others by other margins and levels', () => {
    const [first] = plan.guardrails;
    expect(replayed(worseBy(4), { ...plan, guardrails: [{ ...first!, harm_margin: 10 }] }).rollback_at_tick).toBeNull();
    const strict = replayed(worseBy(4), { ...plan, alpha: 0.0001 }).rollback_at_tick!;
    expect(strict).toBeGreaterThan(replayed(worseBy(4), plan).rollback_at_tick!);
  });

  it('takes its own steps, and ends after the last', () => {
    const at = firstTick(base, 1, ourJudge(plan), 'advance');
    const replay = replayed(base, plan);
    expect(replay.decisions.filter(({ action }) => action === 'advance').map(({ tick, step }) => [tick, step])).toEqual([
      [at, 0],
      [at + 1, 1],
    ]);
    expect(replay).toMatchObject({ advances: 2, rollback_at_tick: null, ticks: at + 1, ended: true });
    const slow = { ...plan, steps: plan.steps.map((step) => ({ ...step, min_samples: 3_000 })) };
    expect(replayed(base, slow).advances).toBe(2);
    expect(replayed(base, slow).decisions.filter(({ action }) => action === 'advance')[1]!.tick).toBeGreaterThanOrEqual(200);
  });
});

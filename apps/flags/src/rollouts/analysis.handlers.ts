import { Controller } from '@nestjs/common';
import { type Page } from '#contracts/page.js';
import {
  analyseRollout,
  listRolloutDecisions,
  type RolloutAnalysis,
  type RolloutDecisionsRequest,
  type RolloutSimulation,
  type RolloutSimulationRequest,
  simulateRollout,
} from '#contracts/rollout-analysis.js';
import { type RolloutDecision } from '#contracts/rollout-decision.js';
import { type RolloutPlan } from '#contracts/rollout-plan.js';
import { type RolloutRef } from '#contracts/rollouts.js';
import { pairedBounds } from '#statistics/paired-ticks.js';
import { Answers } from '#runtime/answers.js';
import { readGuardrails, readSampleRatio } from './analysis.js';
import { type Arm, compareArms, compareTimings } from './arms.js';
import { grown } from './counters.js';
import { DecisionsStore } from './decisions.store.js';
import { guardrailsOf } from './plan.js';
import { Replay } from './replay.js';
import { type RolloutEntity } from './rollout.entity.js';
import { RolloutsStore } from './rollouts.store.js';

const newestDecisions = 20;
/** One-sided, so that both bounds together hold with 95 %. */
const boundAlpha = 0.025;
const mostReplayed = 20_000;
/** Of a replay: others have their turn in between. */
const replayedAtOnce = 200;

/** What is known of rollouts: reading alone. */
@Controller()
export class RolloutAnalysisHandlers {
  constructor(
    private readonly rollouts: RolloutsStore,
    private readonly decisions: DecisionsStore,
  ) {}

  @Answers(listRolloutDecisions)
  async listDecisions(request: RolloutDecisionsRequest): Promise<Page<RolloutDecision>> {
    await this.rollouts.get(request.rollout_id);
    return this.decisions.list(request);
  }

  @Answers(analyseRollout)
  async analyse({ rollout_id }: RolloutRef): Promise<RolloutAnalysis> {
    const row = await this.rollouts.get(rollout_id);
    const { items } = await this.decisions.list({ rollout_id, limit: newestDecisions });
    const [candidate, control] = armsOf(row);
    const bounds = pairedBounds(row.analysis.failures, boundAlpha);
    return {
      rollout_id,
      status: row.status,
      ticks: row.tick,
      arms: compareArms([candidate, control]),
      // Of failures the candidate has fewer where its success rate is higher.
      success_difference: bounds && -100 * bounds.difference,
      success_difference_lower: bounds && -100 * bounds.upper,
      success_difference_upper: bounds && -100 * bounds.lower,
      timings: compareTimings(candidate, control),
      guardrails: readGuardrails(row.analysis, row.plan),
      sample_ratio: readSampleRatio(row.analysis, row.percentage),
      decisions: items,
    };
  }

  @Answers(simulateRollout)
  async simulate({ rollout_id, guardrails, ...change }: RolloutSimulationRequest): Promise<RolloutSimulation> {
    const row = await this.rollouts.get(rollout_id);
    const plan: RolloutPlan = { ...row.plan, ...change, ...(guardrails && { guardrails: guardrailsOf(guardrails) }) };
    const replay = new Replay(plan, row.analysis.limits);
    let last = 0;
    while (!replay.ended && replay.ticks < mostReplayed) {
      const ticks = await this.decisions.inOrder(rollout_id, last, replayedAtOnce);
      for (const tick of ticks) replay.add(tick);
      if (ticks.length < replayedAtOnce) break;
      last = ticks.at(-1)!.tick;
    }
    const { ticks, decisions, rollback_at_tick, advances } = replay;
    return { rollout_id, ticks, truncated: !replay.ended && ticks < row.tick, decisions, rollback_at_tick, advances };
  }
}

/** The candidate, then the control, with all that was counted since the start. */
function armsOf(row: RolloutEntity): [candidate: Arm, control: Arm] {
  const { first_counters, last_counters } = row;
  const armOf = (arm: 'candidate' | 'control'): Arm => ({
    ...grown(last_counters?.[arm] ?? null, first_counters?.[arm] ?? null),
    variant: row[`${arm}_variant`],
    model_id: row[`${arm}_model_id`],
    sum_timing_ms: (last_counters?.[arm]?.sum_timing_ms ?? 0) - (first_counters?.[arm]?.sum_timing_ms ?? 0),
  });
  return [armOf('candidate'), armOf('control')];
}

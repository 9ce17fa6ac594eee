import { type SimulatedDecision } from '#contracts/rollout-analysis.js';
import { type RolloutPlan } from '#contracts/rollout-plan.js';
import { type Analysis, analysisOfNextStep, analysisWith, type LatencyLimits, newAnalysis } from './analysis.js';
import { armOf } from './counters.js';
import { decide } from './decision.js';
import { type RolloutDecisionEntity } from './rollout.entity.js';
import { situationOf } from './situation.js';

type Stored = Pick<RolloutDecisionEntity, 'tick' | 'at' | 'percentage' | 'inputs' | 'guardrails'>;

const mostDecisions = 1_000;

/** The stored ticks of a rollout judged anew, one after the other, as if another plan had been made. */
export class Replay {
  readonly decisions: SimulatedDecision[] = [];
  ticks = 0;
  advances = 0;
  rollback_at_tick: number | null = null;
  private analysis: Analysis;
  private step = 0;
  private stepStartedAtMs = 0;
  private percentage: number | null = null;

  /** `limits` are those that the rollout came to have; they are used from the tick on at which it had them. */
  constructor(
    private readonly plan: RolloutPlan,
    private readonly limits: LatencyLimits | null,
  ) {
    this.analysis = newAnalysis(plan);
  }

  /** Whether it has come to an end: nothing after that is judged. */
  get ended(): boolean {
    return this.rollback_at_tick !== null || this.step === this.plan.steps.length;
  }

  add({ tick, at, percentage, inputs, guardrails }: Stored): void {
    if (this.ended) return;
    this.ticks += 1;
    if (this.percentage !== null && this.percentage !== percentage) {
      // The counts of a step begin with a step of the simulation, those of the shares with a change of the traffic that there was.
      const { step_samples } = this.analysis;
      this.analysis = { ...analysisOfNextStep(this.analysis, this.percentage), step_samples };
    }
    this.percentage = percentage;
    const latencies = guardrails.filter(({ metric }) => metric.startsWith('latency_'));
    const known = latencies.length === 0 || latencies.some(({ limit_ms }) => limit_ms !== null);
    const arms = { candidate: armOf(inputs.candidate), control: armOf(inputs.control) };
    this.analysis = analysisWith({ ...this.analysis, limits: known ? this.limits : null }, this.plan, percentage, arms);
    const { silent_ms, age_ms, paused } = inputs;
    const circumstances = { step: this.step, silent_ms, age_ms, step_age_ms: age_ms - this.stepStartedAtMs, paused, pending: false };
    const verdict = decide(situationOf(this.analysis, this.plan, percentage, circumstances));
    const last = this.decisions.at(-1);
    const changed = last?.action !== verdict.action || last.rule !== verdict.rule || verdict.action === 'advance';
    if (changed && this.decisions.length < mostDecisions) this.decisions.push({ ...verdict, tick, at, step: this.step });
    if (verdict.action === 'rollback') this.rollback_at_tick = tick;
    if (verdict.action !== 'advance') return;
    this.advances += 1;
    this.step += 1;
    this.stepStartedAtMs = age_ms;
    this.analysis = { ...this.analysis, step_samples: 0 };
  }
}

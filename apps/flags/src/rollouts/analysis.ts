import { type GuardrailReading, type SampleRatio, type TestReading } from '#contracts/rollout-decision.js';
import { type Guardrail, type RolloutPlan } from '#contracts/rollout-plan.js';
import { designEffect } from '#statistics/design-effect.js';
import { newWatch, readWatch, type Watch, watchWith } from '#statistics/difference-watch.js';
import { type MarginTest, type Tick } from '#statistics/margin-e-process.js';
import { noPairedTicks, type PairedTicks, pairedWith } from '#statistics/paired-ticks.js';
import { sampleRatioLogE } from '#statistics/sample-ratio.js';
import { binOf, gamma, type Sketch } from '#statistics/sketch.js';
import { type Share } from '#statistics/two-proportions.js';

/** What an arm did in one tick. */
export interface ArmTick {
  inferences: number;
  failures: number;
  error_types: Record<string, number>;
  /** Of the timings, milliseconds. */
  timings: Sketch;
}

export interface ArmsTick {
  candidate: ArmTick;
  control: ArmTick;
}

/** Bins of the sketch, above which a timing is slow: the control's quantiles before the rollout looked at any. */
export interface LatencyLimits {
  latency_p50: number;
  latency_p95: number;
  latency_p99: number;
}

/** All that a rollout knows of its ticks. Plain JSON: it is stored with the rollout, so that whoever takes the next tick goes on with it. */
export interface Analysis {
  ticks: number;
  limits: LatencyLimits | null;
  /** In the order of the plan's. */
  guardrails: { harm: Watch; promotion: Watch }[];
  /** For the difference of failure rates without any margin. */
  failures: PairedTicks;
  /** ln of the e-value of the earlier steps, this step's units of candidate and control, and ticks until they are counted. */
  ratio: { earlier_log_e: number; candidate: number; control: number; settling: number };
  /** Failures of the candidate in the last ticks. */
  recent: Share[];
  /** Inferences of the candidate in this step. */
  step_samples: number;
}

/** Timings of the control from which on its quantiles are taken as limits. */
export const enoughForLimits = 5_000;
const recentTicks = 6;
/** After a change of the shares: inferences that were directed before are still counted in these ticks. */
const settlingTicks = 2;
/** P(a wrong alarm of the sample-ratio check). */
const ratioAlpha = 0.001;

export const newAnalysis = (plan: RolloutPlan): Analysis => ({
  ticks: 0,
  limits: null,
  guardrails: plan.guardrails.map(() => ({ harm: newWatch, promotion: newWatch })),
  failures: noPairedTicks,
  ratio: { earlier_log_e: 0, candidate: 0, control: 0, settling: settlingTicks },
  recent: [],
  step_samples: 0,
});

/** The limits by a sketch of the control's timings; null while it has too few of them. */
export function limitsOf(timings: Sketch): LatencyLimits | null {
  if (timings.count < enoughForLimits) return null;
  const bin = (q: number): number => binOf(timings.quantile(q));
  return { latency_p50: bin(0.5), latency_p95: bin(0.95), latency_p99: bin(0.99) };
}

/** With one tick more. `percentage` (0..100) is the candidate's share of the traffic in it. */
export function analysisWith(analysis: Analysis, plan: RolloutPlan, percentage: number, tick: ArmsTick): Analysis {
  const { candidate, control } = tick;
  const { settling, ...ratio } = analysis.ratio;
  return {
    ticks: analysis.ticks + 1,
    limits: analysis.limits,
    guardrails: analysis.guardrails.map((watches, index) => {
      const guardrail = plan.guardrails[index]!;
      const ticks = ticksOf(guardrail, analysis.limits, tick);
      if (!ticks) return watches;
      const { harm, promotion } = testsOf(guardrail);
      const effect = effectOf(analysis, plan, index);
      return {
        harm: watchWith(watches.harm, ticks.harm, harm, effect),
        promotion: watchWith(watches.promotion, ticks.promotion, promotion, effect),
      };
    }),
    failures: pairedWith(analysis.failures, { candidate: failuresOf(candidate), control: failuresOf(control) }),
    ratio:
      settling > 0 || percentage >= 100
        ? { ...ratio, settling: Math.max(0, settling - 1) }
        : {
            ...ratio,
            candidate: ratio.candidate + candidate.inferences / plan.inferences_per_unit,
            control: ratio.control + control.inferences / plan.inferences_per_unit,
            settling,
          },
    recent: [...analysis.recent, failuresOf(candidate)].slice(-recentTicks),
    step_samples: analysis.step_samples + candidate.inferences,
  };
}

/** At the beginning of a step. `percentage` is that of the step which ends: the evidence on the shares is kept, its counts are not. */
export function analysisOfNextStep(analysis: Analysis, percentage: number): Analysis {
  return {
    ...analysis,
    ratio: { earlier_log_e: ratioLogE(analysis, percentage), candidate: 0, control: 0, settling: settlingTicks },
    step_samples: 0,
  };
}

/** Where every guardrail stands, in the order of the plan's. Alpha is shared out among those that roll back, by their weights. */
export function readGuardrails(analysis: Analysis, plan: RolloutPlan): GuardrailReading[] {
  const { guardrails, limits } = analysis;
  const total = plan.guardrails.reduce((sum, { on_harm, weight }) => sum + (on_harm === 'rollback' ? weight : 0), 0);
  return plan.guardrails.map((guardrail, index) => {
    const { metric, error_type, on_harm, weight } = guardrail;
    const tests = testsOf(guardrail);
    const { harm, promotion } = guardrails[index]!;
    const alpha = on_harm === 'rollback' ? (plan.alpha * weight) / total : plan.alpha;
    return {
      metric,
      error_type,
      limit_ms: isLatency(metric) && limits ? gamma ** limits[metric] : null,
      design_effect: effectOf(analysis, plan, index),
      harm: readTest(harm, tests.harm, alpha),
      promotion: readTest(promotion, tests.promotion, plan.promotion_alpha),
    };
  });
}

/**
 * How much more alike the requests of a tick are than independent ones, by the ticks so far. All latency guardrails look at the same timings:
 * together they know it sooner.
 */
function effectOf({ guardrails }: Analysis, plan: RolloutPlan, index: number): number {
  const { metric } = plan.guardrails[index]!;
  const alike = guardrails.filter((_, other) => other === index || (isLatency(metric) && isLatency(plan.guardrails[other]!.metric)));
  return designEffect(alike.flatMap(({ harm }) => [harm.candidate, harm.control]));
}

/** Whether units go to the arms as the flag's split says. */
export function readSampleRatio(analysis: Analysis, percentage: number): SampleRatio {
  const log_e = ratioLogE(analysis, percentage);
  const log_threshold = Math.log(1 / ratioAlpha);
  return { log_e, log_threshold, mismatch: log_e >= log_threshold };
}

function ratioLogE({ ratio }: Analysis, percentage: number): number {
  const { earlier_log_e, candidate, control } = ratio;
  if (percentage <= 0 || percentage >= 100) return earlier_log_e;
  return earlier_log_e + sampleRatioLogE([candidate, control], [percentage / 100, 1 - percentage / 100]);
}

function readTest(watch: Watch, test: MarginTest, alpha: number): TestReading {
  const reading = readWatch(watch, test, alpha);
  return { ...reading, method: watch.paired.ticks === 0 ? 'none' : reading.method, margin: test.margin };
}

/** The margins of latencies move the candidate's limit instead; see `ticksOf`. */
function testsOf({ metric, harm_margin, promotion_margin }: Guardrail): { harm: MarginTest; promotion: MarginTest } {
  const latency = isLatency(metric);
  return {
    harm: { direction: 'above', margin: latency ? 0 : harm_margin / 100 },
    promotion: { direction: 'below', margin: latency ? 0 : promotion_margin / 100 },
  };
}

/**
 * The tick as one guardrail sees it; null while it has no limit. A candidate's quantile is at most (1 + margin) times the control's where no
 * more of its timings are above (1 + margin) times the limit than of the control's above the limit. As bins are equal on a logarithmic scale,
 * the margin is a number of bins, and the counts are exact: rounded up for harm and down for a promotion.
 */
function ticksOf(
  guardrail: Guardrail,
  limits: LatencyLimits | null,
  { candidate, control }: ArmsTick,
): { harm: Tick; promotion: Tick } | null {
  const { metric, error_type, harm_margin, promotion_margin } = guardrail;
  if (!isLatency(metric)) {
    const share = metric === 'failure_rate' ? failuresOf : (arm: ArmTick): Share => errorsOf(arm, error_type!);
    const tick = { candidate: share(candidate), control: share(control) };
    return { harm: tick, promotion: tick };
  }
  if (!limits) return null;
  const above = ({ timings }: ArmTick, bin: number): Share => ({ events: timings.countAboveBin(bin), n: timings.count });
  const limit = limits[metric];
  return {
    harm: { candidate: above(candidate, limit + Math.ceil(binsOf(harm_margin))), control: above(control, limit) },
    promotion: { candidate: above(candidate, limit + Math.floor(binsOf(promotion_margin))), control: above(control, limit) },
  };
}

/** How many bins a margin in percent is. */
const binsOf = (margin: number): number => Math.log1p(margin / 100) / Math.log(gamma);

const isLatency = (metric: Guardrail['metric']): metric is keyof LatencyLimits => metric.startsWith('latency_');

const failuresOf = ({ inferences, failures }: ArmTick): Share => ({ n: inferences, events: failures });

const errorsOf = ({ inferences, error_types }: ArmTick, error_type: string): Share => ({
  n: inferences,
  events: error_types[error_type] ?? 0,
});

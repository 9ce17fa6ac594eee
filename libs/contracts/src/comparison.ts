import { Decimal, Decimals, OneOf, Text, Whole } from './fields.js';
import { TestCaseRef } from './test-case.js';

export const severities = ['none', 'low', 'medium', 'high'] as const;
export type Severity = (typeof severities)[number];

export const verdicts = ['no_difference', 'improved', 'regressed', 'too_little_data', 'not_compared'] as const;
export type Verdict = (typeof verdicts)[number];

export const effectKinds = ['difference', 'ratio', 'relative', 'share_of_cases'] as const;
export type EffectKind = (typeof effectKinds)[number];

const Figure = (description: string): PropertyDecorator => Decimal({ min: -1e300, max: 1e300, nullable: true, description });

/** One figure of a case in a run, held against the case's baseline. Without a figure, `reason` says why. */
export class CaseComparison extends TestCaseRef {
  @Text({ max: 120, nullable: true, description: 'null: the case has no baseline.' })
  baseline_run_id!: string | null;

  @Text({ max: 64, nullable: true })
  baseline_model_id!: string | null;

  @Text({ max: 40, description: '`outcome`, a metric of the case, `latency`, `p95_ms`, `p99_ms` or `error_rate`.' })
  metric!: string;

  @Text({ max: 40, nullable: true, description: 'libs/statistics; null for `outcome`, which needs none.' })
  test!: string | null;

  @Figure('Above 0 where the candidate’s values are the larger ones.')
  statistic!: number | null;

  @Decimal({ min: 0, max: 1, nullable: true, description: 'Two-sided, of this comparison alone.' })
  p!: number | null;

  @Decimal({ min: 0, max: 1, nullable: true, description: 'By Holm, over all comparisons of the run.' })
  p_adjusted!: number | null;

  @Figure('How the candidate differs from the baseline.')
  effect!: number | null;

  @OneOf(effectKinds, {
    nullable: true,
    description:
      '`difference`: candidate − baseline. `ratio`: candidate / baseline. `relative`: the difference as a fraction of the baseline’s mean. ' +
      '`share_of_cases`: of those that passed before, how many do not now.',
  })
  effect_kind!: EffectKind | null;

  @Decimals({ length: 2, nullable: true, description: 'The 95 % interval of the effect, lower and upper end.' })
  confidence_interval!: number[] | null;

  @Whole({ nullable: true, description: 'Pairs of rows; requests of the smaller side; cases.' })
  n!: number | null;

  @OneOf(severities)
  severity!: Severity;

  @OneOf(verdicts)
  verdict!: Verdict;

  @Text({ min: 0, max: 1000, description: 'Why there is too little data, or no comparison; empty otherwise.' })
  reason!: string;
}

import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { type CaseResult } from '#contracts/case-result.js';
import { type CaseComparison } from '#contracts/comparison.js';
import {
  type NightlySummary,
  type Run,
  type RunStatus,
  type RunTrigger,
  type Severity,
  type SignatureCheck,
} from '#contracts/validation.js';
import { instant } from '#runtime/columns.js';

@Entity('runs')
@Index('runs_of_model', ['model_id', 'started_at'])
@Index('runs_passed_of_model', ['model_id', 'started_at'], { where: `"status" = 'passed'` })
@Index('runs_of_nightly', ['nightly_id'], { where: '"nightly_id" IS NOT NULL' })
@Index('runs_running', ['lease_until'], { where: `"status" = 'running'` })
export class RunEntity implements Run {
  @PrimaryColumn('text')
  run_id!: string;

  @Column('text')
  model_id!: string;

  @Column('text')
  trigger!: RunTrigger;

  @Column('text', { nullable: true })
  nightly_id!: string | null;

  @Column('text')
  status!: RunStatus;

  @Column('timestamptz', { transformer: instant })
  started_at!: string;

  @Column('timestamptz', { nullable: true, transformer: instant })
  completed_at!: string | null;

  /** Whoever runs it renews this; past it the run is lost. */
  @Column('timestamptz', { transformer: instant })
  lease_until!: string;

  @Column('integer')
  total_tests!: number;

  @Column('integer')
  passed_tests!: number;

  @Column('integer')
  failed_tests!: number;

  @Column('integer')
  error_tests!: number;

  @Column('boolean')
  regression_detected!: boolean;

  @Column('text')
  regression_severity!: Severity;

  @Column('text', { nullable: true })
  baseline_run_id!: string | null;

  @Column('jsonb')
  regressed_test_case_ids!: string[];

  @Column('jsonb')
  results!: CaseResult[];

  @Column('text')
  reason!: string;

  @Column('jsonb', { nullable: true })
  signature_check!: SignatureCheck | null;

  @Column('jsonb', { default: [] })
  comparisons!: CaseComparison[];

  @Column('integer', { nullable: true })
  policy_revision!: number | null;
}

/** One night's round, or one that was asked for. At most one is unfinished at a time. */
@Entity('nightlies')
@Index('nightlies_one_unfinished', ['unfinished'], { unique: true, where: '"unfinished"' })
export class NightlyEntity {
  @PrimaryColumn('text')
  nightly_id!: string;

  @Column('boolean')
  unfinished!: boolean;

  @Column('timestamptz', { transformer: instant })
  started_at!: string;

  @Column('timestamptz', { transformer: instant })
  lease_until!: string;

  @Column('integer')
  models_processed!: number;

  @Column('jsonb')
  results_summary!: NightlySummary;
}

import { Column, Entity, Index, PrimaryColumn, PrimaryGeneratedColumn } from 'typeorm';
import { type CaseResult } from '#contracts/case-result.js';
import { type CaseComparison } from '#contracts/comparison.js';
import {
  type NightlySummary,
  type Run,
  type RunEvent,
  type RunStatus,
  type RunTrigger,
  type Severity,
  type SignatureCheck,
} from '#contracts/validation.js';
import { type Model } from '#contracts/registry.js';
import { type Caller } from '#runtime/caller.js';
import { instant } from '#runtime/columns.js';

/** All that a run needs, as it was when the run was asked for: whoever takes it up later does the same. */
export interface RunWork {
  caller: Caller;
  model: Model;
  /** In the order of the outcomes. */
  cases: { test_case_id: string; revision: number }[];
  /** What asked for the run; null where nothing is traced. Absent in rows of earlier versions. */
  traceparent?: string | null;
}

@Entity('runs')
@Index('runs_of_model', ['model_id', 'started_at'])
@Index('runs_passed_of_model', ['model_id', 'started_at'], { where: `"status" = 'passed'` })
@Index('runs_of_nightly', ['nightly_id', 'model_id'], { unique: true, where: '"nightly_id" IS NOT NULL' })
@Index('runs_of_request', ['request_name'], { unique: true, where: '"request_name" IS NOT NULL' })
@Index('runs_over', ['started_at'], { where: `"status" <> 'running'` })
@Index('runs_running', ['lease_until'], { where: `"status" = 'running'` })
export class RunEntity implements Omit<Run, 'progress' | 'results_next_cursor'> {
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

  /** Whoever runs it renews this; past it another replica may take it over. Null: it waits. */
  @Column('timestamptz', { nullable: true, transformer: instant })
  lease_until!: string | null;

  /** What has been begun so often is written by the replica that began it last, and by no other. */
  @Column('integer')
  attempt!: number;

  /** Attempts of which nobody heard the end. */
  @Column('integer')
  lost!: number;

  /** Null once it is over. */
  @Column('jsonb', { nullable: true })
  work!: RunWork | null;

  @Column('integer')
  total_tests!: number;

  @Column('integer')
  done_tests!: number;

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

  @Column('text', { nullable: true })
  cancelled_by!: string | null;

  /** Of the request that asked for it, where that had an Idempotency-Key. */
  @Column('text', { nullable: true })
  request_name!: string | null;

  @Column('text', { nullable: true })
  request_sha256!: string | null;
}

/** What is to be told of a run and has not been acknowledged by JetStream. Written with the change that it tells of. */
@Entity('facts')
export class FactEntity {
  @PrimaryGeneratedColumn('identity', { type: 'bigint', generatedIdentity: 'ALWAYS' })
  position!: string;

  @Column('text')
  subject!: string;

  @Column('jsonb')
  event!: RunEvent;

  /** W3C Trace Context: what it was a part of. */
  @Column('text', { nullable: true })
  traceparent!: string | null;
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

  /** The night that it is for; null: it was asked for. */
  @Column('timestamptz', { nullable: true, transformer: instant })
  planned_at!: string | null;

  /** Whether it began after its night, since nobody was there in time. */
  @Column('boolean')
  late!: boolean;

  /** Whether every model has its run. Until then whoever holds the lease gives each of them one. */
  @Column('boolean')
  enqueued!: boolean;

  @Column('timestamptz', { transformer: instant })
  lease_until!: string;

  @Column('integer')
  models_processed!: number;

  @Column('jsonb')
  results_summary!: NightlySummary;
}

/** How far the nights have been looked after: each of those before has had its round, or was counted as missed. One row. */
@Entity('night_watch')
export class NightWatchEntity {
  @PrimaryColumn('boolean')
  watch!: boolean;

  @Column('timestamptz', { transformer: instant })
  handled_until!: string;
}

import { Column, Entity, Index, PrimaryColumn, PrimaryGeneratedColumn } from 'typeorm';
import { type ModelStatus } from '#contracts/registry.js';
import {
  type DecisionAction,
  type DecisionRule,
  type GuardrailReading,
  type LastDecision,
  type SampleRatio,
} from '#contracts/rollout-decision.js';
import { type RolloutEvent, type RolloutHold } from '#contracts/rollout-event.js';
import { type RolloutPlan } from '#contracts/rollout-plan.js';
import { type PendingChange, type RolledModel, type RolloutStatus } from '#contracts/rollouts.js';
import { instant } from '#runtime/columns.js';
import { type Analysis } from './analysis.js';
import { type Counters, type StoredArmTick } from './counters.js';

/** A pending change with all that it takes to ask the registry for it. */
export interface PlannedChange extends PendingChange {
  models: RolledModel[];
  release: boolean;
  /** Of the flag and the rollout once the registry has made it. */
  step: number;
  percentage: number;
  reason: string;
}

/** A rollout and all that the next tick starts from: whichever replica takes it. */
@Entity('rollouts')
@Index('rollouts_due', ['next_tick_at'], { where: '"next_tick_at" IS NOT NULL' })
@Index('rollouts_pending', ['next_try_at'], { where: '"next_try_at" IS NOT NULL' })
@Index('rollouts_of_candidate', ['candidate_model_id'])
export class RolloutEntity {
  @PrimaryColumn('text')
  rollout_id!: string;

  @Column('text')
  flag_key!: string;

  @Column('text')
  candidate_model_id!: string;

  @Column('text')
  candidate_variant!: string;

  @Column('text')
  control_model_id!: string;

  @Column('text')
  control_variant!: string;

  /** What the control was at the beginning, and is again if the candidate is withdrawn. */
  @Column('text')
  control_status!: ModelStatus;

  /** Of both models, which never change: whose scope has them may see the rollout. */
  @Column('jsonb')
  models!: { name: string; sport: string | null }[];

  @Column('text')
  status!: RolloutStatus;

  @Column('integer')
  step!: number;

  @Column('double precision')
  percentage!: number;

  @Column('jsonb')
  plan!: RolloutPlan;

  @Column('boolean')
  override!: boolean;

  @Column('text')
  reason!: string;

  @Column('integer')
  tick!: number;

  @Column('jsonb', { nullable: true })
  last_decision!: LastDecision | null;

  @Column('jsonb')
  analysis!: Analysis;

  /** At the start, and at the last tick that metrics answered; null before the first. */
  @Column('jsonb', { nullable: true })
  first_counters!: Counters | null;

  @Column('jsonb', { nullable: true })
  last_counters!: Counters | null;

  @Column('timestamptz', { nullable: true, transformer: instant })
  candidate_heard_at!: string | null;

  @Column('timestamptz', { nullable: true, transformer: instant })
  control_heard_at!: string | null;

  @Column('timestamptz', { nullable: true, transformer: instant })
  next_tick_at!: string | null;

  /** Of the latest change that was planned. */
  @Column('integer')
  sequence!: number;

  @Column('jsonb', { nullable: true })
  pending!: PlannedChange | null;

  @Column('timestamptz', { nullable: true, transformer: instant })
  next_try_at!: string | null;

  @Column('text', { nullable: true })
  outcome!: string | null;

  /** How many events were told of it. */
  @Column('integer')
  told!: number;

  /** What was told to hold the present step. */
  @Column('jsonb')
  held!: RolloutHold[];

  @Column('timestamptz', { transformer: instant })
  created_at!: string;

  @Column('text')
  created_by!: string;

  @Column('timestamptz', { nullable: true, transformer: instant })
  started_at!: string | null;

  @Column('timestamptz', { nullable: true, transformer: instant })
  step_started_at!: string | null;

  @Column('timestamptz', { nullable: true, transformer: instant })
  ended_at!: string | null;
}

/** What is to be told of a rollout. Written with the change that it tells of, and kept until JetStream and the metrics service have it. */
@Entity('rollout_events')
export class RolloutEventEntity {
  @PrimaryGeneratedColumn('identity', { type: 'bigint', generatedIdentity: 'ALWAYS' })
  position!: string;

  @Column('jsonb')
  event!: RolloutEvent;

  @Column('boolean', { default: false })
  published!: boolean;

  @Column('boolean', { default: false })
  taken!: boolean;
}

/** What a decision was made of, besides the evidence before it: enough to make it again. */
export interface DecisionInputs {
  candidate: StoredArmTick;
  control: StoredArmTick;
  silent_ms: { candidate: number; control: number };
  age_ms: number;
  step_age_ms: number;
  paused: boolean;
  pending: boolean;
}

@Entity('rollout_decisions')
export class RolloutDecisionEntity {
  @PrimaryColumn('text')
  rollout_id!: string;

  @PrimaryColumn('integer')
  tick!: number;

  @Column('timestamptz', { transformer: instant })
  at!: string;

  @Column('integer')
  step!: number;

  @Column('double precision')
  percentage!: number;

  @Column('text')
  action!: DecisionAction;

  @Column('text')
  rule!: DecisionRule;

  @Column('text')
  reason!: string;

  @Column('text')
  method!: 'comparison' | 'threshold';

  @Column('jsonb')
  inputs!: DecisionInputs;

  @Column('jsonb')
  guardrails!: GuardrailReading[];

  @Column('jsonb')
  sample_ratio!: SampleRatio;
}

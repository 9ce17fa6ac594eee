import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn } from 'typeorm';
import { type Baseline } from '#contracts/baseline.js';
import { type Measured } from '#contracts/case-result.js';
import { type TestCaseType } from '#contracts/test-case.js';
import { instant } from '#runtime/columns.js';
import { RunEntity } from '../run.entity.js';

/**
 * What runs are compared with. A regression case's rows stay where the run left them: a run that is a baseline's cannot be deleted, and
 * `baselines_of_run` tells which are.
 */
@Entity('baselines')
@Index('baselines_of_run', ['run_id'])
@Index('baselines_of_model', ['model_id'])
export class BaselineEntity implements Baseline {
  @PrimaryColumn('text')
  name!: string;

  @PrimaryColumn('text')
  test_case_id!: string;

  @Column('text')
  type!: TestCaseType;

  @Column('integer')
  revision!: number;

  @Column('text', { nullable: true })
  data_set_id!: string | null;

  @Column('text')
  run_id!: string;

  @ManyToOne(() => RunEntity)
  @JoinColumn({ name: 'run_id', foreignKeyConstraintName: 'baselines_run' })
  run?: RunEntity;

  @Column('text')
  model_id!: string;

  @Column('timestamptz', { transformer: instant })
  run_started_at!: string;

  @Column('timestamptz', { transformer: instant })
  stored_at!: string;

  /** Of a performance case. */
  @Column('jsonb', { nullable: true })
  measured!: Measured | null;

  @Column('timestamptz', { nullable: true, transformer: instant })
  pinned_at!: string | null;

  @Column('text', { nullable: true })
  pinned_by!: string | null;

  @Column('text', { nullable: true })
  pin_reason!: string | null;
}

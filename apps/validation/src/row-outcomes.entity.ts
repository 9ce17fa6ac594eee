import { Column, Entity, JoinColumn, ManyToOne, PrimaryColumn } from 'typeorm';
import { RunEntity } from './run.entity.js';

/** What the rows of a regression case came to in a run. Goes with the run. */
@Entity('row_outcomes')
export class RowOutcomesEntity {
  @PrimaryColumn('text')
  run_id!: string;

  @ManyToOne(() => RunEntity, { onDelete: 'CASCADE' })
  @JoinColumn({ name: 'run_id', foreignKeyConstraintName: 'row_outcomes_run' })
  run?: RunEntity;

  @PrimaryColumn('text')
  test_case_id!: string;

  @Column('text')
  data_set_id!: string;

  /** See row-outcomes.ts. */
  @Column('bytea')
  outcomes!: Buffer;
}

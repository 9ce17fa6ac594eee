import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The latest change of a rollout that was made here. */
@Entity('applied_rollouts')
export class AppliedRolloutEntity {
  @PrimaryColumn('text')
  rollout_id!: string;

  @Column('integer')
  sequence!: number;
}

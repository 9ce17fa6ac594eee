import { Column, Entity, PrimaryColumn } from 'typeorm';
import { type ModelType } from '#contracts/registry.js';
import { type BanditArm, type BanditPool, type ForcedState } from '#contracts/selection.js';
import { type Breaker } from '#evaluation/selection/breaker.js';
import { type Evidence } from '#evaluation/selection/posterior.js';
import { instant } from '#runtime/columns.js';
import { type Counters, type ModelState } from './model-state.js';

/** One row: the latest tick, by whichever replica. */
@Entity('selection_tick')
export class SelectionTickEntity {
  @PrimaryColumn('integer')
  tick_id!: number;

  @Column('integer')
  tick!: number;

  @Column('timestamptz', { transformer: instant })
  ticked_at!: string;
}

/** What is known of a model that has been counted, or whose breaker was forced. */
@Entity('model_states')
export class ModelStateEntity implements ModelState {
  @PrimaryColumn('text')
  model_id!: string;

  @Column('jsonb', { nullable: true })
  counters!: Counters | null;

  @Column('jsonb')
  breaker!: Breaker;

  @Column('jsonb')
  evidence!: Evidence;

  @Column('text', { nullable: true })
  forced!: ForcedState | null;

  @Column('text', { nullable: true })
  forced_by!: string | null;

  @Column('text', { nullable: true })
  forced_reason!: string | null;

  @Column('double precision')
  expected_success!: number;

  @Column('integer')
  revision!: number;
}

@Entity('bandit_pools')
export class BanditPoolEntity implements BanditPool {
  @PrimaryColumn('text')
  pool_id!: string;

  @Column('text', { nullable: true })
  name!: string | null;

  @Column('text', { nullable: true })
  sport!: string | null;

  @Column('text', { nullable: true })
  model_type!: ModelType | null;

  @Column('jsonb')
  arms!: BanditArm[];

  @Column('timestamptz', { transformer: instant })
  settled_at!: string;

  /** When a gateway last served it. */
  @Column('timestamptz', { transformer: instant })
  used_at!: string;

  @Column('integer')
  revision!: number;
}

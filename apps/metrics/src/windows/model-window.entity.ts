import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { count, instant } from '#runtime/columns.js';
import { type Period } from './tally.js';

/** Not one arm but all of the model's inferences. */
export const wholeModel = { flag_key: '', variant: '' };

/** Everything counted of one model in one window; additive, so that any number of replicas may add to it. Lifetime begins at the epoch. */
@Entity('model_window')
@Index('model_window_age', ['period', 'window_start'], { where: `"period" IN ('lifetime', 'minute', 'hour', 'day')` })
@Index('model_window_unfolded', ['model_id', 'flag_key', 'variant', 'window_start'], { where: 'NOT "folded"' })
@Index('model_window_arms', ['flag_key'], { where: `"flag_key" <> '' AND NOT "folded"` })
export class ModelWindowEntity {
  @PrimaryColumn('text')
  model_id!: string;

  /** The arm of a flag that sent the inferences here; both empty: all of the model's, whatever sent them. */
  @PrimaryColumn('text', { default: '' })
  flag_key!: string;

  @PrimaryColumn('text', { default: '' })
  variant!: string;

  @PrimaryColumn('text')
  period!: Period;

  @PrimaryColumn('timestamptz', { transformer: instant })
  window_start!: string;

  @Column('bigint', { transformer: count, default: 0 })
  total!: number;

  @Column('bigint', { transformer: count, default: 0 })
  successful!: number;

  @Column('double precision', { default: 0 })
  sum_ms!: number;

  @Column('double precision', { nullable: true })
  min_ms!: number | null;

  @Column('double precision', { nullable: true })
  max_ms!: number | null;

  @Column('bytea', { nullable: true })
  sketch!: Buffer | null;

  @Column('jsonb', { default: {} })
  error_types!: Record<string, number>;

  @Column('timestamptz', { nullable: true, transformer: instant })
  last_occurred_at!: string | null;

  /**
   * Whether the row of the lifetime holds its inferences too: of minutes once they are folded (see fold.store.ts), always of hours and days.
   * So the rows that are not folded are together what was ever counted, each inference once.
   */
  @Column('boolean', { default: false })
  folded!: boolean;
}

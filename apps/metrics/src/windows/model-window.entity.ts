import { Column, Entity, PrimaryColumn, type ValueTransformer } from 'typeorm';
import { instant } from '#runtime/columns.js';

// Counts stay far below 2^53.
const count: ValueTransformer = { from: Number, to: (value: unknown) => value };

export type Period = 'lifetime' | 'minute';

/** Not one arm but all of the model's inferences. */
export const wholeModel = { flag_key: '', variant: '' };

/** Everything counted of one model in one window; additive, so that any number of replicas may add to it. Lifetime begins at the epoch. */
@Entity('model_window')
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
}

/** Which messages of which producer have been counted. */
@Entity('ingest_ledger')
export class IngestLedgerEntity {
  @PrimaryColumn('text')
  source!: string;

  @Column('int8multirange', { default: '{}' })
  applied!: string;

  @Column('timestamptz', { transformer: instant, default: () => 'now()' })
  seen_at!: string;
}

/** An event that could not be counted, once, with the reason. `event` is its place in the message; -1: the whole message. */
@Entity('dead_letter')
export class DeadLetterEntity {
  @PrimaryColumn('text')
  source!: string;

  @PrimaryColumn('bigint', { transformer: count })
  sequence!: number;

  @PrimaryColumn('integer')
  event!: number;

  @Column('text')
  reason!: string;

  /** The first 4 kB of the message. */
  @Column('bytea')
  body!: Buffer;

  @Column('timestamptz', { transformer: instant, default: () => 'now()' })
  at!: string;
}

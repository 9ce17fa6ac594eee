import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { type JsonValue } from '#contracts/fields.js';
import { type Flag, type FlagState } from '#contracts/flags.js';
import { instant } from '#runtime/columns.js';

@Entity('flags')
@Index('flags_of_model', ['model_id'])
export class FlagEntity implements Flag {
  @PrimaryColumn('text')
  flag_key!: string;

  @Column('text')
  description!: string;

  @Column('text')
  state!: FlagState;

  @Column('jsonb')
  variants!: Record<string, JsonValue>;

  @Column('text')
  default_variant!: string;

  @Column('text', { nullable: true })
  rollout_variant!: string | null;

  @Column('double precision')
  rollout_percentage!: number;

  @Column('text', { nullable: true })
  model_id!: string | null;

  @Column('timestamptz', { transformer: instant })
  created_at!: string;

  @Column('timestamptz', { transformer: instant })
  updated_at!: string;

  @Column('text')
  created_by!: string;

  @Column('integer')
  revision!: number;
}

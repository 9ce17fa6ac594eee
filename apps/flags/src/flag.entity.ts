import { Column, Entity, PrimaryColumn } from 'typeorm';
import { type JsonValue } from '#contracts/fields.js';
import { type Flag, type FlagState } from '#contracts/flags.js';
import { type Split } from '#contracts/split.js';
import { instant } from '#runtime/columns.js';

@Entity('flags')
export class FlagEntity implements Flag {
  @PrimaryColumn('text')
  flag_key!: string;

  @Column('text')
  description!: string;

  @Column('text')
  state!: FlagState;

  @Column('jsonb')
  variants!: Record<string, JsonValue>;

  @Column('text', { nullable: true })
  default_variant!: string | null;

  @Column('jsonb', { nullable: true })
  targeting!: JsonValue;

  @Column('jsonb', { nullable: true })
  split!: Split | null;

  @Column('jsonb')
  metadata!: Record<string, string | number | boolean>;

  @Column('jsonb')
  variant_models!: Record<string, string>;

  @Column('text', { nullable: true })
  owner!: string | null;

  @Column('timestamptz', { nullable: true, transformer: instant })
  expires_at!: string | null;

  @Column('text', { array: true })
  tags!: string[];

  @Column('text', { nullable: true })
  rollout_id!: string | null;

  @Column('timestamptz', { transformer: instant })
  created_at!: string;

  @Column('timestamptz', { transformer: instant })
  updated_at!: string;

  @Column('text')
  created_by!: string;

  @Column('integer')
  revision!: number;
}

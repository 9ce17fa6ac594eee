import { Column, Entity, PrimaryColumn } from 'typeorm';
import { type CaseShares, type EffectBands, type ValidationPolicy } from '#contracts/policy.js';
import { instant } from '#runtime/columns.js';

/** Every policy there was: runs refer to the one that they were judged by. The last one is in force. */
@Entity('policies')
export class PolicyEntity implements ValidationPolicy {
  @PrimaryColumn('integer')
  revision!: number;

  @Column('double precision')
  alpha!: number;

  @Column('double precision')
  power!: number;

  @Column('integer')
  minimum_n!: number;

  @Column('jsonb')
  bands!: EffectBands;

  @Column('jsonb')
  cases!: CaseShares;

  @Column('timestamptz', { transformer: instant })
  updated_at!: string;

  @Column('text')
  updated_by!: string;
}

import { Column, Entity, PrimaryColumn } from 'typeorm';
import { type PromotionPolicy, type PromotionRequirement } from '#contracts/promotion.js';
import { instant } from '#runtime/columns.js';

/** One row, there from the migration on. */
@Entity('promotion_policy')
export class PromotionPolicyEntity implements PromotionPolicy {
  @PrimaryColumn('text')
  policy!: 'promotion';

  @Column('integer')
  max_run_age_hours!: number;

  @Column('jsonb')
  canary!: PromotionRequirement[];

  @Column('jsonb')
  stable!: PromotionRequirement[];

  @Column('timestamptz', { transformer: instant })
  updated_at!: string;

  @Column('text')
  updated_by!: string;

  @Column('integer')
  revision!: number;
}

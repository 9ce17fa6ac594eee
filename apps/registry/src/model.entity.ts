import { Column, Entity, Index, PrimaryColumn, Unique } from 'typeorm';
import { type Model, type ModelStatus, type ModelType, type Objectives } from '#contracts/registry.js';
import { type Serving } from '#contracts/serving.js';
import { instant } from '#runtime/columns.js';

@Entity('models')
@Unique('models_name_version', ['name', 'version'])
@Index('models_one_stable_version', ['name'], { unique: true, where: `"status" = 'stable'` })
@Index('models_newest', ['created_at', 'model_id'])
@Index('models_due', ['retired_at'], { where: '"retired_at" IS NOT NULL' })
export class ModelEntity implements Model {
  @PrimaryColumn('text')
  model_id!: string;

  @Column('text')
  name!: string;

  @Column('text')
  version!: string;

  @Column('text')
  model_type!: ModelType;

  @Column('text')
  status!: ModelStatus;

  @Column('text')
  description!: string;

  @Column('text', { nullable: true })
  sport!: string | null;

  @Column('timestamptz', { transformer: instant })
  created_at!: string;

  @Column('timestamptz', { transformer: instant })
  updated_at!: string;

  @Column('text')
  created_by!: string;

  @Column('text')
  deployment_target!: string;

  @Column('text', { nullable: true })
  feature_flag_id!: string | null;

  @Column('double precision')
  rollout_percentage!: number;

  @Column('integer')
  retention_days!: number;

  @Column('jsonb', { nullable: true })
  serving!: Serving | null;

  @Column('jsonb', { nullable: true })
  objectives!: Objectives | null;

  @Column('timestamptz', { nullable: true, transformer: instant })
  retired_at!: string | null;

  @Column('text', { nullable: true })
  rollout_id!: string | null;

  @Column('integer')
  revision!: number;
}

import { Column, Entity, PrimaryColumn } from 'typeorm';
import { type HealthStatus } from '#contracts/metrics.js';
import { instant } from '#runtime/columns.js';
import { type HeldHealth } from './hysteresis.js';

/** What a model's health was held to be at its last evaluation. A model without inferences has none. */
@Entity('model_health')
export class ModelHealthEntity implements HeldHealth {
  @PrimaryColumn('text')
  model_id!: string;

  @Column('text')
  health_status!: HealthStatus;

  @Column('timestamptz', { transformer: instant })
  since!: string;

  @Column('text', { nullable: true })
  pending_status!: HealthStatus | null;

  @Column('integer')
  streak!: number;

  /** Of the last evaluation that found `health_status`. */
  @Column('jsonb')
  reasons!: string[];

  @Column('timestamptz', { transformer: instant })
  evaluated_at!: string;
}

/** One row: when all models and alert rules were last evaluated, by whichever replica. */
@Entity('evaluation')
export class EvaluationEntity {
  @PrimaryColumn('integer')
  evaluation_id!: number;

  @Column('timestamptz', { transformer: instant })
  evaluated_at!: string;
}

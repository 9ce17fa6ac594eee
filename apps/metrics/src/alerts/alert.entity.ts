import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import {
  type Alert,
  type AlertMetric,
  type AlertRule,
  type AlertScope,
  type AlertSeverity,
  type AlertState,
  type Comparison,
  type Silence,
  type SilenceMatchers,
} from '#contracts/alerts.js';
import { instant } from '#runtime/columns.js';
import { type Progress } from './alert-state.js';

@Entity('alert_rules')
export class AlertRuleEntity implements AlertRule {
  @PrimaryColumn('uuid')
  rule_id!: string;

  @Column('text')
  name!: string;

  @Column('jsonb')
  applies_to!: AlertScope;

  @Column('text')
  metric!: AlertMetric;

  @Column('jsonb')
  comparison!: Comparison;

  @Column('integer')
  window_minutes!: number;

  @Column('integer')
  for_minutes!: number;

  @Column('integer')
  recovery_minutes!: number;

  @Column('integer')
  minimum_inferences!: number;

  @Column('text')
  severity!: AlertSeverity;

  @Column('boolean')
  enabled!: boolean;

  @Column('timestamptz', { transformer: instant })
  created_at!: string;

  @Column('timestamptz', { transformer: instant })
  updated_at!: string;

  @Column('text')
  created_by!: string;

  @Column('integer')
  revision!: number;
}

/** What it says of rule and model is as it was when the breach began: both may change or go. */
@Entity('alerts')
@Index('alerts_one_open', ['rule_id', 'model_id'], { unique: true, where: `"state" <> 'resolved'` })
@Index('alerts_of_model', ['model_id'])
export class AlertEntity implements Alert, Progress {
  /** UUID version 7: sorts by when the breach began. */
  @PrimaryColumn('uuid')
  alert_id!: string;

  @Column('uuid')
  rule_id!: string;

  @Column('text')
  rule_name!: string;

  @Column('text')
  model_id!: string;

  @Column('text')
  model_name!: string;

  @Column('text')
  model_version!: string;

  @Column('text')
  metric!: AlertMetric;

  @Column('text')
  severity!: AlertSeverity;

  @Column('text')
  state!: AlertState;

  @Column('text')
  reason!: string;

  @Column('double precision', { nullable: true })
  value!: number | null;

  @Column('double precision', { nullable: true })
  threshold!: number | null;

  @Column('timestamptz', { transformer: instant })
  started_at!: string;

  @Column('timestamptz', { nullable: true, transformer: instant })
  fired_at!: string | null;

  @Column('timestamptz', { nullable: true, transformer: instant })
  recovering_since!: string | null;

  @Column('timestamptz', { nullable: true, transformer: instant })
  resolved_at!: string | null;

  @Column('timestamptz', { transformer: instant })
  last_value_at!: string;

  @Column('timestamptz', { nullable: true, transformer: instant })
  acknowledged_at!: string | null;

  @Column('text', { nullable: true })
  acknowledged_by!: string | null;

  @Column('text', { nullable: true })
  acknowledge_reason!: string | null;

  @Column('boolean')
  silenced!: boolean;

  /** Whether it was told that this fires; false while a silence holds it back. */
  @Column('boolean')
  told!: boolean;
}

@Entity('silences')
export class SilenceEntity implements Silence {
  @PrimaryColumn('uuid')
  silence_id!: string;

  @Column('jsonb')
  matchers!: SilenceMatchers;

  @Column('timestamptz', { transformer: instant })
  until!: string;

  @Column('text')
  reason!: string;

  @Column('timestamptz', { transformer: instant })
  created_at!: string;

  @Column('text')
  created_by!: string;
}

import { Column, Entity, Index, PrimaryColumn, PrimaryGeneratedColumn } from 'typeorm';
import { type AlertSeverity } from '#contracts/alerts.js';
import { type RolloutEvent } from '#contracts/rollout-event.js';
import { type DeliveryState, type WebhookFormat } from '#contracts/webhooks.js';
import { instant } from '#runtime/columns.js';
import { type Notice } from './notification.js';

@Entity('webhooks')
export class WebhookEntity {
  @PrimaryColumn('uuid')
  webhook_id!: string;

  @Column('text')
  name!: string;

  @Column('text')
  url!: string;

  @Column('text')
  format!: WebhookFormat;

  /** As it is: bodies are signed with it, so that a hash would not do. It never leaves this schema: no answer, audit or log has it. */
  @Column('text', { nullable: true })
  secret!: string | null;

  @Column('jsonb', { nullable: true })
  severities!: AlertSeverity[] | null;

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

/** Something to be told, written in the transaction of what it tells. `webhook_id` null: the event on JetStream. */
@Entity('deliveries')
@Index('deliveries_due', ['next_attempt_at'], { where: `"state" = 'waiting'` })
@Index('deliveries_of_webhook', ['webhook_id', 'position'])
@Index('deliveries_of_event', ['event_id', 'webhook_id'], { unique: true, where: '"event_id" IS NOT NULL' })
export class DeliveryEntity {
  /** In the order in which things happened. */
  @PrimaryGeneratedColumn('identity', { type: 'bigint', generatedIdentity: 'ALWAYS' })
  position!: string;

  @Column('uuid')
  @Index('deliveries_id', { unique: true })
  delivery_id!: string;

  @Column('uuid', { nullable: true })
  webhook_id!: string | null;

  /** null: an event of a rollout. */
  @Column('uuid', { nullable: true })
  rule_id!: string | null;

  @Column('jsonb')
  notices!: Notice[];

  @Column('text', { nullable: true })
  rollout_id!: string | null;

  @Column('text', { nullable: true })
  event_id!: string | null;

  @Column('jsonb', { nullable: true })
  rollout!: RolloutEvent | null;

  @Column('text')
  state!: DeliveryState;

  @Column('integer', { default: 0 })
  attempts!: number;

  @Column('timestamptz', { transformer: instant })
  next_attempt_at!: string;

  /** Whose turn it is, and until when: an attempt of a lease that has run out is not believed. */
  @Column('uuid', { nullable: true })
  lease_id!: string | null;

  @Column('timestamptz', { nullable: true, transformer: instant })
  lease_until!: string | null;

  @Column('timestamptz', { nullable: true, transformer: instant })
  delivered_at!: string | null;

  @Column('text', { nullable: true })
  last_error!: string | null;

  /** W3C Trace Context: what it was a part of. */
  @Column('text', { nullable: true })
  traceparent!: string | null;

  @Column('timestamptz', { transformer: instant })
  created_at!: string;
}

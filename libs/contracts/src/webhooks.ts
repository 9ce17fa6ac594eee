import { alertSeverities, type AlertSeverity, Uuid } from './alerts.js';
import { Bool, Instant, OneOf, Text, Texts, Whole } from './fields.js';
import { pageOf, PageRequest } from './page.js';
import { IfMatch } from './registry.js';
import { type RolloutEventName, rolloutEvents } from './rollout-event.js';
import { Removed, request } from './request.js';

export const webhookFormats = ['alertmanager', 'slack', 'json'] as const;
export type WebhookFormat = (typeof webhookFormats)[number];

const Url = (optional: boolean): PropertyDecorator =>
  Text({
    max: 2000,
    optional,
    pattern: /^https?:\/\/[^\s@/?#]+([/?#]\S*)?$/,
    accepted: 'an http:// or https:// address of at most 2000 characters, without user and password',
    example: 'https://hooks.example.com/emr',
  });

const Secret = (): PropertyDecorator =>
  Text({
    min: 16,
    max: 200,
    optional: true,
    nullable: true,
    description: 'Signs every body: `Emr-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">`. Never answered.',
  });

const Severities = (): PropertyDecorator =>
  Texts({
    max: 20,
    min_items: 1,
    max_items: 3,
    pattern: new RegExp(`^(${alertSeverities.join('|')})$`),
    accepted: `one of ${alertSeverities.join(', ')}`,
    optional: true,
    nullable: true,
    description: 'Only alerts and events of rollouts of these severities; null: of all.',
  });

const formatDescription =
  '`alertmanager`: what Alertmanager sends its receivers. `slack`: what incoming webhooks of Slack take. `json`: alerts and events of rollouts as ' +
  'they are here.';

export class WebhookRef {
  @Uuid()
  webhook_id!: string;
}

export class NewWebhook {
  @Text({ max: 200 })
  name!: string;

  @Url(false)
  url!: string;

  @OneOf(webhookFormats, { description: formatDescription })
  format!: WebhookFormat;

  @Secret()
  secret?: string | null;

  @Severities()
  severities?: AlertSeverity[] | null;

  @Bool({ optional: true, description: 'Default true.' })
  enabled?: boolean;
}

export class WebhookChange extends WebhookRef {
  @Text({ max: 200, optional: true })
  name?: string;

  @Url(true)
  url?: string;

  @OneOf(webhookFormats, { optional: true, description: formatDescription })
  format?: WebhookFormat;

  @Secret()
  secret?: string | null;

  @Severities()
  severities?: AlertSeverity[] | null;

  @Bool({ optional: true })
  enabled?: boolean;

  @IfMatch()
  if_match?: number[];
}

export class Webhook extends WebhookRef {
  @Text({ max: 200 })
  name!: string;

  @Text({ max: 2000 })
  url!: string;

  @OneOf(webhookFormats)
  format!: WebhookFormat;

  @Bool({ description: 'Whether bodies are signed.' })
  has_secret!: boolean;

  @Texts({ max: 20, max_items: 3, nullable: true })
  severities!: AlertSeverity[] | null;

  @Bool()
  enabled!: boolean;

  @Instant()
  created_at!: string;

  @Instant()
  updated_at!: string;

  @Text({ max: 100 })
  created_by!: string;

  @Whole({ min: 1 })
  revision!: number;
}

export class WebhookFilter extends PageRequest {}

export class WebhookPage extends pageOf(Webhook) {}

export class WebhookRemoval extends WebhookRef {
  @IfMatch()
  if_match?: number[];
}

export const deliveryStates = ['waiting', 'delivered', 'failed'] as const;
export type DeliveryState = (typeof deliveryStates)[number];

/** One message to one webhook: what changed of one rule's alerts at one evaluation, or an event of a rollout. */
export class Delivery {
  @Uuid({ description: 'Sent as `Emr-Delivery`, the same for every attempt.' })
  delivery_id!: string;

  @Uuid()
  webhook_id!: string;

  @Uuid({ nullable: true, description: 'null: an event of a rollout.' })
  rule_id!: string | null;

  @Texts({ max: 36, max_items: 100_000 })
  alert_ids!: string[];

  @Text({ max: 20, nullable: true, description: 'null: alerts.' })
  rollout_id!: string | null;

  @OneOf(rolloutEvents, { nullable: true, description: 'Of the rollout.' })
  rollout_event!: RolloutEventName | null;

  @OneOf(deliveryStates, { description: '`waiting`: not sent yet, or to be tried again at `next_attempt_at`.' })
  state!: DeliveryState;

  @Whole()
  attempts!: number;

  @Instant({ nullable: true })
  next_attempt_at!: string | null;

  @Instant({ nullable: true })
  delivered_at!: string | null;

  @Text({ min: 0, max: 500, nullable: true, description: 'Why the latest attempt did not succeed.' })
  last_error!: string | null;

  @Instant()
  created_at!: string;
}

export class DeliveryFilter extends PageRequest {
  @Uuid()
  webhook_id!: string;
}

export class DeliveryRef extends WebhookRef {
  @Uuid()
  delivery_id!: string;
}

export class DeliveryPage extends pageOf(Delivery) {}

export const listWebhooks = request('metrics.list_webhooks', { input: WebhookFilter, output: WebhookPage });
export const getWebhook = request('metrics.get_webhook', { input: WebhookRef, output: Webhook });
export const createWebhook = request('metrics.create_webhook', { input: NewWebhook, output: Webhook });
export const changeWebhook = request('metrics.change_webhook', { input: WebhookChange, output: Webhook });
export const removeWebhook = request('metrics.remove_webhook', { input: WebhookRemoval, output: Removed });
export const listDeliveries = request('metrics.list_deliveries', { input: DeliveryFilter, output: DeliveryPage });
export const redeliver = request('metrics.redeliver', { input: DeliveryRef, output: Delivery });

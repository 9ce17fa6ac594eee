import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { type RolloutEvent } from '#contracts/rollout-event.js';
import { v4 as uuidv4, v7 as uuidv7 } from 'uuid';
import { currentTrace } from '#runtime/tracing.js';
import { delayAfter } from './backoff.js';
import { canTell, type Notice } from './notification.js';
import { isWanted } from './rollout-notification.js';
import { DeliveryEntity, WebhookEntity } from './webhook.entity.js';

/** Longer than an attempt may take, so that a replica that lives is never overtaken. */
export const leaseMs = 30_000;
const batch = 20;

/** What happened to an attempt. `final`: trying again cannot help. */
export type Outcome = { delivered: true } | { delivered: false; error: string; final: boolean };

/**
 * What is to be told, and whose turn it is to tell it. Rows are written with what they tell and leased by one replica at a time; what a killed
 * replica had leased comes free after 30 s. The one thing that may be sent twice: what a replica sent and could not mark as sent, because it
 * or PostgreSQL died in between. It then bears the same delivery id again, by which a receiver knows it.
 */
@Injectable()
export class DeliveriesStore {
  constructor(private readonly database: DataSource) {}

  /** One delivery per rule and webhook that wants it, and one event per notice; part of the transaction that changes the alerts. */
  async enqueue(manager: EntityManager, notices: Notice[], at: string): Promise<void> {
    if (notices.length === 0) return;
    const webhooks = await manager.findBy(WebhookEntity, { enabled: true });
    const rows = [...new Set(notices.map(({ alert }) => alert.rule_id))].flatMap((rule_id) => {
      const ofRule = notices.filter(({ alert }) => alert.rule_id === rule_id);
      return [
        ...ofRule.map((notice) => newDelivery(null, rule_id, [notice], at)),
        ...webhooks.flatMap(({ webhook_id, severities, format }) => {
          const wanted = ofRule.filter(
            ({ alert, transition }) => canTell(format, transition) && (!severities || severities.includes(alert.severity)),
          );
          return wanted.length ? [newDelivery(webhook_id, rule_id, wanted, at)] : [];
        }),
      ];
    });
    for (let from = 0; from < rows.length; from += batch) await manager.insert(DeliveryEntity, rows.slice(from, from + batch));
  }

  /** One delivery to each webhook that wants it. The same event again makes no other. */
  async enqueueRollout(manager: EntityManager, event: RolloutEvent, at: string): Promise<void> {
    const webhooks = await manager.findBy(WebhookEntity, { enabled: true });
    const rows = webhooks
      .filter((webhook) => isWanted(event, webhook))
      .map(({ webhook_id }) => ({
        ...newDelivery(webhook_id, null, [], at),
        ...{ rollout_id: event.rollout_id, event_id: event.event_id, rollout: event },
      }));
    if (rows.length) await manager.createQueryBuilder().insert().into(DeliveryEntity).values(rows).orIgnore().execute();
  }

  /**
   * Leases what is due. Of one rule, or rollout, to one webhook only the oldest that waits, so that nobody hears of the end before the beginning. Two
   * replicas that look at once pass over each other's rows.
   */
  async lease(): Promise<DeliveryEntity[]> {
    return this.database.transaction(async (manager) => {
      const due = await manager
        .createQueryBuilder(DeliveryEntity, 'delivery')
        .where(`delivery.state = 'waiting' AND delivery.next_attempt_at <= now()`)
        .andWhere('(delivery.lease_until IS NULL OR delivery.lease_until < now())')
        .andWhere(
          `NOT EXISTS (SELECT 1 FROM metrics.deliveries earlier WHERE earlier.state = 'waiting' AND earlier.position < delivery.position
             AND earlier.rule_id IS NOT DISTINCT FROM delivery.rule_id AND earlier.rollout_id IS NOT DISTINCT FROM delivery.rollout_id
             AND earlier.webhook_id IS NOT DISTINCT FROM delivery.webhook_id)`,
        )
        .orderBy('delivery.next_attempt_at')
        .take(batch)
        .setLock('pessimistic_write')
        .setOnLocked('skip_locked')
        .getMany();
      const lease_id = uuidv4();
      for (const delivery of due) {
        Object.assign(delivery, { lease_id, attempts: delivery.attempts + 1 });
        await manager.query(
          `UPDATE metrics.deliveries SET lease_id = $2, lease_until = now() + make_interval(secs => $3), attempts = attempts + 1 WHERE position = $1`,
          [delivery.position, lease_id, leaseMs / 1000],
        );
      }
      return due;
    });
  }

  /** Only by who still has the lease: a replica that was frozen meanwhile says nothing any more. */
  async finish({ position, lease_id, attempts, webhook_id }: DeliveryEntity, outcome: Outcome): Promise<void> {
    const delay = outcome.delivered || outcome.final ? null : delayAfter(attempts, webhook_id ? 'webhook' : 'event', Math.random());
    const state = outcome.delivered ? 'delivered' : delay === null ? 'failed' : 'waiting';
    await this.database.query(
      `UPDATE metrics.deliveries SET state = $3, lease_id = NULL, lease_until = NULL, last_error = $4,
         delivered_at = CASE WHEN $3 = 'delivered' THEN now() END, next_attempt_at = now() + make_interval(secs => $5)
       WHERE position = $1 AND lease_id = $2`,
      [position, lease_id, state, outcome.delivered ? null : outcome.error.slice(0, 500), (delay ?? 0) / 1000],
    );
  }
}

const newDelivery = (
  webhook_id: string | null,
  rule_id: string | null,
  notices: Notice[],
  at: string,
): Omit<DeliveryEntity, 'position'> => ({
  delivery_id: uuidv7(),
  webhook_id,
  rule_id,
  notices,
  rollout_id: null,
  event_id: null,
  rollout: null,
  state: 'waiting',
  attempts: 0,
  next_attempt_at: at,
  lease_id: null,
  lease_until: null,
  delivered_at: null,
  last_error: null,
  traceparent: currentTrace(),
  created_at: at,
});

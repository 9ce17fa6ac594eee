import { Controller } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { AppError, assertRevision, raise } from '#contracts/errors.js';
import { type Page } from '#contracts/page.js';
import { type Removed } from '#contracts/request.js';
import {
  changeWebhook,
  createWebhook,
  type Delivery,
  type DeliveryFilter,
  type DeliveryRef,
  getWebhook,
  listDeliveries,
  listWebhooks,
  type NewWebhook,
  redeliver,
  removeWebhook,
  type Webhook,
  type WebhookChange,
  type WebhookFilter,
  type WebhookRef,
  type WebhookRemoval,
} from '#contracts/webhooks.js';
import { Answers } from '#runtime/answers.js';
import { AuditStore } from '#runtime/audit.store.js';
import { currentCaller } from '#runtime/caller.js';
import { badCursor, cursorParts, cursorText, fillPage, uuidCursor } from '#runtime/cursor.js';
import { insertRow } from '#runtime/rows.js';
import { DeliveryExecutor } from './delivery.executor.js';
import { assertRoom } from './limits.store.js';
import { DeliveryEntity, WebhookEntity } from './webhook.entity.js';

@Controller()
export class WebhooksHandlers {
  constructor(
    private readonly database: DataSource,
    private readonly audit: AuditStore,
    private readonly executor: DeliveryExecutor,
  ) {}

  /** The newest first. */
  @Answers(listWebhooks)
  async listWebhooks(filter: WebhookFilter): Promise<Page<Webhook>> {
    const query = this.database.getRepository(WebhookEntity).createQueryBuilder('webhook').orderBy('webhook.webhook_id', 'DESC');
    if (filter.cursor !== undefined) query.andWhere('webhook.webhook_id < :after', { after: uuidCursor(filter.cursor) });
    const page = await fillPage(
      filter,
      (rows) => query.take(rows).getMany(),
      ({ webhook_id }) => cursorText([webhook_id]),
    );
    return { ...page, items: page.items.map(webhookOf) };
  }

  @Answers(getWebhook)
  async getWebhook({ webhook_id }: WebhookRef): Promise<Webhook> {
    return webhookOf(await this.require(webhook_id));
  }

  @Answers(createWebhook)
  async createWebhook(input: NewWebhook): Promise<Webhook> {
    const now = new Date().toISOString();
    const webhook: WebhookEntity = {
      webhook_id: uuidv7(),
      name: input.name,
      url: input.url,
      format: input.format,
      secret: input.secret ?? null,
      severities: input.severities ?? null,
      enabled: input.enabled ?? true,
      created_at: now,
      updated_at: now,
      created_by: currentCaller().actor.name,
      revision: 1,
    };
    return this.database.transaction(async (manager) => {
      await assertRoom(manager, 'webhooks');
      await insertRow(manager, WebhookEntity, webhook);
      return this.audited(manager, 'webhook.created', null, webhook);
    });
  }

  @Answers(changeWebhook)
  async changeWebhook({ webhook_id, if_match, ...change }: WebhookChange): Promise<Webhook> {
    return this.database.transaction(async (manager) => {
      const before = await this.lock(manager, webhook_id, if_match);
      const after: WebhookEntity = { ...before, ...change, updated_at: new Date().toISOString(), revision: before.revision + 1 };
      await manager.save(WebhookEntity, after);
      return this.audited(manager, 'webhook.changed', before, after);
    });
  }

  @Answers(removeWebhook)
  async removeWebhook({ webhook_id, if_match }: WebhookRemoval): Promise<Removed> {
    await this.database.transaction(async (manager) => {
      const before = await this.lock(manager, webhook_id, if_match);
      await manager.delete(DeliveryEntity, { webhook_id });
      await manager.delete(WebhookEntity, { webhook_id });
      await this.audited(manager, 'webhook.removed', before, null);
    });
    return { removed: true };
  }

  /** The newest first. */
  @Answers(listDeliveries)
  async listDeliveries({ webhook_id, ...filter }: DeliveryFilter): Promise<Page<Delivery>> {
    await this.require(webhook_id);
    const query = this.database.getRepository(DeliveryEntity).createQueryBuilder('delivery').orderBy('delivery.position', 'DESC');
    query.where('delivery.webhook_id = :webhook_id', { webhook_id });
    if (filter.cursor !== undefined) query.andWhere('delivery.position < :after', { after: positionCursor(filter.cursor) });
    const page = await fillPage(
      filter,
      (rows) => query.take(rows).getMany(),
      ({ position }) => cursorText([position]),
    );
    return { ...page, items: page.items.map(deliveryOf) };
  }

  /** Sends it once more, from the first attempt on and under the same id; one that is being sent at this moment is left to that. */
  @Answers(redeliver)
  async redeliver({ webhook_id, delivery_id }: DeliveryRef): Promise<Delivery> {
    const delivery = await this.database.transaction(async (manager) => {
      const where = { webhook_id, delivery_id };
      const row = await manager.findOne(DeliveryEntity, { where, lock: { mode: 'pessimistic_write' } });
      const before = row ?? raise(new AppError('DELIVERY_NOT_FOUND', `Delivery ${delivery_id} not found`));
      const now = new Date().toISOString();
      if (before.lease_until !== null && before.lease_until > now) return before;
      const after: DeliveryEntity = { ...before, state: 'waiting', attempts: 0, next_attempt_at: now, lease_id: null, delivered_at: null };
      await manager.save(DeliveryEntity, after);
      const subject = { subject_type: 'webhook', subject_id: webhook_id };
      await this.audit.write(manager, { action: 'webhook.redelivered', ...subject, before: deliveryOf(before), after: deliveryOf(after) });
      return after;
    });
    this.executor.wake();
    return deliveryOf(delivery);
  }

  /** The audit has what is answered, so never the secret. */
  private async audited(
    manager: EntityManager,
    action: string,
    before: WebhookEntity | null,
    after: WebhookEntity | null,
  ): Promise<Webhook> {
    const webhook = webhookOf(after ?? before ?? raise(new Error('Nothing was changed')));
    await this.audit.write(manager, {
      action,
      subject_type: 'webhook',
      subject_id: webhook.webhook_id,
      before: before && webhookOf(before),
      after: after && webhookOf(after),
    });
    return webhook;
  }

  private async require(webhook_id: string): Promise<WebhookEntity> {
    return (await this.database.manager.findOneBy(WebhookEntity, { webhook_id })) ?? raise(webhookNotFound(webhook_id));
  }

  private async lock(manager: EntityManager, webhook_id: string, if_match: number[] | undefined): Promise<WebhookEntity> {
    const row = await manager.findOne(WebhookEntity, { where: { webhook_id }, lock: { mode: 'pessimistic_write' } });
    const webhook = row ?? raise(webhookNotFound(webhook_id));
    assertRevision(`Webhook ${webhook_id}`, webhook.revision, if_match);
    return webhook;
  }
}

const webhookNotFound = (webhook_id: string): AppError => new AppError('WEBHOOK_NOT_FOUND', `Webhook ${webhook_id} not found`);

function positionCursor(cursor: string): string {
  const [position] = cursorParts(cursor, 1);
  return position !== undefined && /^\d{1,18}$/.test(position) ? position : raise(badCursor(cursor));
}

const webhookOf = ({ secret, ...webhook }: WebhookEntity): Webhook => ({ ...webhook, has_secret: secret !== null });

function deliveryOf({ delivery_id, webhook_id, rule_id, notices, rollout, state, attempts, ...row }: DeliveryEntity): Delivery {
  return {
    delivery_id,
    webhook_id: webhook_id ?? '',
    rule_id,
    alert_ids: notices.map(({ alert }) => alert.alert_id),
    rollout_id: row.rollout_id,
    rollout_event: rollout?.event ?? null,
    state,
    attempts,
    next_attempt_at: state === 'waiting' ? row.next_attempt_at : null,
    delivered_at: row.delivered_at,
    last_error: row.last_error,
    created_at: row.created_at,
  };
}

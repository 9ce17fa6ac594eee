import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { factStream } from '#contracts/alerts.js';
import { type Egress, EgressError, type EgressErrorCode } from '#runtime/egress.js';
import { ensureFactStream } from '#runtime/fact.stream.js';
import { Logger } from '#runtime/logger.js';
import { Nats } from '#runtime/nats.js';
import { asPartOf } from '#runtime/tracing.js';
import { Turns } from '#runtime/turns.js';
import { MetricsConfig } from '../metrics.config.js';
import { DeliveriesStore, leaseMs, type Outcome } from './deliveries.store.js';
import { EGRESS } from './egress.provider.js';
import { bodyFor, signature } from './notification.js';
import { rolloutBodyFor } from './rollout-notification.js';
import { type DeliveryEntity, WebhookEntity } from './webhook.entity.js';

const timeoutMs = 10_000;
/** What is tried this late after it was leased may be another replica's by the time it arrives. */
const latestStartMs = leaseMs - timeoutMs - 5_000;

/** The address, or what answers there, is wrong: the same call will not do better later. */
const finalCodes = new Set<EgressErrorCode>(['INVALID_ADDRESS', 'ADDRESS_NOT_ALLOWED', 'REDIRECT_REFUSED', 'RESPONSE_TOO_LARGE']);

const failed = (error: string, final = false): Outcome => ({ delivered: false, error, final });

/** Sends what is due: to webhooks, and as events to JetStream. Every replica does; the lease gives each delivery to one of them. */
@Injectable()
export class DeliveryExecutor implements OnApplicationBootstrap, OnModuleDestroy {
  private streamIsThere = false;
  private readonly turns = new Turns(
    async () => (await this.sendDue()) > 0,
    (error) => this.logger.failure('Could not look for deliveries; trying again', error),
  );

  constructor(
    private readonly deliveries: DeliveriesStore,
    private readonly database: DataSource,
    private readonly nats: Nats,
    private readonly config: MetricsConfig,
    private readonly logger: Logger,
    @Inject(EGRESS) private readonly egress: Egress,
  ) {}

  onApplicationBootstrap(): void {
    this.turns.start();
  }

  /** What is being sent is waited for: called off, it might have arrived and would be sent again. */
  async onModuleDestroy(): Promise<void> {
    await this.turns.stop();
  }

  /** Looks now instead of at the next poll; called after the transaction that enqueued has been committed. */
  wake(): void {
    this.turns.wake();
  }

  private async sendDue(): Promise<number> {
    const leased = await this.deliveries.lease();
    const leasedAt = performance.now();
    await Promise.all(
      leased.map(async (delivery) => {
        if (performance.now() - leasedAt > latestStartMs) return;
        const { webhook_id, traceparent } = delivery;
        const outcome = await asPartOf(traceparent, () => (webhook_id ? this.post(delivery, webhook_id) : this.publish(delivery)));
        if (!outcome.delivered && outcome.final) {
          this.logger.warn(`A delivery failed for good: ${outcome.error}`, 'webhooks');
        }
        await this.deliveries.finish(delivery, outcome);
      }),
    );
    return leased.length;
  }

  private async post({ delivery_id, notices, rollout }: DeliveryEntity, webhook_id: string): Promise<Outcome> {
    const webhook = await this.database.manager.findOneBy(WebhookEntity, { webhook_id });
    if (!webhook?.enabled) return failed('the webhook was removed or disabled', true);
    const { apiUrl } = this.config;
    const body = rollout ? rolloutBodyFor(webhook, delivery_id, rollout, apiUrl) : bodyFor(webhook, delivery_id, notices, apiUrl);
    try {
      const { status } = await this.egress.call({
        url: webhook.url,
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'user-agent': 'enterprise-model-registry',
          'emr-delivery': delivery_id,
          ...(webhook.secret && { 'emr-signature': signature(webhook.secret, body, Math.floor(Date.now() / 1000)) }),
        },
        body,
        timeout_ms: timeoutMs,
      });
      return status >= 200 && status < 300 ? { delivered: true } : failed(`the receiver answered ${status}`);
    } catch (error) {
      if (!(error instanceof EgressError)) throw error;
      return failed(`${error.code}: ${error.message}`, finalCodes.has(error.code));
    }
  }

  private async publish({ delivery_id, notices }: DeliveryEntity): Promise<Outcome> {
    const [notice] = notices;
    if (!notice) return failed('nothing to tell', true);
    if (!this.nats.connected) return failed('NATS is not connected');
    try {
      if (!this.streamIsThere) await ensureFactStream(this.nats);
      this.streamIsThere = true;
      await this.nats.js.publish(factStream.ofAlert(notice.transition), JSON.stringify({ delivery_id, ...notice }), { msgID: delivery_id });
      return { delivered: true };
    } catch (error) {
      // The stream may be gone with NATS's store: looked for again next time.
      this.streamIsThere = false;
      return failed(`JetStream did not take it: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

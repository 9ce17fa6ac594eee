import { Text, Whole } from '#contracts/fields.js';
import { networkList } from '#runtime/address.js';
import { ServiceConfig } from '#runtime/config.js';

export class MetricsConfig extends ServiceConfig {
  /** How often health and alert rules are evaluated. */
  @Whole({ min: 1, max: 300, optional: true })
  HEALTH_TICK_SECONDS = 10;

  /** Networks and hosts that webhooks may be in although they are private: CIDRs or exact host names, separated by commas. */
  @Text({ min: 0, max: 2000, optional: true })
  WEBHOOK_ALLOWED_NETWORKS = '';

  get webhookNetworks(): string[] {
    return networkList(this.WEBHOOK_ALLOWED_NETWORKS);
  }
}

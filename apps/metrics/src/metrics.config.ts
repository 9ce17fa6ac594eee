import { Text, Whole } from '#contracts/fields.js';
import { isNetworkList, entriesOf, networksAccepted } from '#runtime/address.js';
import { ServiceConfig } from '#runtime/config.js';
import { type ErrorTypeRule } from './ingest/error-type.js';
import { errorTypeRulesAccepted, isErrorTypeRules, readErrorTypeRules } from './ingest/error-types.js';

export class MetricsConfig extends ServiceConfig {
  /** How often health and alert rules are evaluated. */
  @Whole({ min: 1, max: 300, optional: true })
  HEALTH_TICK_SECONDS = 10;

  /** How old minutes become, from their beginning, before they are added to their hours and lifetimes: events that come later cost more. */
  @Whole({ min: 1, max: 3_600, optional: true })
  FOLD_AFTER_SECONDS = 120;

  /** Networks and hosts that webhooks may be in although they are private: CIDRs or exact host names, separated by commas. */
  @Text({ min: 0, max: 2000, optional: true, rule: isNetworkList, accepted: networksAccepted })
  WEBHOOK_ALLOWED_NETWORKS = '';

  /** Where people reach the gateway, for the links in notifications. */
  @Text({
    max: 500,
    optional: true,
    pattern: /^https?:\/\/[^\s/]+$/,
    accepted: 'an http:// or https:// address without a path, such as https://models.example.com',
  })
  PUBLIC_URL = 'http://127.0.0.1:8080';

  /** Kinds of errors of one's own, tried before the built-in ones. */
  @Text({ min: 0, max: 50_000, optional: true, rule: isErrorTypeRules, accepted: errorTypeRulesAccepted })
  ERROR_TYPE_RULES = '';

  get apiUrl(): string {
    return `${this.PUBLIC_URL}/api/models/enterprise`;
  }

  get webhookNetworks(): string[] {
    return entriesOf(this.WEBHOOK_ALLOWED_NETWORKS);
  }

  get errorTypeRules(): ErrorTypeRule[] {
    return readErrorTypeRules(this.ERROR_TYPE_RULES);
  }
}

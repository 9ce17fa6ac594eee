import ipaddr from 'ipaddr.js';
import { Text, Whole } from '#contracts/fields.js';
import { networkList } from '#runtime/address.js';
import { ProcessConfig } from '#runtime/config.js';

const isProxyList = (text: string): boolean => networkList(text).every((entry) => ipaddr.isValid(entry) || ipaddr.isValidCIDR(entry));

export class GatewayConfig extends ProcessConfig {
  @Text({ max: 100, optional: true })
  HOST = '0.0.0.0';

  @Whole({ max: 65_535, optional: true })
  PORT = 8080;

  /** The same as the registry's. */
  @Text({ min: 32, max: 200, accepted: 'a secret of at least 32 characters, the same for registry and gateway' })
  KEY_PEPPER!: string;

  /** Requests of one key at all gateways; 0: no limit. */
  @Whole({ max: 1_000_000, optional: true })
  KEY_MAX_PER_SECOND = 0;

  /** Requests of one address at all gateways; 0: no limit. */
  @Whole({ max: 1_000_000, optional: true })
  ADDRESS_MAX_PER_SECOND = 0;

  /** Wrong keys that one address may show at all gateways before it must wait; 0: no limit. */
  @Whole({ max: 1_000_000, optional: true })
  ADDRESS_MAX_FAILURES_PER_MINUTE = 60;

  /** Proxies whose X-Forwarded-For is believed: CIDRs or addresses, separated by commas. */
  @Text({
    min: 0,
    max: 2000,
    optional: true,
    rule: isProxyList,
    accepted: 'CIDRs such as 10.0.0.0/8 and IP addresses, separated by commas',
  })
  TRUSTED_PROXIES = '';

  get trustedProxies(): string[] {
    return networkList(this.TRUSTED_PROXIES);
  }
}

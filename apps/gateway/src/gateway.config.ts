import ipaddr from 'ipaddr.js';
import { Text, Whole } from '#contracts/fields.js';
import { entriesOf } from '#runtime/address.js';
import { tokenRolesAccepted, tokenRolesOf } from './oidc/token-roles.js';
import { isOrigin, originsAccepted } from './ofrep/cors.js';
import { ConfigError, ProcessConfig } from '#runtime/config.js';

const isProxyList = (text: string): boolean => entriesOf(text).every((entry) => ipaddr.isValid(entry) || ipaddr.isValidCIDR(entry));

export const CorsOrigins = (): PropertyDecorator =>
  Text({ min: 0, max: 2000, optional: true, rule: (text) => entriesOf(text).every(isOrigin), accepted: originsAccepted });

const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];
const issuerUrlAccepted = 'an https address, or an http one of this machine, without user, query and fragment';

/** Whoever could change the keys on their way could sign tokens. */
function isIssuerUrl(text: string): boolean {
  if (text === '') return true;
  try {
    const { protocol, hostname, username, search, hash } = new URL(text);
    const safe = protocol === 'https:' || (protocol === 'http:' && ['127.0.0.1', '[::1]', 'localhost'].includes(hostname));
    return safe && username + search + hash === '';
  } catch {
    return false;
  }
}

/** Throws ConfigError where tokens are to be taken and it is not said for whom, or what for. */
export function assertTokensAreComplete({ OIDC_ISSUER, OIDC_AUDIENCE, OIDC_ROLES }: GatewayConfig): void {
  if (OIDC_ISSUER === '') return;
  if (OIDC_AUDIENCE === '') throw new ConfigError('OIDC_AUDIENCE: must be what the issuer’s tokens for this API have as aud');
  if (OIDC_ROLES === '') throw new ConfigError(`OIDC_ROLES: must be ${tokenRolesAccepted}`);
}

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

  /** Pages that may ask over OFREP in a browser, by their origins; `*`: all, empty: none. */
  @CorsOrigins()
  CORS_ORIGINS = '';

  /** Whose tokens (JWTs) are taken beside keys: what they have as `iss`. Empty: nobody's. */
  @Text({ min: 0, max: 500, optional: true, rule: isIssuerUrl, accepted: issuerUrlAccepted })
  OIDC_ISSUER = '';

  /** Where the issuer's keys are; empty: where its /.well-known/openid-configuration says. */
  @Text({ min: 0, max: 500, optional: true, rule: isIssuerUrl, accepted: issuerUrlAccepted })
  OIDC_JWKS_URL = '';

  /** What tokens must have as `aud`. */
  @Text({ min: 0, max: 200, optional: true })
  OIDC_AUDIENCE = '';

  /** By which algorithms tokens may be signed. None with a shared secret: whoever verifies could then sign. */
  @Text({
    max: 200,
    optional: true,
    rule: (text) => entriesOf(text).every((name) => algorithms.includes(name)),
    accepted: `some of ${algorithms.join(',')}`,
  })
  OIDC_ALGORITHMS = 'RS256,PS256,ES256,EdDSA';

  /** Which role the values of the claim stand for. */
  @Text({ min: 0, max: 2000, optional: true, rule: (text) => text === '' || tokenRolesOf(text) !== null, accepted: tokenRolesAccepted })
  OIDC_ROLES = '';

  @Text({ max: 200, optional: true })
  OIDC_ROLE_CLAIM = 'roles';

  /** How a caller is called in the audit. */
  @Text({ max: 200, optional: true })
  OIDC_NAME_CLAIM = 'sub';

  /** Claims that narrow, as `sports` and `names` do a key. */
  @Text({ max: 200, optional: true })
  OIDC_SPORTS_CLAIM = 'emr_sports';

  @Text({ max: 200, optional: true })
  OIDC_NAMES_CLAIM = 'emr_names';

  /**
   * Requests are refused (503) while, for half a second and more, reading what has come has taken longer than this; 0: never. See
   * docs/adr/0033-overload-and-drain.md.
   */
  @Whole({ max: 10_000, optional: true })
  OVERLOAD_AFTER_MS = 200;

  /** Requests under way at a time, but for those that are meant to wait; further ones are refused (503). 0: no limit. */
  @Whole({ max: 100_000, optional: true })
  MAX_UNDER_WAY = 512;

  /** Open connections, streams of OFREP among them; further ones are closed at once. */
  @Whole({ min: 10, max: 100_000, optional: true })
  MAX_CONNECTIONS = 10_000;

  /** For how long after SIGTERM requests are still served while /readyz says 503, so that whoever balances the load hears of it. */
  @Whole({ max: 20, optional: true })
  DRAIN_SECONDS = 5;

  get oidcAlgorithms(): string[] {
    return entriesOf(this.OIDC_ALGORITHMS);
  }

  get corsOrigins(): string[] {
    return entriesOf(this.CORS_ORIGINS);
  }

  get trustedProxies(): string[] {
    return entriesOf(this.TRUSTED_PROXIES);
  }
}

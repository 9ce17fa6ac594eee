import {
  type CryptoKey,
  createRemoteJWKSet,
  customFetch,
  errors,
  type FlattenedJWSInput,
  type JWSHeaderParameters,
  type RemoteJWKSet,
} from 'jose';
import { serviceUnavailable } from '#contracts/errors.js';
import { createEgress, type Egress } from '#runtime/egress.js';
import { type Logger } from '#runtime/logger.js';

/** Within the 2.5 s in which a client must hear that something is down. */
const timeoutMs = 2_000;
const reloadEveryMs = 5 * 60_000;
/** What was withdrawn from the issuer's keys is trusted no longer than that, even while the issuer cannot be asked. */
const trustedMs = 60 * 60_000;
const retryMs = 1_000;
const sayEveryMs = 60_000;
/** After the keys were had, before a token that names another one makes us ask for them anew. */
const cooldownMs = 3_000;
const maxBytes = 256 * 1024;

/** What a signature may fail for that no other try would mend. */
const refusals = [errors.JWKSNoMatchingKey, errors.JWKSMultipleMatchingKeys, errors.JOSENotSupported];

/**
 * The keys by which an issuer signs. They are asked for at the start, every five minutes, and when a token names one that is not known, at most every three
 * seconds. While the issuer is away the last ones go on for an hour.
 */
export class IssuerKeys {
  private keys: RemoteJWKSet | undefined;
  private opening: Promise<RemoteJWKSet> | undefined;
  private failed_ms = Number.NEGATIVE_INFINITY;
  private said_ms = Number.NEGATIVE_INFINITY;
  private readonly egress: Egress;
  private readonly timer = setInterval(() => void this.reload(), reloadEveryMs);

  /** `address`: of the keys; null: where the issuer says that they are. */
  constructor(
    private readonly issuer: string,
    private readonly address: string | null,
    private readonly logger: Logger,
  ) {
    const hosts = [issuer, address ?? issuer].map((url) => new URL(url).hostname.replace(/^\[|\]$/g, ''));
    this.egress = createEgress({ allowed_networks: hosts, max_response_bytes: maxBytes });
    void this.reload();
  }

  /** For jose. Throws one of its errors where the token is to blame, else SERVICE_UNAVAILABLE. */
  async find(header: JWSHeaderParameters, token: FlattenedJWSInput): Promise<CryptoKey> {
    // One try a second: whoever shows tokens must not make us ask more often.
    if (!this.keys?.fresh && performance.now() - this.failed_ms < retryMs) throw serviceUnavailable('issuer');
    try {
      return await (
        await this.known()
      )(header, token);
    } catch (error) {
      if (refusals.some((refusal) => error instanceof refusal)) throw error;
      this.away(error);
      throw serviceUnavailable('issuer');
    }
  }

  close(): void {
    clearInterval(this.timer);
  }

  private async reload(): Promise<void> {
    try {
      await (await this.known()).reload();
    } catch (error) {
      this.away(error);
    }
  }

  private away(error: unknown): void {
    this.failed_ms = performance.now();
    if (this.failed_ms - this.said_ms < sayEveryMs) return;
    this.said_ms = this.failed_ms;
    this.logger.warn(`The issuer's keys cannot be had: ${error instanceof Error ? error.message : String(error)}`, 'oidc');
  }

  private async known(): Promise<RemoteJWKSet> {
    if (this.keys) return this.keys;
    this.opening ??= this.open().finally(() => (this.opening = undefined));
    return (this.keys = await this.opening);
  }

  private async open(): Promise<RemoteJWKSet> {
    return createRemoteJWKSet(new URL(this.address ?? (await this.discovered())), {
      timeoutDuration: timeoutMs,
      cacheMaxAge: trustedMs,
      cooldownDuration: cooldownMs,
      [customFetch]: async (address) => new Response(await this.get(address)),
    });
  }

  /** Where the issuer says that its keys are. */
  private async discovered(): Promise<string> {
    const document = JSON.parse(await this.get(`${this.issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)) as Record<
      string,
      unknown
    >;
    if (document.issuer !== this.issuer) throw new Error('its configuration is that of another issuer');
    if (typeof document.jwks_uri !== 'string') throw new Error('its configuration has no jwks_uri');
    if (new URL(document.jwks_uri).protocol !== new URL(this.issuer).protocol)
      throw new Error('its keys are not served as safely as itself');
    return document.jwks_uri;
  }

  private async get(url: string): Promise<string> {
    const { status, body } = await this.egress.call({ method: 'GET', url, timeout_ms: timeoutMs, headers: { accept: 'application/json' } });
    if (status !== 200) throw new Error(`${url} answered ${status}`);
    return body.toString();
  }
}

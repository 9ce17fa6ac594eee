import { hash } from 'node:crypto';
import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { errors, jwtVerify } from 'jose';
import { type Actor } from '#contracts/access.js';
import { Logger } from '#runtime/logger.js';
import { GatewayConfig } from '../gateway.config.js';
import { IssuerKeys } from './issuer-keys.store.js';
import { actorOfClaims, type ClaimNames, UnusableToken } from './token-actor.js';
import { type TokenRoles, tokenRolesOf } from './token-roles.js';

const clockSkewSeconds = 30;
/** A token is verified anew after so long, so that one whose key the issuer has withdrawn ends. */
const knownMs = 5 * 60_000;
const maxKnown = 10_000;
const maxLength = 8_192;
const bearerToken = /^Bearer +(eyJ[\w-]*\.[\w-]+\.[\w-]+) *$/i;

interface Known {
  actor: Actor;
  /** Epoch milliseconds. */
  until_ms: number;
}

/** Whether a token is refused because its time has not come or is over: nobody made it up. */
export type Refusal = 'untimely' | 'wrong';

/**
 * Tokens (JWTs) of the issuer that the gateway is told of, which stand beside API keys: verified by its keys, then known by their SHA-256 until they end,
 * for five minutes at most, so that the requests after the first cost a hash as those of keys do.
 */
@Injectable()
export class Tokens implements OnModuleDestroy {
  private readonly keys: IssuerKeys | null;
  private readonly claims: ClaimNames;
  private readonly roles: TokenRoles;
  private readonly known = new Map<string, Known>();
  /** By the id that the audit and streams of changes know a caller by; until its latest token ends. */
  private readonly callers = new Map<string, Known>();

  constructor(
    private readonly config: GatewayConfig,
    private readonly logger: Logger,
  ) {
    const { OIDC_ISSUER, OIDC_JWKS_URL } = config;
    this.keys = OIDC_ISSUER === '' ? null : new IssuerKeys(OIDC_ISSUER, OIDC_JWKS_URL || null, logger);
    this.roles = tokenRolesOf(config.OIDC_ROLES) ?? new Map();
    const { OIDC_ROLE_CLAIM, OIDC_NAME_CLAIM, OIDC_SPORTS_CLAIM, OIDC_NAMES_CLAIM } = config;
    this.claims = { role: OIDC_ROLE_CLAIM, name: OIDC_NAME_CLAIM, sports: OIDC_SPORTS_CLAIM, names: OIDC_NAMES_CLAIM };
  }

  /** The token of an Authorization header; null where it has a key, or tokens are not taken. */
  tokenIn(authorization: string | undefined): string | null {
    if (!this.keys || authorization === undefined || authorization.length > maxLength) return null;
    return bearerToken.exec(authorization)?.[1] ?? null;
  }

  /** Whose token it is, where that is known already. */
  recognise(token: string): Actor | undefined {
    const digest = hash('sha256', token);
    const known = this.known.get(digest);
    if (!known || known.until_ms > Date.now()) return known?.actor;
    this.known.delete(digest);
    return undefined;
  }

  /** Whose token it is, or why it is nobody's. Throws SERVICE_UNAVAILABLE where the issuer would have to be asked and is away. */
  async verify(token: string): Promise<Actor | Refusal> {
    const { OIDC_ISSUER: issuer, OIDC_AUDIENCE: audience } = this.config;
    try {
      const { payload } = await jwtVerify(token, (header, of) => this.keys!.find(header, of), {
        ...{ issuer, audience, algorithms: this.config.oidcAlgorithms, clockTolerance: clockSkewSeconds },
        requiredClaims: ['exp', 'sub'],
      });
      const actor = actorOfClaims(payload, this.claims, this.roles);
      const ends_ms = (payload.exp! + clockSkewSeconds) * 1_000;
      keep(this.known, hash('sha256', token), { actor, until_ms: Math.min(ends_ms, Date.now() + knownMs) });
      keep(this.callers, actor.key_id, { actor, until_ms: ends_ms });
      return actor;
    } catch (error) {
      if (!(error instanceof errors.JOSEError || error instanceof UnusableToken)) throw error;
      this.logger.info('token refused', { why: error.message });
      const untimely = error instanceof errors.JWTExpired || (error instanceof errors.JWTClaimValidationFailed && error.claim === 'nbf');
      return untimely ? 'untimely' : 'wrong';
    }
  }

  /** Who had a token that has not ended, at this gateway. */
  callerOf(key_id: string): Actor | null {
    const caller = this.callers.get(key_id);
    return caller && caller.until_ms > Date.now() ? caller.actor : null;
  }

  onModuleDestroy(): void {
    this.keys?.close();
  }
}

/** The latest 10,000: what is forgotten is verified anew. */
function keep(map: Map<string, Known>, name: string, known: Known): void {
  map.delete(name);
  const oldest = map.size >= maxKnown ? map.keys().next().value : undefined;
  if (oldest !== undefined) map.delete(oldest);
  map.set(name, known);
}

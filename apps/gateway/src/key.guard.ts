import { hash, timingSafeEqual } from 'node:crypto';
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { type FastifyReply, type FastifyRequest } from 'fastify';
import { type Actor, keyMac, type KeyRecord, keysView, roleSuffices } from '#contracts/access.js';
import { AppError, serviceUnavailable } from '#contracts/errors.js';
import { type Followed, Views } from '#runtime/views.js';
import { GatewayConfig } from './gateway.config.js';
import { isPublic } from './serves.decorator.js';
import { type Served } from './served.js';

declare module 'fastify' {
  interface FastifyRequest {
    actor?: Actor;
  }
}

interface Recognised {
  record: KeyRecord;
  actor: Actor;
}

const maxKeyLength = 200;
const bearer = /^Bearer +(\S+) *$/i;
const lookupLength = 16;
const maxRecognised = 10_000;

const unauthenticated = (): AppError => new AppError('UNAUTHENTICATED', 'A valid API key is needed: Authorization: Bearer <your-api-key>');

/**
 * Authenticates every request by its API key before its body is read, and holds the key's role against the route's. Keys come from the
 * registry's view, so that a gateway goes on serving while the registry is down and hears of a revocation within milliseconds.
 */
@Injectable()
export class KeyGuard implements CanActivate {
  private readonly byLookup = new Map<string, KeyRecord>();
  /** What keys that were found live before stand for, by their SHA-256: an HMAC is a tenth of what a request costs. */
  private readonly recognised = new Map<string, Recognised>();
  private readonly keys: Followed<KeyRecord>;

  constructor(
    private readonly config: GatewayConfig,
    views: Views,
  ) {
    this.keys = views.follow(keysView, { changed: (record) => this.learn(record) });
  }

  /** What the registry just answered: the gateway that made or revoked a key knows it at once. */
  learn(record: KeyRecord): void {
    this.byLookup.set(record.mac.slice(0, lookupLength), record);
    this.recognised.clear();
  }

  /** A key that was just revoked. */
  forget(key_id: string): void {
    for (const [lookup, record] of this.byLookup) if (record.key_id === key_id) this.byLookup.delete(lookup);
    this.recognised.clear();
  }

  /** For Fastify's root: runs for every path, also one without a route, unless the matched route is public. Throws UNAUTHENTICATED. */
  admit(request: FastifyRequest, reply: FastifyReply): void {
    const actor = this.authenticate(request.headers.authorization);
    if (actor) {
      request.actor = actor;
      return;
    }
    reply.header('www-authenticate', 'Bearer');
    throw unauthenticated();
  }

  /** What reaches Nest's own pipeline is public or nothing: `Serves` routes do not. */
  canActivate(context: ExecutionContext): boolean {
    return isPublic(context.getHandler());
  }

  /** Who asks. Throws UNAUTHENTICATED or ROLE_TOO_SMALL. */
  authorise({ role }: Served, { actor }: FastifyRequest): Actor {
    if (!actor) throw unauthenticated();
    if (roleSuffices(actor.role, role)) return actor;
    throw new AppError('ROLE_TOO_SMALL', `This needs a key with the role ${role}`, { role: actor.role, needed: role });
  }

  /** Null for whatever is not a live key; why is not told. */
  private authenticate(authorization: string | undefined): Actor | null {
    const key = authorization && authorization.length <= maxKeyLength + 20 ? bearer.exec(authorization)?.[1] : undefined;
    if (!this.keys.ready) throw serviceUnavailable('registry');
    if (!key || key.length > maxKeyLength) return null;
    const recognised = this.recognise(key);
    if (!recognised) return null;
    const { record, actor } = recognised;
    if (record.revoked_at || (record.expires_at && Date.parse(record.expires_at) <= Date.now())) return null;
    return actor;
  }

  /** Both maps are entered by a hash of the whole key, which a guesser cannot steer. */
  private recognise(key: string): Recognised | null {
    const digest = hash('sha256', key);
    const before = this.recognised.get(digest);
    if (before) return before;
    const mac = keyMac(this.config.KEY_PEPPER, key);
    const record = this.byLookup.get(mac.slice(0, lookupLength));
    if (!record || !timingSafeEqual(Buffer.from(record.mac), Buffer.from(mac))) return null;
    const { key_id, name, role, scope } = record;
    const recognised = { record, actor: { key_id, name, role, scope } };
    if (this.recognised.size >= maxRecognised) this.recognised.clear();
    this.recognised.set(digest, recognised);
    return recognised;
  }
}

import { hash, timingSafeEqual } from 'node:crypto';
import { type Socket } from 'node:net';
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { type FastifyReply, type FastifyRequest } from 'fastify';
import { type Actor, keyMac, type KeyRecord, keysView, pepperId, roleSuffices } from '#contracts/access.js';
import { AppError, serviceUnavailable } from '#contracts/errors.js';
import { formOf } from '#contracts/key-text.js';
import { type Followed } from '#runtime/followed.js';
import { Logger } from '#runtime/logger.js';
import { Readiness } from '#runtime/probes.js';
import { Views } from '#runtime/views.js';
import { GatewayConfig } from './gateway.config.js';
import { Limits } from './limits/limits.store.js';
import { Tokens } from './oidc/tokens.store.js';
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

/** The key that a connection has shown last. */
interface Shown {
  key: Buffer;
  recognised: Recognised;
}

const maxKeyLength = 200;
const bearer = /^Bearer +(\S+) *$/i;
const lookupLength = 16;
const maxRecognised = 10_000;
const foreignPepper = 'KEY_PEPPER is another one than the registry has: no key can be known here';

const bearerKey = (authorization: string | undefined): string | undefined =>
  authorization && authorization.length <= maxKeyLength + 20 ? bearer.exec(authorization)?.[1] : undefined;

const isLive = ({ revoked_at, expires_at }: KeyRecord): boolean => !revoked_at && !(expires_at && Date.parse(expires_at) <= Date.now());

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
  private shown = new WeakMap<Socket, Shown>();
  private readonly keys: Followed<KeyRecord>;
  private readonly pepper_id: string;
  /** The keys are hashed with another pepper than this gateway's: it cannot know any of them. */
  private foreign = false;

  constructor(
    private readonly config: GatewayConfig,
    views: Views,
    readiness: Readiness,
    private readonly limits: Limits,
    private readonly tokens: Tokens,
    private readonly logger: Logger,
  ) {
    this.pepper_id = pepperId(config.KEY_PEPPER);
    readiness.add('key_pepper', () => {
      if (this.foreign) throw new Error(foreignPepper);
    });
    this.keys = views.follow(keysView, { changed: (record) => this.learn(record) });
  }

  /** What the registry just answered: the gateway that made or revoked a key knows it at once. */
  learn(record: KeyRecord): void {
    const foreign = record.pepper_id !== this.pepper_id;
    if (foreign && !this.foreign) this.logger.error(foreignPepper, 'keys');
    this.foreign = foreign;
    this.byLookup.set(record.mac.slice(0, lookupLength), record);
    this.recogniseAnew();
  }

  /** A key that was just revoked. */
  forget(key_id: string): void {
    for (const [lookup, record] of this.byLookup) if (record.key_id === key_id) this.byLookup.delete(lookup);
    this.recogniseAnew();
  }

  /** For Fastify's root: runs for every path, also one without a route, unless the matched route is public. Throws UNAUTHENTICATED, TOO_MANY_REQUESTS. */
  admit(request: FastifyRequest, reply: FastifyReply, key = bearerKey(request.headers.authorization)): void {
    const actor = this.authenticate(key, request);
    if (actor) {
      request.actor = actor;
      return;
    }
    throw this.refusal(reply);
  }

  refusal(reply: FastifyReply): AppError {
    reply.header('www-authenticate', 'Bearer');
    return unauthenticated();
  }

  /** What reaches Nest's own pipeline is public or nothing: `Serves` routes do not. */
  canActivate(context: ExecutionContext): boolean {
    return isPublic(context.getHandler());
  }

  /** Who asks. Throws UNAUTHENTICATED or ROLE_TOO_SMALL. */
  authorise({ role }: Pick<Served, 'role'>, { actor }: FastifyRequest): Actor {
    if (!actor) throw unauthenticated();
    if (roleSuffices(actor.role, role)) return actor;
    throw new AppError('ROLE_TOO_SMALL', `This needs a key with the role ${role}`, { role: actor.role, needed: role });
  }

  /** For a browser's EventSource, which can send no header: whoever has it may listen for changes as this key while it lives, and nothing else. */
  streamToken(key_id: string): string {
    // No key has a space: this is the hash of none.
    return `${key_id}.${keyMac(this.config.KEY_PEPPER, `stream ${key_id}`)}`;
  }

  /** Null for what is no token, or of a key that is no longer live. */
  actorOfStream(token: string): Actor | null {
    const [key_id = ''] = token.split('.');
    const [given, expected] = [Buffer.from(token), Buffer.from(this.streamToken(key_id))];
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null;
    const record = this.keys.get(key_id);
    if (!record) return this.tokens.callerOf(key_id);
    if (!isLive(record)) return null;
    const { name, role, scope } = record;
    return { key_id, name, role, scope };
  }

  /** Called whenever a key is made, changed or revoked anywhere. */
  onChange(listener: (key_id: string) => void): void {
    const changed = ({ key_id }: KeyRecord): void => listener(key_id);
    this.keys.onChange({ put: changed, removed: changed });
  }

  isLive(key_id: string): boolean {
    const record = this.keys.get(key_id);
    return record ? isLive(record) : this.tokens.callerOf(key_id) !== null;
  }

  /** Null for whatever is not a live key; why is not told. */
  private authenticate(key: string | undefined, request: FastifyRequest): Actor | null {
    if (!this.keys.ready || this.foreign) throw serviceUnavailable('registry');
    if (!key || key.length > maxKeyLength) return null;
    const recognised = this.shownBefore(key, request.raw.socket) ?? this.recognise(key, request);
    if (!recognised) return null;
    return isLive(recognised.record) ? recognised.actor : null;
  }

  private recogniseAnew(): void {
    this.recognised.clear();
    this.shown = new WeakMap();
  }

  /** Most requests come over a connection that has shown the same key before, which is told in a fraction of a hash's time. */
  private shownBefore(key: string, socket: Socket): Recognised | null {
    const shown = this.shown.get(socket);
    // Through a proxy others may come over the same connection.
    return shown?.key.length === key.length && timingSafeEqual(shown.key, Buffer.from(key, 'latin1')) ? shown.recognised : null;
  }

  /**
   * Both maps are entered by a hash of the whole key, which a guesser cannot steer. From an address that has shown too many wrong keys only those are
   * still looked up that nobody can guess: who shares it with a guesser goes on.
   */
  private recognise(key: string, request: FastifyRequest): Recognised | null {
    const digest = hash('sha256', key);
    const before = this.recognised.get(digest);
    if (before) return this.remember(key, request.raw.socket, before);
    const form = formOf(key);
    if (form === 'other') this.limits.assertMayTry(request);
    const record = form === 'mistyped' ? undefined : this.find(key);
    if (!record) {
      this.limits.failed(request);
      return null;
    }
    const { key_id, name, role, scope } = record;
    const recognised = { record, actor: { key_id, name, role, scope } };
    if (this.recognised.size >= maxRecognised) this.recognised.clear();
    this.recognised.set(digest, recognised);
    return this.remember(key, request.raw.socket, recognised);
  }

  private remember(key: string, socket: Socket, recognised: Recognised): Recognised {
    // Node reads headers as Latin-1: a character is a byte.
    this.shown.set(socket, { key: Buffer.from(key, 'latin1'), recognised });
    return recognised;
  }

  private find(key: string): KeyRecord | undefined {
    const mac = keyMac(this.config.KEY_PEPPER, key);
    const record = this.byLookup.get(mac.slice(0, lookupLength));
    return record && timingSafeEqual(Buffer.from(record.mac), Buffer.from(mac)) ? record : undefined;
  }
}

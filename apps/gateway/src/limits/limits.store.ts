import { randomUUID } from 'node:crypto';
import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { type Subscription } from '@nats-io/transport-node';
import { type FastifyRequest } from 'fastify';
import { type Actor } from '#contracts/access.js';
import { tooManyRequests } from '#contracts/errors.js';
import { Nats } from '#runtime/nats.js';
import { GatewayConfig } from '../gateway.config.js';
import { addressGroup } from './address-group.js';
import { RateLimit } from './rate-limit.js';
import { spentFrom } from './spent-message.js';

const subject = 'emr.gateway.spent';
const tellEveryMs = 200;

/**
 * How much a key and an address may ask, at all gateways together: each counts by itself, so that a request costs no hop, and tells the others five
 * times a second what it let through. Until then a client may have as much of each gateway; afterwards it waits for what it had too much. Without
 * NATS each gateway goes on by itself.
 */
@Injectable()
export class Limits implements OnModuleDestroy {
  private readonly gateway = randomUUID();
  private readonly keys: RateLimit;
  private readonly addresses: RateLimit;
  private readonly failures: RateLimit;
  private readonly shared: Map<string, RateLimit>;
  private readonly subscription: Subscription;
  private readonly timer = setInterval(() => this.tell(), tellEveryMs);

  constructor(
    config: GatewayConfig,
    private readonly nats: Nats,
  ) {
    this.keys = new RateLimit(config.KEY_MAX_PER_SECOND);
    this.addresses = new RateLimit(config.ADDRESS_MAX_PER_SECOND);
    this.failures = new RateLimit(config.ADDRESS_MAX_FAILURES_PER_MINUTE / 60, config.ADDRESS_MAX_FAILURES_PER_MINUTE);
    this.shared = new Map([
      ['keys', this.keys],
      ['addresses', this.addresses],
      ['failures', this.failures],
    ]);
    this.subscription = nats.connection.subscribe(subject, { callback: (_, { data }) => this.hear(data) });
  }

  /** Counts a request of an address. Throws TOO_MANY_REQUESTS. */
  admitAddress(request: FastifyRequest): void {
    if (!this.addresses.isOff) admit(this.addresses, addressGroup(request.ip), 'This address asks too often');
  }

  /** Counts a request of a key, or of whoever has a token. Throws TOO_MANY_REQUESTS. */
  admitActor({ key_id }: Actor): void {
    if (!this.keys.isOff) admit(this.keys, key_id, 'This key asks too often');
  }

  /** Throws TOO_MANY_REQUESTS where an address has shown too many wrong keys lately. */
  assertMayTry(request: FastifyRequest): void {
    if (this.failures.isIdle) return;
    const seconds = this.failures.waitSeconds(addressGroup(request.ip), performance.now());
    if (seconds > 0) throw tooManyRequests('This address has shown too many wrong keys', seconds);
  }

  /** Counts a wrong key. Throws TOO_MANY_REQUESTS where there were too many before it: going on does not make the wait longer. */
  failed(request: FastifyRequest): void {
    this.assertMayTry(request);
    this.failures.spend(addressGroup(request.ip), performance.now());
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
    this.subscription.unsubscribe();
  }

  private tell(): void {
    for (const [limit, counted] of this.shared) {
      const spent = counted.takeUntold();
      // What cannot be told is not told later: it has been refilled by then.
      if (spent.length > 0 && this.nats.connected)
        this.nats.connection.publish(subject, JSON.stringify({ gateway: this.gateway, limit, spent }));
    }
  }

  private hear(data: Uint8Array): void {
    const message = spentFrom(parsed(data));
    if (!message || message.gateway === this.gateway) return;
    this.shared.get(message.limit)?.spentElsewhere(message.spent, performance.now());
  }
}

function admit(limit: RateLimit, subjectOf: string, refusal: string): void {
  const now = performance.now();
  const seconds = limit.waitSeconds(subjectOf, now);
  if (seconds > 0) throw tooManyRequests(refusal, seconds);
  limit.spend(subjectOf, now);
}

function parsed(data: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(data).toString());
  } catch {
    return null;
  }
}

import { createHash } from 'node:crypto';
import { JetStreamApiError, jetstreamManager } from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import { Injectable } from '@nestjs/common';
import { AppError, raise } from '#contracts/errors.js';
import { inferenceStream } from '#contracts/inference.js';
import { type Caller } from '#runtime/caller.js';
import { Logger } from '#runtime/logger.js';
import { Nats, tracedJetStream } from '#runtime/nats.js';

const bucketName = 'emr_idempotency';
const keptMs = 24 * 60 * 60_000;
const maxBytes = 256 * 1024 ** 2;
/** Of each question to NATS: two as a rule, one more for the first key of a gateway. */
const timeoutMs = 1_000;

/** A request under an Idempotency-Key, as it was when it first came. */
export interface Claim {
  /** Of what it asks for, without anything that the server adds. */
  payload_sha256: string;
  /** Models that it named and its key could not see then: they stay refused, so that its messages stay the same. */
  unknown_models: string[];
}

// Of the account, of the cluster, of the server.
const noRoom = new Set([10_002, 10_023, 10_047]);

/** JetStream reserves what a stream may grow to: it is refused where the limits of the server or the account have less left. */
const isWithoutRoom = (error: unknown): boolean => error instanceof JetStreamApiError && noRoom.has(error.code);

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/**
 * Remembers for 24 h, for all gateways, what was asked for under an Idempotency-Key. That a retry is counted once is up to the metrics
 * service's ledger; here a key is kept from being used for two different requests.
 */
@Injectable()
export class IdempotencyStore {
  private bucket: Promise<KV> | undefined;

  constructor(
    private readonly nats: Nats,
    private readonly logger: Logger,
  ) {}

  /** The name under which everything that this caller asks for with this key is counted. */
  nameOf(key: string, route: string, { actor }: Caller): string {
    return sha256(`${actor.key_id}\u0000${key}\u0000${route}`);
  }

  /**
   * Takes the name, which is atomic, or finds the same request under it: what was claimed first. Throws IDEMPOTENCY_KEY_REUSED for another
   * request, SERVICE_UNAVAILABLE when NATS cannot tell; nothing is recorded then.
   */
  async claim(name: string, claim: Claim, { request_id }: Caller): Promise<Claim> {
    const first = await this.take(name, claim).catch((error: unknown) => {
      // NATS may have lost its store and the bucket with it.
      this.bucket = undefined;
      this.logger.failure('Could not look up an idempotency key', error, { request_id });
      throw new AppError('SERVICE_UNAVAILABLE', 'The inference is not recorded; try again shortly', { service: 'nats', recorded: 'no' });
    });
    if (first.payload_sha256 === claim.payload_sha256) return first;
    throw new AppError('IDEMPOTENCY_KEY_REUSED', 'This Idempotency-Key was used for another request within the last 24 hours', {
      field: 'Idempotency-Key',
      accepted: 'a new key for each request, the same key for the same request again',
    });
  }

  private async take(name: string, claim: Claim): Promise<Claim> {
    if (!this.nats.connected) throw new Error('NATS is away');
    const bucket = await (this.bucket ??= this.open());
    try {
      await bucket.create(name, JSON.stringify(claim));
      return claim;
    } catch (error) {
      if (!(error instanceof JetStreamApiError)) throw error;
      const entry = await bucket.get(name);
      // Anything else that JetStream has against it, such as a full bucket.
      return entry?.json<Claim>() ?? raise(error);
    }
  }

  /** A bucket that is there stays as an operator made it. A new one is on as many servers as the events that its keys are for. */
  private async open(): Promise<KV> {
    const manager = await jetstreamManager(this.nats.connection, { timeout: timeoutMs, checkAPI: false });
    const { config } = await manager.streams.info(inferenceStream.name);
    const kvm = new Kvm(tracedJetStream(this.nats.connection, { timeout: timeoutMs }));
    return kvm
      .create(bucketName, { ttl: keptMs, history: 1, max_bytes: maxBytes, replicas: config.num_replicas })
      .catch((error: unknown) => {
        throw isWithoutRoom(error)
          ? new Error('NATS has no room for 256 MiB of idempotency keys beside its other streams: raise max_file_store', { cause: error })
          : error;
      });
  }
}

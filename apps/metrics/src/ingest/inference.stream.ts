import {
  AckPolicy,
  DeliverPolicy,
  DiscardPolicy,
  JetStreamApiError,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
} from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { inferenceStream } from '#contracts/inference.js';

const day = 24 * 60 * 60_000;
const maxBytes = 1024 ** 3;
/** Twice what two replicas hold in hand. */
const maxAckPending = 4_000;
export const ackWaitMs = 30_000;

/**
 * Makes the stream and its consumer where they are missing; what is there stays as an operator set it. Full means refused, never dropped.
 * Resolves to the name of this very stream: one that is made anew numbers its messages anew, and has another.
 */
export async function ensureInferenceStream(manager: JetStreamManager): Promise<string> {
  const { created } = await foundOrMade(manager.streams.info(inferenceStream.name), () =>
    manager.streams.add({
      name: inferenceStream.name,
      subjects: [inferenceStream.subjects],
      storage: StorageType.File,
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.New,
      max_bytes: maxBytes,
      max_age: nanos(3 * day),
      duplicate_window: nanos(120_000),
      deny_delete: true,
    }),
  );
  await foundOrMade(manager.consumers.info(inferenceStream.name, inferenceStream.durable), () =>
    manager.consumers.add(inferenceStream.name, {
      durable_name: inferenceStream.durable,
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      ack_wait: nanos(ackWaitMs),
      max_deliver: -1,
      max_ack_pending: maxAckPending,
    }),
  );
  return `stream:${inferenceStream.name}:${created}`;
}

const notFound = 404;

async function foundOrMade<Info>(look: Promise<Info>, make: () => Promise<Info>): Promise<Info> {
  try {
    return await look;
  } catch (error) {
    const absent =
      error instanceof JetStreamApiError ? error.status === notFound : error instanceof Error && /not found/.test(error.message);
    if (!absent) throw error;
    return make();
  }
}

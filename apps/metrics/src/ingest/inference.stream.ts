import {
  AckPolicy,
  type ConsumerInfo,
  DeliverPolicy,
  DiscardPolicy,
  JetStreamApiError,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
} from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { inferenceStream } from '#contracts/inference.js';
import { type Logger } from '#runtime/logger.js';

const day = 24 * 60 * 60_000;
const maxBytes = 1024 ** 3;
/** Enough for several replicas that each hold 2,000. */
const maxAckPending = 20_000;
const ackWaitMs = 30_000;

/**
 * Makes the stream and its consumer where they are missing; what is there stays as an operator set it. Full means refused, never dropped.
 * Resolves to the name of this very stream: one that is made anew numbers its messages anew, and has another.
 *
 * A server that lost power may have lost the stream's end and not the consumer's state, which then waits for places that the stream has yet to
 * reach: such a consumer is made anew from the beginning, and the ledger drops what was counted.
 */
export async function ensureInferenceStream(manager: JetStreamManager, logger: Logger): Promise<string> {
  const { created, state } = await foundOrMade(manager.streams.info(inferenceStream.name), () =>
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
  const consumer = await foundOrMade(manager.consumers.info(inferenceStream.name, inferenceStream.durable), () => addConsumer(manager));
  if (consumer.delivered.stream_seq > state.last_seq) {
    const places = { delivered: consumer.delivered.stream_seq, last: state.last_seq };
    logger.failure('The event stream has lost its end; reading it again from the beginning', new Error('Stream rewound'), places);
    await manager.consumers.delete(inferenceStream.name, inferenceStream.durable);
    await addConsumer(manager);
  }
  return `stream:${inferenceStream.name}:${created}`;
}

const addConsumer = (manager: JetStreamManager): Promise<ConsumerInfo> =>
  manager.consumers.add(inferenceStream.name, {
    durable_name: inferenceStream.durable,
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    ack_wait: nanos(ackWaitMs),
    max_deliver: -1,
    max_ack_pending: maxAckPending,
  });

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

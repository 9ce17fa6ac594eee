import {
  AckPolicy,
  type ConsumerInfo,
  DeliverPolicy,
  DiscardPolicy,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
  type StreamState,
} from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { inferenceStream } from '#contracts/inference.js';
import { foundOrMade } from '#runtime/found-or-made.js';
import { type Logger } from '#runtime/logger.js';
import { type Nats } from '#runtime/nats.js';
import { type StreamPlace } from './count-batch.js';

/** What the ledger remembers of places on the stream. */
interface CountedPlaces {
  lastPlace(): Promise<StreamPlace | undefined>;
  forgetPlaces(): Promise<void>;
}

const day = 24 * 60 * 60_000;
const maxBytes = 1024 ** 3;
/** Enough for several replicas that each hold 2,000. */
const maxAckPending = 20_000;
const ackWaitMs = 30_000;

/**
 * Makes the stream and its consumer where they are missing; what is there stays as an operator set it. Full means refused, never dropped.
 *
 * A server that lost power, or an operator who deleted the stream, may have taken its end away and not the consumer's state, which then passes over what is given the lost places:
 * such a consumer is made anew from the beginning, and the ledger drops what was counted. Killed in between, the next look finds the same.
 */
export async function ensureInferenceStream(nats: Nats, counted: CountedPlaces, logger: Logger): Promise<void> {
  const manager = await nats.manager();
  const { state } = await foundOrMade(manager.streams.info(inferenceStream.name), () =>
    manager.streams.add({
      name: inferenceStream.name,
      subjects: [inferenceStream.subjects],
      storage: StorageType.File,
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.New,
      max_bytes: maxBytes,
      max_age: nanos(3 * day),
      duplicate_window: nanos(120_000),
      num_replicas: nats.replicas,
      deny_delete: true,
    }),
  );
  const consumer = await foundOrMade(manager.consumers.info(inferenceStream.name, inferenceStream.durable), () => addConsumer(manager));
  const last = await counted.lastPlace();
  const places = { delivered: consumer.delivered.stream_seq, counted: last?.sequence, last: state.last_seq };
  if (consumer.delivered.stream_seq > state.last_seq || (last && (await isLost(manager, last, state)))) {
    logger.failure(
      'The event stream has lost its end or was made anew; reading it again from the beginning',
      new Error('Stream rewound'),
      places,
    );
    await manager.consumers.delete(inferenceStream.name, inferenceStream.durable);
    await addConsumer(manager);
    await counted.forgetPlaces();
  }
}

/** Whether the stream no longer has the message that stood at this place, or has another there. */
async function isLost(manager: JetStreamManager, { sequence, stored_ms }: StreamPlace, state: StreamState): Promise<boolean> {
  if (sequence > state.last_seq) return true;
  // What is older than the stream keeps cannot be looked at.
  if (sequence < state.first_seq) return false;
  const message = await manager.streams.getMessage(inferenceStream.name, { seq: sequence });
  return message?.time.getTime() !== stored_ms;
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

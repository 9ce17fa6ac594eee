import { AckPolicy, DeliverPolicy, DiscardPolicy, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { runQueue } from '#contracts/validation.js';
import { foundOrMade } from '#runtime/found-or-made.js';
import { type Nats } from '#runtime/nats.js';

const day = 24 * 60 * 60_000;
const maxBytes = 16 * 1024 ** 2;
const maxAckPending = 10_000;

/**
 * Makes the queue and its consumer where they are missing; what is there stays as an operator set it. A full queue drops its oldest messages,
 * since nothing depends on them.
 */
export async function ensureRunQueue(nats: Nats, ackWaitMs: number): Promise<void> {
  const manager = await nats.manager();
  const { name, subject, subjects, durable } = runQueue;
  await foundOrMade(manager.streams.info(name), () =>
    manager.streams.add({
      name,
      subjects: [subjects],
      storage: StorageType.File,
      retention: RetentionPolicy.Workqueue,
      discard: DiscardPolicy.Old,
      max_bytes: maxBytes,
      max_age: nanos(day),
      duplicate_window: nanos(120_000),
      num_replicas: nats.replicas,
    }),
  );
  await foundOrMade(manager.consumers.info(name, durable), () =>
    manager.consumers.add(name, {
      durable_name: durable,
      filter_subject: subject,
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      ack_wait: nanos(ackWaitMs),
      max_deliver: -1,
      max_ack_pending: maxAckPending,
    }),
  );
}

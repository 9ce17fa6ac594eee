import { DiscardPolicy, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { factStream } from '#contracts/alerts.js';
import { foundOrMade } from './found-or-made.js';
import { type Nats } from './nats.js';

const day = 24 * 60 * 60_000;
const maxBytes = 256 * 1024 ** 2;

/** Makes the stream of facts where it is missing; what is there stays as an operator set it. Full means that the oldest go. */
export async function ensureFactStream(nats: Nats): Promise<void> {
  const manager = await nats.manager();
  await foundOrMade(manager.streams.info(factStream.name), () =>
    manager.streams.add({
      name: factStream.name,
      subjects: [factStream.subjects],
      storage: StorageType.File,
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.Old,
      max_bytes: maxBytes,
      max_age: nanos(7 * day),
      duplicate_window: nanos(120_000),
      num_replicas: nats.replicas,
    }),
  );
}

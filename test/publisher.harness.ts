import { randomUUID } from 'node:crypto';
import { jetstream } from '@nats-io/jetstream';
import { headers as createHeaders } from '@nats-io/transport-node';
import { inferenceStream } from '#contracts/inference.js';
import { connectTo } from '#testing/nats.js';

export interface Publisher {
  /** Publishes one message as a service that numbers them, and resolves once it is stored. */
  publish(body: object | string): Promise<void>;
  close(): Promise<void>;
}

export async function publisher(nats_url: string): Promise<Publisher> {
  const connection = await connectTo(nats_url, { maxReconnectAttempts: -1 });
  const producer = randomUUID();
  let sequence = 0;
  return {
    async publish(body) {
      const headers = createHeaders();
      headers.set(inferenceStream.producerHeader, producer);
      headers.set(inferenceStream.sequenceHeader, String(sequence++));
      await jetstream(connection).publish(inferenceStream.subject, typeof body === 'string' ? body : JSON.stringify(body), { headers });
    },
    close: () => connection.close(),
  };
}

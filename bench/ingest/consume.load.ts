import { jetstream } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { inferenceStream } from '#contracts/inference.js';
import { connectionOptions } from '#runtime/nats.js';
import { beLoad } from './load-process.js';

export interface ConsumeOptions {
  nats_url: string;
  durable: string;
  messages: number;
}

export interface Consumed {
  events: number;
}

const maxBuffered = 2_000;

await beLoad(async ({ nats_url, durable, messages }: ConsumeOptions) => {
  const connection = await connect({ ...connectionOptions({ NATS_URL: nats_url }), noAsyncTraces: true });
  const consumer = await jetstream(connection).consumers.get(inferenceStream.name, durable);
  return async () => {
    let events = 0;
    let seen = 0;
    for await (const message of await consumer.consume({ max_messages: maxBuffered, threshold_messages: maxBuffered / 2 })) {
      const body = message.json<{ events?: unknown[] }>();
      events += body.events?.length ?? 1;
      message.ack();
      if (++seen === messages) break;
    }
    await connection.drain();
    return { events };
  };
});

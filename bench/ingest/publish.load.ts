import { randomUUID } from 'node:crypto';
import { connect, createInbox, headers as createHeaders, type MsgHdrs } from '@nats-io/transport-node';
import { inferenceStream } from '#contracts/inference.js';
import { connectionOptions } from '#runtime/nats.js';
import { beLoad } from './load-process.js';
import { messageBodies, type Plan } from './planned-event.js';

export interface PublishOptions {
  nats_url: string;
  subject: string;
  /** With the headers by which a message is counted once, or none at all. */
  numbered: boolean;
  plan: Plan;
  per_message: number;
  /** Messages altogether: the plan's, or those over and over. */
  messages: number;
  /** As fast as acknowledgements come, with so many out; or so many messages a second whatever comes. */
  pace: { in_flight: number } | { per_second: number };
  /** Default now. */
  occurred_at?: string;
}

export interface Published {
  acked: number;
  seconds: number;
}

const tickMs = 5;
/** Beyond any run. */
const giveUpMs = 300_000;

await beLoad(async ({ nats_url, subject, numbered, plan, per_message, messages, pace, occurred_at }: PublishOptions) => {
  const bodies = messageBodies(plan, per_message, occurred_at ?? new Date().toISOString());
  const connection = await connect({ ...connectionOptions({ NATS_URL: nats_url }), noAsyncTraces: true });
  const producer = randomUUID();
  const headersOf = (sequence: number): MsgHdrs => {
    const headers = createHeaders();
    headers.set(inferenceStream.producerHeader, producer);
    headers.set(inferenceStream.sequenceHeader, String(sequence));
    headers.set('Nats-Msg-Id', `${producer}:${sequence}`);
    return headers;
  };
  const reply = createInbox();
  let sent = 0;
  let acked = 0;
  const send = (): void => {
    const headers = numbered ? headersOf(sent) : undefined;
    connection.publish(subject, bodies[sent++ % bodies.length], headers ? { headers, reply } : { reply });
  };

  return () =>
    new Promise((resolve) => {
      const began = performance.now();
      const end = (): void => resolve({ acked, seconds: (performance.now() - began) / 1_000 });
      const keepWindowFull = 'in_flight' in pace ? pace.in_flight : 0;
      connection.subscribe(reply, {
        callback: (failure, message) => {
          const acknowledgement = failure ? null : message.json<{ error?: object; duplicate?: boolean }>();
          if (!acknowledgement || acknowledgement.error || acknowledgement.duplicate) throw new Error(`Not stored: ${message?.string()}`);
          acked += 1;
          if (sent < messages && sent - acked < keepWindowFull) send();
          if (acked === messages) end();
        },
      });
      setTimeout(() => {
        throw new Error(`${acked} of ${messages} messages acknowledged within ${giveUpMs} ms`);
      }, giveUpMs);
      if ('per_second' in pace) {
        setInterval(() => {
          const due = Math.min(messages, ((performance.now() - began) / 1_000) * pace.per_second);
          while (sent < due) send();
        }, tickMs);
      } else {
        while (sent < messages && sent < keepWindowFull) send();
      }
    });
});

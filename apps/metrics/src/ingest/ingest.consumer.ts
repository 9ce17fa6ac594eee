import { type ConsumerMessages, type JsMsg } from '@nats-io/jetstream';
import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { inferenceStream } from '#contracts/inference.js';
import { Logger } from '#runtime/logger.js';
import { Nats } from '#runtime/nats.js';
import { Readiness } from '#runtime/probes.js';
import { IngestStore, type StreamMessage } from './ingest.store.js';
import { ackWaitMs, ensureInferenceStream } from './inference.stream.js';

/** Events of one transaction are collected this long, or until there are this many messages. */
const lingerMs = 10;
const maxBatch = 500;
const maxBuffered = 1_000;
const retryMs = 500;
const deferMs = 1_000;

interface Taken {
  delivery: JsMsg;
  message: StreamMessage;
}

/**
 * Takes inference events from JetStream in micro-batches and acknowledges them after their transaction. A replica that dies in between
 * leaves them to be delivered again, and the ledger drops what was committed already. While PostgreSQL is away the batch in hand is tried
 * again for ever, and the rest waits on the stream.
 */
@Injectable()
export class IngestConsumer implements OnApplicationBootstrap, OnModuleDestroy {
  private stopped = false;
  private messages: ConsumerMessages | undefined;
  private queue: Taken[] = [];
  private wake: () => void = () => undefined;
  private consuming = false;
  private running: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly store: IngestStore,
    private readonly nats: Nats,
    private readonly logger: Logger,
    readiness: Readiness,
  ) {
    readiness.add('ingest', () => {
      if (!this.consuming) throw new Error('not consuming');
    });
  }

  onApplicationBootstrap(): void {
    this.running = Promise.all([this.consume(), this.work()]);
  }

  /** What was taken is finished; what was not stays on the stream for another replica. */
  async onModuleDestroy(): Promise<void> {
    this.stopped = true;
    this.messages?.stop();
    this.wake();
    await this.running;
  }

  private async consume(): Promise<void> {
    while (!this.stopped) {
      try {
        const streamId = await ensureInferenceStream(await this.nats.manager());
        const consumer = await this.nats.js.consumers.get(inferenceStream.name, inferenceStream.durable);
        const messages = await consumer.consume({ max_messages: maxBuffered });
        this.messages = messages;
        if (this.stopped) messages.stop();
        this.consuming = true;
        void this.restartWhenStale(messages);
        for await (const message of messages) {
          this.queue.push({ delivery: message, message: streamMessageOf(message, streamId) });
          this.wake();
        }
      } catch (error) {
        if (!this.stopped) this.logger.failure('Lost the event stream; trying again', error);
      }
      this.consuming = false;
      if (!this.stopped) await sleep(retryMs);
    }
  }

  /** A pull request dies with the server that held it, and the client does not always ask anew. */
  private async restartWhenStale(messages: ConsumerMessages): Promise<void> {
    for await (const status of messages.status()) {
      if (status.type === 'heartbeats_missed' && status.count >= 2) messages.stop();
      if (status.type === 'consumer_not_found' || status.type === 'stream_not_found') messages.stop();
    }
  }

  private async work(): Promise<void> {
    while (!this.stopped || this.queue.length) {
      if (this.queue.length === 0) await new Promise<void>((resolve) => (this.wake = resolve));
      if (this.queue.length < maxBatch && !this.stopped) await sleep(lingerMs);
      const batch = this.queue.splice(0, maxBatch);
      if (batch.length) await this.ingest(batch);
    }
  }

  private async ingest(batch: Taken[]): Promise<void> {
    const messages = batch.map(({ message }) => message);
    let lastExtended = Date.now();
    for (;;) {
      try {
        const { deferred } = await this.store.ingest(messages, Date.now());
        batch.forEach(({ delivery }, index) => (deferred.has(index) ? delivery.nak(deferMs) : delivery.ack()));
        return;
      } catch (error) {
        this.logger.failure('Could not store a batch of events', error, { messages: batch.length });
        // Given back unfinished: another replica, or this one when it comes back, takes them after the wait.
        if (this.stopped) return;
        if (Date.now() - lastExtended > ackWaitMs / 3) {
          for (const { delivery } of batch) delivery.working();
          lastExtended = Date.now();
        }
        await sleep(retryMs);
      }
    }
  }
}

const wholeNumber = /^\d{1,15}$/;

/** Who numbered the message, and as what. One without a producer's name is known by its place on the stream. */
function streamMessageOf(message: JsMsg, streamId: string): StreamMessage {
  const producer = message.headers?.get(inferenceStream.producerHeader);
  const sequence = message.headers?.get(inferenceStream.sequenceHeader);
  const numbered = producer && producer.length <= 100 && sequence && wholeNumber.test(sequence);
  return {
    source: numbered ? producer : streamId,
    sequence: numbered ? Number(sequence) : message.info.streamSequence,
    stored_at: message.time.getTime(),
    body: message.data,
  };
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

import { type ConsumerMessages, type JsMsg } from '@nats-io/jetstream';
import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { inferenceStream } from '#contracts/inference.js';
import { countedNotice, type CountedNotice } from '#contracts/metrics.js';
import { Logger } from '#runtime/logger.js';
import { Nats } from '#runtime/nats.js';
import { Readiness } from '#runtime/probes.js';
import { Telemetry } from '#runtime/telemetry.js';
import { traceHeader } from '#runtime/trace-context.js';
import { type Span } from '#runtime/tracing.js';
import { KnownModels } from '../known-models.store.js';
import { MetricsMeasurements } from '../metrics.measurements.js';
import { type BatchOutcome, type IngestMessage } from './count-batch.js';
import { ErrorTypes } from './error-types.js';
import { decodeMessage } from './inference-event.js';
import { ensureInferenceStream } from './inference.stream.js';
import { type Delivery, IngestCore } from './ingest-core.js';
import { IngestStore } from './ingest.store.js';
import { numberOf } from './message-number.js';

/** Held by one replica. Refilled when half of it has been stored, so that the next batch is there before the last is done. */
const maxBuffered = 2_000;
/** Models that a notice names; of more it says `any`. */
const maxNoticed = 1_000;
const retryMs = 500;
/**
 * How often the server says that a pull request lives on, and how long one lasts. A deleted stream takes its requests along without a word:
 * it is missed after two heartbeats, where the client's own 15 s would mean half a minute.
 */
const heartbeatMs = 2_000;
const pullMs = 10_000;
/** With work and no commit for this long a replica says that it is not ready. */
const stalledMs = 30_000;
const nanosInMs = 1e6;

/** Told from the beginning, so that the first of each is seen as a change. */
const outcomes = ['counted', 'clamped', 'dead_letter', 'repeated_message', 'repeated_event'];

/** Feeds the ingest core from JetStream. */
@Injectable()
export class IngestConsumer implements OnApplicationBootstrap, OnModuleDestroy {
  private stopped = false;
  private messages: ConsumerMessages | undefined;
  private consuming = false;
  private running: Promise<unknown> = Promise.resolve();
  private readonly core: IngestCore;

  constructor(
    private readonly store: IngestStore,
    known: KnownModels,
    types: ErrorTypes,
    private readonly nats: Nats,
    private readonly logger: Logger,
    private readonly telemetry: Telemetry,
    private readonly measurements: MetricsMeasurements,
    readiness: Readiness,
  ) {
    this.core = new IngestCore({
      clock: { now: () => Date.now(), sleep },
      existence: (model_ids) => known.existence(model_ids),
      types,
      transaction: (work) => store.transaction(work),
      isTransient: (error) => store.isTransient(error),
      committed: (outcome) => this.report(outcome),
      failed: (error, messages) => logger.failure('Could not store a batch of events; trying again', error, { messages }),
    });
    for (const outcome of outcomes) telemetry.events.inc({ outcome }, 0);
    readiness.add('ingest', () => {
      if (!this.consuming) throw new Error('not consuming');
      const { busySince } = this.core;
      if (busySince !== null && Date.now() - busySince > stalledMs) throw new Error('events wait and none has been stored for 30 s');
    });
    nats.onReconnect(() => this.messages?.stop());
  }

  onApplicationBootstrap(): void {
    this.running = Promise.all([this.consume(), this.core.run()]);
  }

  /** What is in hand is finished; the rest goes back at once, for another replica. */
  async onModuleDestroy(): Promise<void> {
    this.stopped = true;
    this.messages?.stop();
    this.core.stop();
    await this.running;
  }

  private async consume(): Promise<void> {
    while (!this.stopped) {
      try {
        await ensureInferenceStream(this.nats, this.store, this.logger);
        const consumer = await this.nats.js.consumers.get(inferenceStream.name, inferenceStream.durable);
        const messages = await consumer.consume({
          max_messages: maxBuffered,
          threshold_messages: maxBuffered / 2,
          idle_heartbeat: heartbeatMs,
          expires: pullMs,
          // Not by iteration, which takes a promise or two for each message.
          callback: (message) => this.take(message),
        });
        this.messages = messages;
        if (this.stopped) messages.stop();
        this.consuming = true;
        void this.restartWhenStale(messages);
        const failure = await messages.closed();
        if (failure) throw failure;
      } catch (error) {
        if (!this.stopped) this.logger.failure('Cannot read the event stream; trying again', error);
      }
      this.consuming = false;
      if (!this.stopped) await sleep(retryMs);
    }
  }

  /** A pull request dies with the server or the stream that held it, and the client does not always ask anew. */
  private async restartWhenStale(messages: ConsumerMessages): Promise<void> {
    for await (const status of messages.status()) {
      if (status.type === 'heartbeats_missed' && status.count >= 2) messages.stop();
      if (status.type === 'consumer_not_found' || status.type === 'stream_not_found') messages.stop();
    }
  }

  private take(message: JsMsg): void {
    if (this.stopped) return message.nak();
    const span = this.telemetry.tracing?.continued(message.headers?.get(traceHeader), {
      name: `process ${inferenceStream.subject}`,
      role: 'consumer',
      attributes: { 'messaging.system': 'nats', 'messaging.destination.name': inferenceStream.subject },
    });
    this.core.take({
      message: ingestMessageOf(message),
      deliveries: message.info.deliveryCount,
      delivery: new JetStreamDelivery(message, span),
    });
  }

  private report({ counted, clamped, letters, repeated_messages, repeated_events, model_ids, sums }: BatchOutcome): void {
    const { events } = this.telemetry;
    events.inc({ outcome: 'counted' }, counted);
    events.inc({ outcome: 'clamped' }, clamped);
    events.inc({ outcome: 'dead_letter' }, letters);
    events.inc({ outcome: 'repeated_message' }, repeated_messages);
    events.inc({ outcome: 'repeated_event' }, repeated_events);
    this.measurements.count(sums, Date.now());
    if (!model_ids.length || !this.nats.connected) return;
    const notice: CountedNotice = { model_ids: model_ids.length > maxNoticed ? null : model_ids };
    this.nats.connection.publish(countedNotice, JSON.stringify(notice));
  }
}

class JetStreamDelivery implements Delivery {
  constructor(
    private readonly message: JsMsg,
    private readonly span: Span | undefined,
  ) {}

  ack(): void {
    this.message.ack();
    this.span?.end();
  }

  defer(ms: number): void {
    this.message.nak(ms);
    this.span?.end('given back');
  }

  extend(): void {
    this.message.working();
  }
}

/**
 * Who numbered the message, and as what. One without a producer's name is known by its place on the stream and the second in which it was
 * stored: a stream that has lost its end, or was made anew, gives the same places to new messages, but not the same time, which a redelivery
 * keeps. Not within that second, which no machine that lost its power is back in. When the stream was made is no part of it: nats-server 2.9
 * says another time once an updated stream has been read from the disk.
 */
function ingestMessageOf(message: JsMsg): IngestMessage {
  const { data: body } = message;
  const { streamSequence, timestampNanos } = message.info;
  const stored_ms = Math.floor(timestampNanos / nanosInMs);
  const { batch, events, rejected } = decodeMessage(body, stored_ms);
  const number = numberOf(message);
  return {
    source: number?.source ?? `stream:${inferenceStream.name}:${Math.floor(stored_ms / 1000)}`,
    sequence: number?.sequence ?? streamSequence,
    place: { sequence: streamSequence, stored_ms },
    body,
    batch,
    events,
    rejected,
  };
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

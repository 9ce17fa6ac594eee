import { Injectable } from '@nestjs/common';
import { AckWindow, type MessageIdentity, NotStoredError } from '#client/ack-window.js';
import { EventBatches, messageOf } from '#client/event-batches.js';
import { AppError } from '#contracts/errors.js';
import { type InferenceItem, inferenceStream } from '#contracts/inference.js';
import { Logger } from '#runtime/logger.js';
import { Nats } from '#runtime/nats.js';
import { Telemetry } from '#runtime/telemetry.js';
import { currentSpan, type Span } from '#runtime/tracing.js';

const giveUpMs = 2_000;
/** Events of requests that arrive within this time of one another share a message: one acknowledgement answers them all. */
const lingerMs = 2;
/** So many do not wait for more: of what a message costs each has little. */
const enough = 64;
/** At 8 kB for the largest event there is, below what the metrics service reads of one message. */
const maxNumbered = 50;
const maxErrorLength = 512;

/**
 * Puts inferences on the stream and resolves once JetStream has stored them. Rejects with SERVICE_UNAVAILABLE: at once when NATS is away, or
 * when the stream is full or missing, and after 2 s without an acknowledgement. `details.recorded` then says `no`, or `unknown` when only the
 * acknowledgement is missing; what was given up is not sent again. A gateway that is killed answers nobody: that is `unknown` too.
 */
@Injectable()
export class InferencePublisher {
  private readonly window: AckWindow;
  private readonly batches: EventBatches;
  /** Of the requests whose inferences linger; a message that goes out because the next did not fit is linked to that one's too. */
  private readonly spans: Span[] = [];

  constructor(
    nats: Nats,
    private readonly logger: Logger,
    private readonly telemetry: Telemetry,
  ) {
    this.window = new AckWindow(nats.connection, { give_up_ms: giveUpMs, inbox_prefix: nats.inboxPrefix });
    this.batches = new EventBatches(lingerMs, (message) => this.send(message, this.spans.splice(0)), enough);
  }

  /** `received_at`: when the inference occurred if it does not say so itself. */
  publish(inference: InferenceItem, received_at: string): Promise<void> {
    const span = currentSpan();
    if (span) this.spans.push(span);
    return this.batches.add(eventOf(inference, received_at));
  }

  /**
   * In messages of their own, under a producer's name that the same request gets again: whatever of it was stored before is not counted
   * anew. The message is numbered by the place of its inferences, so that an absent one (undefined) moves no other to another message.
   */
  publishAs(producer: string, inferences: (InferenceItem | undefined)[], received_at: string): Promise<void>[] {
    const settled: Promise<void>[] = [];
    for (let sequence = 0; sequence * maxNumbered < inferences.length; sequence++) {
      const places = inferences.slice(sequence * maxNumbered, (sequence + 1) * maxNumbered);
      const events = places.filter((inference) => inference !== undefined).map((inference) => eventOf(inference, received_at));
      const span = currentSpan();
      const answered = events.length ? this.send(messageOf(events), span ? [span] : [], { producer, sequence }) : Promise.resolve();
      settled.push(...places.map(() => answered));
    }
    return settled;
  }

  /** A message of one request is a part of its trace; one of several has a trace of its own that is linked to theirs. */
  private async send(message: Uint8Array, spans: Span[], identity?: MessageIdentity): Promise<void> {
    const [first] = spans;
    const span =
      first &&
      this.telemetry.tracing?.begin({
        name: `send ${inferenceStream.subject}`,
        role: 'producer',
        attributes: { 'messaging.system': 'nats', 'messaging.destination.name': inferenceStream.subject },
        ...(spans.length === 1 ? { parent: first.traceparent } : { links: spans.map(({ place }) => place) }),
      });
    try {
      await this.window.send(message, identity, span?.traceparent);
      span?.end();
    } catch (error) {
      span?.end(error instanceof Error ? error.message : String(error));
      this.unavailable(error);
    }
  }

  private unavailable(error: unknown): never {
    if (!(error instanceof NotStoredError)) throw error;
    this.logger.failure('JetStream did not take inferences', error, { reason: error.reason, stored: error.stored });
    const how = error.stored === 'no' ? 'The inference is not recorded' : 'Whether the inference is recorded is not known';
    throw new AppError('SERVICE_UNAVAILABLE', `${how}; try again shortly`, { service: 'nats', recorded: error.stored });
  }
}

function eventOf(inference: InferenceItem, received_at: string): string {
  const { model_id, timing_ms, success = true, error, error_type, occurred_at = received_at, event_id, flag_key, variant } = inference;
  return JSON.stringify({
    model_id,
    timing_ms,
    success,
    error: error?.slice(0, maxErrorLength),
    error_type,
    occurred_at,
    event_id,
    flag_key,
    variant,
  });
}

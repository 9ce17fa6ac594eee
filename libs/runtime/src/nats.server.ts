import { type NatsContext, ServerNats } from '@nestjs/microservices';
import { type Msg, type NatsConnection } from '@nats-io/transport-node';
import { errorFromBody } from '#contracts/errors.js';
import { type Caller, callerOf, runAs } from './caller.js';
import { type Logger } from './logger.js';
import { type Nats } from './nats.js';
import { type Telemetry } from './telemetry.js';
import { traceHeader } from './trace-context.js';
import { type Span } from './tracing.js';

const drainDeadlineMs = 10_000;

interface Reply {
  response?: unknown;
  err?: unknown;
}

/**
 * Nest's NATS transport on the process's shared connection. Every message is handled as its caller; one without a caller does not come from
 * the suite and is dropped. Closing stops taking messages and waits for those in hand: Nest's own graceful mode sleeps a fixed time instead.
 */
export class NatsServer extends ServerNats {
  private readonly inHand = new Set<Promise<void>>();
  private readonly taken: { drain(): Promise<void> }[] = [];
  /** Of each message in hand: to be called with the code of its answer. */
  private readonly unanswered = new Map<Msg, (code: string) => void>();

  constructor(
    private readonly service: string,
    private readonly nats: Nats,
    private readonly telemetry: Telemetry,
    private readonly log: Logger,
  ) {
    super({ queue: service });
  }

  override async createNatsClient<T = NatsConnection>(): Promise<T> {
    return this.nats.connection as T;
  }

  override bindEvents(client: NatsConnection): void {
    for (const subject of this.messageHandlers.keys()) {
      const subscription = client.subscribe(subject, {
        queue: this.service,
        callback: (error, message) => {
          if (error) this.log.failure('NATS subscription failed', error, { subject });
          else this.take(subject, message);
        },
      });
      this.taken.push(subscription);
    }
  }

  override async close(): Promise<void> {
    const deadline = new Promise<void>((resolve) => setTimeout(resolve, drainDeadlineMs).unref());
    await Promise.race([this.drained(), deadline]);
    // The connection is closed by who opened it: JetStream consumers of the same process may still have to acknowledge.
  }

  /** What NATS has given to this replica before it heard that it must not any more is answered too. */
  private async drained(): Promise<void> {
    if (this.nats.connected) await Promise.allSettled(this.taken.map((subscription) => subscription.drain()));
    await Promise.allSettled([...this.inHand]);
  }

  private take(subject: string, message: Msg): void {
    const caller = callerOf(message.headers);
    if (!caller || !message.reply) {
      this.log.warn(`Dropped a message without a caller or a reply subject on ${subject}`, 'nats');
      return;
    }
    const span = this.telemetry.tracing?.continued(message.headers?.get(traceHeader), {
      name: subject,
      role: 'server',
      attributes: { 'rpc.system.name': 'nats' },
    });
    const answer = (): Promise<void> => this.answer(subject, message, caller, span);
    const work = runAs(caller, () => (span ? span.run(answer) : answer())).finally(() => this.inHand.delete(work));
    this.inHand.add(work);
  }

  /** Resolves when the answer has been handed to the connection; Nest's own handleMessage resolves earlier. */
  private async answer(subject: string, message: Msg, { actor }: Caller, span?: Span): Promise<void> {
    const began = performance.now();
    let code = 'INTERNAL_ERROR';
    try {
      const answered = new Promise<string>((resolve) => this.unanswered.set(message, resolve));
      await this.handleMessage(subject, message);
      code = await answered;
      this.log.info('request', { subject, code, duration_ms: Math.round((performance.now() - began) * 100) / 100, key_id: actor.key_id });
    } catch (error) {
      this.log.failure('Could not answer', error, { subject });
    } finally {
      this.unanswered.delete(message);
      this.telemetry.answered.observe((performance.now() - began) / 1000, subject, code);
      span?.endAs(code);
    }
  }

  /** The last place where an answer is still an object and its outcome can be told without parsing it. */
  override getPublisher(message: Msg, id: string, context: NatsContext): (reply: Reply) => void {
    const publish = super.getPublisher(message, id, context) as (reply: Reply) => void;
    return (reply) => {
      publish(reply);
      this.unanswered.get(message)?.(reply.err ? (errorFromBody(reply.err)?.code ?? 'INTERNAL_ERROR') : 'OK');
    };
  }
}

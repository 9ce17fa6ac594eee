import { type ConsumerMessages, type JsMsg } from '@nats-io/jetstream';
import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { type RunRef, runQueue } from '#contracts/validation.js';
import { Logger } from '#runtime/logger.js';
import { Nats } from '#runtime/nats.js';
import { currentSpan } from '#runtime/tracing.js';
import { RunExecutor } from './run.executor.js';
import { ensureRunQueue } from './run-queue.stream.js';
import { RunsStore } from './runs.store.js';
import { ValidationConfig } from './validation.config.js';

const retryMs = 500;
const ackWaitMs = 30_000;
/** As for the event stream: a deleted stream takes its pull requests along without a word. */
const heartbeatMs = 2_000;
const pullMs = 10_000;
const maxDelayMs = 10_000;
const attributes = { 'messaging.system': 'nats', 'messaging.destination.name': runQueue.subject };

/**
 * The queue of runs that wait: a message for each, until the run is over. It wakes a replica at once and goes on to another one when that dies.
 * What is run, and by whom, is said by PostgreSQL alone, where every replica also looks once a second: a message that is lost costs that second,
 * one that comes twice finds the run taken or over.
 */
@Injectable()
export class RunQueue implements OnApplicationBootstrap, OnModuleDestroy {
  private stopped = false;
  private messages: ConsumerMessages | undefined;
  private running: Promise<void> = Promise.resolve();
  private readonly inHand = new Set<Promise<void>>();

  constructor(
    private readonly executor: RunExecutor,
    private readonly runs: RunsStore,
    private readonly nats: Nats,
    private readonly config: ValidationConfig,
    private readonly logger: Logger,
  ) {
    nats.onReconnect(() => this.messages?.stop());
  }

  onApplicationBootstrap(): void {
    this.running = this.consume();
  }

  /** What waits goes back at once, for another replica; what runs keeps its message until it is over. */
  async onModuleDestroy(): Promise<void> {
    this.stopped = true;
    this.messages?.stop();
    // Each message in hand waits for its run: Nest would not get to the executor before.
    await Promise.all([this.executor.stop(), this.running]);
    await Promise.all(this.inHand);
  }

  /** Called after the run has been committed. Not waited for: without NATS it is found by who looks. */
  put(run_id: string): void {
    if (!this.nats.connected) return;
    const span = currentSpan()?.child({ name: `send ${runQueue.subject}`, role: 'producer', attributes });
    const publish = (): Promise<unknown> =>
      this.nats.js.publish(runQueue.subject, JSON.stringify({ run_id } satisfies RunRef), { msgID: run_id });
    (span ? span.run(publish) : publish()).then(
      () => span?.end(),
      (error: unknown) => {
        span?.end(String(error));
        this.logger.warn(`A run is not in the queue and will be found without: ${String(error)}`, 'runs');
      },
    );
  }

  private async consume(): Promise<void> {
    while (!this.stopped) {
      try {
        await ensureRunQueue(this.nats, ackWaitMs);
        const consumer = await this.nats.js.consumers.get(runQueue.name, runQueue.durable);
        const messages = await consumer.consume({
          max_messages: this.config.VALIDATION_MAX_RUNNING_PER_REPLICA,
          idle_heartbeat: heartbeatMs,
          expires: pullMs,
        });
        this.messages = messages;
        if (this.stopped) messages.stop();
        void this.restartWhenStale(messages);
        for await (const message of messages) this.take(message);
      } catch (error) {
        if (!this.stopped && this.nats.connected) this.logger.failure('Cannot read the queue of validation runs; trying again', error);
      }
      if (!this.stopped) await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  }

  private async restartWhenStale(messages: ConsumerMessages): Promise<void> {
    for await (const status of messages.status()) {
      if (status.type === 'heartbeats_missed' && status.count >= 2) messages.stop();
      if (status.type === 'consumer_not_found' || status.type === 'stream_not_found') messages.stop();
    }
  }

  private take(message: JsMsg): void {
    const work = this.attend(message)
      .catch((error: unknown) => {
        this.logger.failure('Could not look after a message of the queue of runs', error);
        message.nak(maxDelayMs);
      })
      .finally(() => this.inHand.delete(work));
    this.inHand.add(work);
  }

  /** The message may be of another run than the one whose turn it is; each is kept until its own is over. */
  private async attend(message: JsMsg): Promise<void> {
    const { run_id } = message.json<RunRef>();
    await this.executor.fill();
    const alive = setInterval(() => message.working(), ackWaitMs / 3);
    await this.executor.ended(run_id);
    clearInterval(alive);
    const run = await this.runs.state(run_id);
    if (run?.status !== 'running') message.ack();
    else if (this.stopped) message.nak();
    else message.nak(run.lease_until === null ? Math.min(maxDelayMs, 1_000 * message.info.deliveryCount) : this.config.leaseMs);
  }
}

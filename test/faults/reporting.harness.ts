import { randomUUID } from 'node:crypto';
import { type InferenceBatchRecorded } from '#contracts/inference.js';
import { InferenceReporter } from '#client/inference-reporter.js';
import { type BalancedClient, type Kind } from './balanced-client.harness.js';
import { type FaultSuite } from './fault-suite.harness.js';
import { findings, type SentMessage } from './history.harness.js';
import { EventPlan } from './plan.harness.js';
import { type Random, sleep } from './seed.harness.js';
import { windowsOf } from './traffic.harness.js';

/** More than all that is said in a second. */
const eventsPerSecond = 150;
const mostOfBatch = 15;

const single: Kind = { kind: 'POST inference' };
const keyed: Kind = { kind: 'POST inference under a key' };
const batch: Kind = { kind: 'POST inference/batch' };

/** Clients that record inferences one by one, again until they are told so under a key, many at once, and over NATS with the client library. */
export class Reporting {
  private readonly sent: SentMessage[] = [];
  private readonly reporter: InferenceReporter;
  private nextSlot = 0;

  private constructor(
    private readonly suite: FaultSuite,
    private readonly client: BalancedClient,
    private readonly random: Random,
    private readonly plan: EventPlan,
  ) {
    this.reporter = new InferenceReporter({ url: suite.nats.urls.publisher, inbox_prefix: '_INBOX.publisher' });
  }

  static async prepare(suite: FaultSuite, client: BalancedClient, random: Random, lasting_ms: number): Promise<Reporting> {
    const models = await suite.models(EventPlan.modelsFor(eventsPerSecond * (lasting_ms / 1_000 + 30)));
    return new Reporting(suite, client, random, new EventPlan(models));
  }

  loops(isOver: () => boolean): Promise<void>[] {
    const again = async (record: () => Promise<void>, pause: readonly [number, number]): Promise<void> => {
      while (!isOver()) {
        await sleep(this.random.whole(...pause));
        await record();
      }
    };
    return [
      again(() => this.one(isOver), [20, 150]),
      again(() => this.one(isOver), [20, 150]),
      again(() => this.oneUnderKey(isOver), [50, 250]),
      again(() => this.many(), [200, 600]),
      again(() => this.report(), [50, 200]),
    ];
  }

  /** To be called when nothing is on its way any more. */
  async findings(): Promise<string[]> {
    await this.reporter.flush();
    if (!this.sent.some(({ acknowledged }) => acknowledged)) throw new Error('No inference was acknowledged: this proves nothing');
    return findings(this.plan, this.sent, { windows: await windowsOf(this.suite, this.plan.models) });
  }

  async close(): Promise<void> {
    await this.reporter.close();
  }

  private next(): SentMessage {
    if (this.nextSlot >= this.plan.capacity) throw new Error('More inferences than were planned');
    const message = { producer: 'rest', sequence: this.sent.length, slots: [this.nextSlot++], acknowledged: false };
    this.sent.push(message);
    return message;
  }

  /** The route's query takes neither a time nor an error's type: the next event without the latter. */
  private nextSingle(): [SentMessage, path: string] {
    for (;;) {
      if (this.plan.eventOf(this.nextSlot).error_type) this.nextSlot += 1;
      else break;
    }
    const message = this.next();
    const { model_id, timing_ms, success, error } = this.plan.eventOf(message.slots[0]!);
    const query = new URLSearchParams({ timing_ms: String(timing_ms), success: String(success), ...(error && { error }) });
    return [message, `/registry/${model_id}/inference?${query.toString()}`];
  }

  private async one(isOver: () => boolean): Promise<void> {
    if (isOver()) return;
    const [message, path] = this.nextSingle();
    message.acknowledged = (await this.client.send(single, path, { method: 'POST' }))?.status === 200;
  }

  private async oneUnderKey(isOver: () => boolean): Promise<void> {
    const [message, path] = this.nextSingle();
    const headers = { 'idempotency-key': randomUUID() };
    for (let last = false; !last && !message.acknowledged;) {
      last = isOver();
      message.acknowledged = (await this.client.send(keyed, path, { method: 'POST', headers }))?.status === 200;
      if (!message.acknowledged) await sleep(200);
    }
  }

  private async many(): Promise<void> {
    const messages = Array.from({ length: this.random.whole(1, mostOfBatch) }, () => this.next());
    const events = messages.map(({ slots }) => this.plan.eventOf(slots[0]!));
    const answer = await this.client.send(batch, '/inference/batch', { method: 'POST', body: { events } });
    if (answer?.status !== 200) return;
    const { errors } = (answer.body as { data: InferenceBatchRecorded }).data;
    const refused = new Set(errors.map(({ index }) => index));
    messages.forEach((message, index) => (message.acknowledged = !refused.has(index)));
  }

  /** Does not wait: while NATS is away the library keeps what it was given. */
  private async report(): Promise<void> {
    const message = this.next();
    void this.reporter.report(this.plan.eventOf(message.slots[0]!)).then(
      () => (message.acknowledged = true),
      () => undefined,
    );
  }
}

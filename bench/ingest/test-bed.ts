import { type ConsumerInfo, jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import pg from 'pg';
import { inferenceStream } from '#contracts/inference.js';
import { type SuiteProcesses } from '../suite.processes.js';
import { connectionOptions } from '#runtime/nats.js';
import { startLoad } from './load-process.js';
import { type Plan } from './planned-event.js';
import { type Published, type PublishOptions } from './publish.load.js';
import { Sent } from './sent.js';

const registeredAtOnce = 32;
const pollMs = 10;
const standstillMs = 60_000;

/** The running suite, and what was sent to it so far. */
export class TestBed {
  readonly sent = new Sent();
  private readonly registered: string[] = [];
  private nextEvent = 0;

  private constructor(
    readonly suite: SuiteProcesses,
    readonly rounds: number,
    readonly seconds: number,
    readonly connection: NatsConnection,
    readonly manager: JetStreamManager,
    readonly database: pg.Client,
  ) {}

  static async of(suite: SuiteProcesses, rounds: number, seconds: number): Promise<TestBed> {
    const connection = await connect({ ...connectionOptions({ NATS_URL: suite.nats_url }), noAsyncTraces: true });
    const database = new pg.Client({ connectionString: suite.database_url });
    await database.connect();
    return new TestBed(suite, rounds, seconds, connection, await jetstreamManager(connection), database);
  }

  async close(): Promise<void> {
    await this.connection.close();
    await this.database.end();
  }

  get authorization(): { authorization: string } {
    return { authorization: `Bearer ${this.suite.key}` };
  }

  async ask<Data>(path: string, body?: object): Promise<Data> {
    const response = await fetch(this.suite.url + path, {
      headers: { ...this.authorization, 'content-type': 'application/json' },
      ...(body && { method: 'POST', body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return ((await response.json()) as { data: Data }).data;
  }

  /** The first so many models; those that are missing are registered. */
  async models(count: number): Promise<string[]> {
    let next = this.registered.length;
    const register = async (): Promise<void> => {
      while (next < count) {
        const body = { name: `Bench ${next++}`, version: '1.0.0', model_type: 'ensemble', sport: 'MLB' };
        this.registered.push((await this.ask<{ model_id: string }>('/registry', body)).model_id);
      }
    };
    await Promise.all(Array.from({ length: registeredAtOnce }, register));
    return this.registered.slice(0, count);
  }

  /** Models that no plan is about. */
  async ownModels(purpose: string, count: number): Promise<string[]> {
    const models: string[] = [];
    for (let index = 0; index < count; index++) {
      const body = { name: `${purpose} ${index}`, version: '1.0.0', model_type: 'ensemble', sport: 'MLB' };
      models.push((await this.ask<{ model_id: string }>('/registry', body)).model_id);
    }
    return models;
  }

  /** Events that were not sent before. */
  plan(models: string[], events: number): Plan {
    const plan = { models, first: this.nextEvent, events };
    this.nextEvent += events;
    return plan;
  }

  /** Events over these models, in messages of `per_message`, ready to be published on the inference stream by a process of its own. */
  async publisher(
    models: string[],
    { events, per_message, ...options }: { events: number; per_message: number } & Pick<PublishOptions, 'pace'> & Partial<PublishOptions>,
  ): Promise<{ messages: number; run(): Promise<Published> }> {
    const plan = this.plan(models, Math.ceil(events / per_message) * per_message);
    const messages = options.messages ?? plan.events / per_message;
    const { nats_url } = this.suite;
    const all: PublishOptions = { nats_url, subject: inferenceStream.subject, numbered: true, plan, per_message, ...options, messages };
    const load = await startLoad<Published>(this.suite, 'publish', all);
    return {
      messages,
      run: async () => {
        const published = await load.run();
        this.sent.addPlan(plan, per_message, messages);
        return published;
      },
    };
  }

  /** What the consumer has not been given, and what it has not acknowledged. The metrics service acknowledges what it has committed. */
  backlog(durable: string = inferenceStream.durable): Promise<ConsumerInfo> {
    return this.manager.consumers.info(inferenceStream.name, durable);
  }

  /** Resolves once the consumer has acknowledged everything; throws when there is no progress for a minute. */
  async settled(durable: string = inferenceStream.durable, seen: (backlog: ConsumerInfo) => void = () => undefined): Promise<void> {
    let least = Infinity;
    let progress = performance.now();
    for (;;) {
      const backlog = await this.backlog(durable);
      seen(backlog);
      const unfinished = backlog.num_pending + backlog.num_ack_pending;
      if (unfinished === 0) return;
      if (unfinished < least) [least, progress] = [unfinished, performance.now()];
      if (performance.now() - progress > standstillMs) throw new Error(`${unfinished} messages stay unfinished by ${durable}`);
      await sleep(pollMs);
    }
  }

  /** Holds every counter against what was sent, and empties the stream, which is bounded. Throws on the first difference. */
  async check(): Promise<void> {
    await this.settled();
    const { rows } = await this.database.query<{ model_id: string; total: string; successful: string; sum_ms: number }>(
      `SELECT model_id, sum(total) AS total, sum(successful) AS successful, sum(sum_ms) AS sum_ms FROM metrics.model_window
       WHERE NOT folded AND flag_key = '' GROUP BY model_id`,
    );
    const counted = new Map(rows.map((row) => [row.model_id, row]));
    for (const [model_id, { timings, failed, sum_ms }] of this.sent.models) {
      const row = counted.get(model_id);
      const same =
        Number(row?.total) === timings.length &&
        Number(row?.successful) === timings.length - failed &&
        Math.abs(row!.sum_ms - sum_ms) <= sum_ms * 1e-12;
      if (!same)
        throw new Error(`${model_id} was sent ${timings.length}, ${failed} failed, ${sum_ms} ms; counted is ${JSON.stringify(row)}`);
    }
    if (counted.size !== this.sent.models.size)
      throw new Error(`${counted.size} models have metrics, ${this.sent.models.size} were sent any`);
    await this.manager.streams.purge(inferenceStream.name);
  }
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

import { AckPolicy, DeliverPolicy } from '@nats-io/jetstream';
import { inferenceStream } from '#contracts/inference.js';
import { type Consumed, type ConsumeOptions } from './consume.load.js';
import { startLoad } from './load-process.js';
import { type Measured, ratioRow, type Row } from './row.js';
import { type TestBed } from './test-bed.js';
import { upserts } from './upserts.js';

const inFlight = 256;
const perBatch = 200;
const durable = 'bench';
const perSecond = { singles: 20_000, batches: 200_000, many: 60_000 };

const measured = (values: number[], unit = 'events/s'): Measured => ({ values, unit });

/** Single events from JetStream into the counters by one replica, against a process that only consumes and parses the same messages. */
export async function singles(bed: TestBed): Promise<Row[]> {
  const models = await bed.models(100);
  const limit: number[] = [];
  const ours: number[] = [];
  for (let round = 0; round < bed.rounds; round++) {
    const backlog = await Backlog.of(bed, models, perSecond.singles * bed.seconds, 1);
    limit.push(await backlog.consumedPlainly());
    ours.push(await backlog.counted());
  }
  return [ratioRow('single events, published → committed, 1 replica', measured(ours), 'consume and parse', measured(limit), 0.6)];
}

/** The same with batches of 200. */
export async function batches(bed: TestBed): Promise<Row[]> {
  const models = await bed.models(100);
  const limit: number[] = [];
  const ours: number[] = [];
  const upsert: number[] = [];
  for (let round = 0; round < bed.rounds; round++) {
    const backlog = await Backlog.of(bed, models, perSecond.batches * bed.seconds, perBatch);
    limit.push(await backlog.consumedPlainly());
    upsert.push(await upserts(bed.database, bed.seconds));
    ours.push(await backlog.counted());
  }
  const path = `batches of ${perBatch}, 100 models, published → committed`;
  return [
    ratioRow(path, measured(ours), 'consume and parse batches', measured(limit), 0.3),
    ratioRow('… the same', measured(ours), '1000-row upsert', measured(upsert, 'rows/s'), 2),
  ];
}

/** The same over ever more models. */
export async function manyModels(bed: TestBed): Promise<Row[]> {
  const counts = [100, 1_000, 10_000];
  const rates = new Map<number, number[]>(counts.map((count) => [count, []]));
  const all = await bed.models(10_000);
  for (let round = 0; round < bed.rounds; round++) {
    for (const [count, figures] of rates) {
      const backlog = await Backlog.of(bed, all.slice(0, count), perSecond.many * bed.seconds, perBatch);
      figures.push(await backlog.counted());
    }
  }
  const [base, ...more] = counts.map((count) => measured(rates.get(count)!));
  return [
    ratioRow(`batches of ${perBatch}, 1,000 models`, more[0]!, '100 of 10,000 models', base!, 0.5),
    ratioRow(`batches of ${perBatch}, 10,000 models`, more[1]!, '100 of 10,000 models', base!, 0.25),
  ];
}

/**
 * Messages that were published while no replica of metrics ran. A rate is all of them over the time from the first delivery to a consumer to
 * the last acknowledgement: metrics acknowledges after its commit. From the first acknowledgement on would be too kind, since by then it has
 * decoded what it holds already.
 */
class Backlog {
  private constructor(
    private readonly bed: TestBed,
    private readonly messages: number,
    private readonly per_message: number,
  ) {}

  static async of(bed: TestBed, models: string[], events: number, per_message: number): Promise<Backlog> {
    await bed.check();
    await bed.suite.stop('metrics');
    const publisher = await bed.publisher(models, { events, per_message, pace: { in_flight: inFlight } });
    await publisher.run();
    const { num_pending: waiting } = await bed.backlog();
    if (waiting !== publisher.messages) throw new Error(`${publisher.messages} messages were published and ${waiting} wait`);
    return new Backlog(bed, publisher.messages, per_message);
  }

  /** The limit: one process that consumes, parses and acknowledges. Events a second. */
  async consumedPlainly(): Promise<number> {
    const { manager, suite } = this.bed;
    await manager.consumers.add(inferenceStream.name, {
      durable_name: durable,
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      max_ack_pending: 20_000,
    });
    const options: ConsumeOptions = { nats_url: suite.nats_url, durable, messages: this.messages };
    const load = await startLoad<Consumed>(suite, 'consume', options);
    const [rate, { events }] = await Promise.all([this.rateOf(durable), load.run()]);
    if (events !== this.messages * this.per_message) throw new Error(`${events} events were consumed`);
    await manager.consumers.delete(inferenceStream.name, durable);
    return rate;
  }

  /** Ours: metrics is started, and counts. Events a second. */
  async counted(): Promise<number> {
    const [rate] = await Promise.all([this.rateOf(inferenceStream.durable), this.bed.suite.start('metrics')]);
    await this.bed.check();
    return rate;
  }

  private async rateOf(name: string): Promise<number> {
    let began: number | undefined;
    await this.bed.settled(name, ({ num_pending }) => {
      if (num_pending < this.messages) began ??= performance.now();
    });
    return (this.messages * this.per_message * 1_000) / (performance.now() - began!);
  }
}

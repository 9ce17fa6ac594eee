import { AckWindow } from '#client/ack-window.js';
import { type Metrics } from '#contracts/metrics.js';
import { boundRow, type Row, shown } from './row.js';
import { sleep, type TestBed } from './test-bed.js';

const perBatch = 200;
const inFlight = 256;
const eventsPerSecond = 120_000;
const probeEveryMs = 50;
const pollMs = 5;
/** A percentile 99 needs more than a rate does. */
const longer = 3;

const shares = [
  { share: 0.5, name: 'half load', goals: { p50: 50, p99: 250 } },
  { share: 0.9, name: '90 % load', goals: { p50: null, p99: 1_000 } },
] as const;

/** From the acknowledgement of an event to the answer of GET metrics that has it, at shares of the load that can be kept up. */
export async function visibility(bed: TestBed): Promise<Row[]> {
  const models = await bed.models(100);
  const [probed = ''] = await bed.ownModels('Probed', 1);
  const kept: number[] = [];
  const figures = shares.map(() => ({ p50: [] as number[], p99: [] as number[] }));
  for (let round = 0; round < bed.rounds; round++) {
    const most = await mostThatIsKept(bed, models);
    kept.push(most);
    for (const [index, { share }] of shares.entries()) {
      const delays = await delaysAt(bed, models, probed, most * share);
      figures[index]!.p50.push(quantile(delays, 0.5));
      figures[index]!.p99.push(quantile(delays, 0.99));
    }
  }
  const unit = 'ms';
  return shares.flatMap(({ name, goals }, index) => {
    const { p50, p99 } = figures[index]!;
    return [
      boundRow(
        `visible in \`GET …/metrics\` at ${name} of ${shown({ values: kept, unit: 'events/s' })}, p50`,
        { values: p50, unit },
        goals.p50,
      ),
      boundRow(`… p99 at ${name}`, { values: p99, unit }, goals.p99),
    ];
  });
}

/** Events a second from the first publish to the last commit, publisher and all else at work on the same cores. */
async function mostThatIsKept(bed: TestBed, models: string[]): Promise<number> {
  const events = eventsPerSecond * bed.seconds;
  const publisher = await bed.publisher(models, { events, per_message: perBatch, pace: { in_flight: inFlight } });
  const began = performance.now();
  await publisher.run();
  await bed.settled();
  const rate = (publisher.messages * perBatch * 1_000) / (performance.now() - began);
  await bed.check();
  return rate;
}

async function delaysAt(bed: TestBed, models: string[], probed: string, events_per_second: number): Promise<number[]> {
  const per_second = events_per_second / perBatch;
  const seconds = bed.seconds * longer;
  const events = Math.ceil(events_per_second) * bed.seconds;
  const messages = Math.ceil(per_second * seconds);
  const publisher = await bed.publisher(models, { events, per_message: perBatch, messages, pace: { per_second } });
  const [delays] = await Promise.all([probe(bed, probed, (seconds * 1_000) / probeEveryMs), publisher.run()]);
  await bed.check();
  return delays;
}

/** One event every 50 ms, however long the ones before take. Milliseconds from each one's acknowledgement. */
async function probe(bed: TestBed, model_id: string, count: number): Promise<number[]> {
  const window = new AckWindow(bed.connection);
  const before = bed.sent.total(model_id);
  const acked: number[] = [];
  const delays: number[] = [];
  const publish = async (index: number): Promise<void> => {
    const event = { model_id, timing_ms: 100 + (index % 50), success: true };
    await window.send(Buffer.from(JSON.stringify({ ...event, occurred_at: new Date().toISOString() })));
    acked[index] = performance.now();
    bed.sent.add(event);
  };
  const began = performance.now();
  const publishing = (async () => {
    const all: Promise<void>[] = [];
    for (let index = 0; index < count; index++) {
      await sleep(began + index * probeEveryMs - performance.now());
      all.push(publish(index));
    }
    await Promise.all(all);
  })();
  while (delays.length < count) {
    const { total_inferences } = await bed.ask<Metrics>(`/registry/${model_id}/metrics`);
    const at = performance.now();
    // One that is counted before its acknowledgement is here was visible at once.
    while (delays.length < total_inferences - before) delays.push(Math.max(0, at - (acked[delays.length] ?? at)));
    await sleep(pollMs);
  }
  await publishing;
  window.close();
  return delays;
}

const quantile = (values: number[], q: number): number => [...values].sort((a, b) => a - b)[Math.ceil(q * values.length) - 1] ?? 0;

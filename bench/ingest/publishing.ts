import { type JetStreamManager, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import { startLoad } from './load-process.js';
import { type Published, type PublishOptions } from './publish.load.js';
import { type Reported, type ReportOptions } from './report.load.js';
import { boundRow, ratioRow, type Row } from './row.js';
import { type TestBed } from './test-bed.js';

const modelCount = 100;
const inFlight = 512;
const limitEventsPerSecond = 60_000;
const oursEventsPerSecond = 60_000;
const stream = 'BENCH';
const subject = 'bench.singles';

/** InferenceReporter against a plain publisher. */
export async function publishing(bed: TestBed): Promise<Row[]> {
  const models = await bed.models(modelCount);
  await bed.manager.streams.add({ name: stream, subjects: [subject], storage: StorageType.File, retention: RetentionPolicy.Limits });
  const limit: number[] = [];
  const ours: number[] = [];
  const oneByOne: number[] = [];
  for (let round = 0; round < bed.rounds; round++) {
    limit.push(await plain(bed, models));
    ours.push(await report(bed, models, inFlight, oursEventsPerSecond * bed.seconds));
    const calls = 100 * bed.seconds;
    oneByOne.push(1_000 / (await report(bed, models, 1, calls)));
    await bed.check();
  }
  await bed.manager.streams.delete(stream);
  return [
    ratioRow(
      `\`InferenceReporter\`, single events, ${inFlight} calls under way`,
      { values: ours, unit: 'events/s' },
      'own-window publish of singles',
      { values: limit, unit: 'messages/s' },
      0.6,
    ),
    boundRow('… one call after another, each', { values: oneByOne, unit: 'ms' }, null),
  ];
}

async function plain(bed: TestBed, models: string[]): Promise<number> {
  const plan = bed.plan(models, limitEventsPerSecond * bed.seconds);
  const options: PublishOptions = {
    nats_url: bed.suite.nats_url,
    subject,
    numbered: false,
    plan,
    per_message: 1,
    messages: plan.events,
    pace: { in_flight: inFlight },
  };
  const load = await startLoad<Published>(bed.suite, 'publish', options);
  const { acked, seconds } = await load.run();
  await assertStored(bed.manager, acked);
  await bed.manager.streams.purge(stream);
  return acked / seconds;
}

async function assertStored(manager: JetStreamManager, acked: number): Promise<void> {
  const { state } = await manager.streams.info(stream);
  if (state.messages !== acked) throw new Error(`${acked} messages were acknowledged and ${state.messages} are stored`);
}

/** Events a second. */
async function report(bed: TestBed, models: string[], callers: number, events: number): Promise<number> {
  const plan = bed.plan(models, events);
  const options: ReportOptions = { nats_url: bed.suite.nats_url, plan, callers };
  const load = await startLoad<Reported>(bed.suite, 'report', options);
  const { acked, seconds } = await load.run();
  if (acked !== plan.events) throw new Error(`${plan.events} events were reported and ${acked} acknowledged`);
  bed.sent.addPlan(plan, 1, plan.events);
  return acked / seconds;
}

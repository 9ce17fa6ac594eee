import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstream } from '@nats-io/jetstream';
import { headers as createHeaders } from '@nats-io/transport-node';
import { inferenceStream } from '#contracts/inference.js';
import { eventually } from '../api.harness.js';
import { FaultSuite } from './fault-suite.harness.js';
import { findings, type SentMessage, shortened } from './history.harness.js';
import { EventPlan } from './plan.harness.js';
import { lastingMs, Random, seed, sleep, timeoutMs } from './seed.harness.js';
import { SmallDisk, whyNoDisk } from './small-disk.harness.js';
import { Traffic, windowsOf } from './traffic.harness.js';

const notMounted = whyNoDisk();
let disk: SmallDisk | undefined;
let suite: FaultSuite;
let traffic: Traffic | undefined;
let unwatched: string;

beforeAll(async () => {
  if (!notMounted) disk = new SmallDisk(160);
  suite = await FaultSuite.start({ replicas: ['metrics'], ...(disk && { storeDir: join(disk.path, 'nats') }), maxBytes: 96 * 1024 ** 2 });
  [unwatched] = (await suite.models(1)) as [string];
}, 60_000);
afterAll(async () => {
  await suite?.close();
  disk?.remove();
});
afterEach(async () => {
  await traffic?.stop();
  traffic = undefined;
});

/** The status with which the gateway answers an inference of a model that nobody looks at. */
const record = async (): Promise<number> =>
  (await suite.api.send(`/registry/${unwatched}/inference?timing_ms=1`, { method: 'POST' })).status;

const streamState = async () => (await (await suite.manager()).streams.info(inferenceStream.name)).state;

describe(`the stream, with seed ${seed}`, () => {
  const outage = 3;
  it(
    'may be away for longer than it remembers message ids: what producers send again is counted once',
    async () => {
      const random = new Random(seed, 'outage');
      traffic = await Traffic.start(suite, { random, lasting_ms: lastingMs(outage) + 4_000 });
      await sleep(random.whole(500, 1_000));
      // The window is 1 s. Killed while messages are under way, so that some are stored and not acknowledged.
      await suite.nats.kill();
      await sleep(lastingMs(outage));
      await suite.nats.restart();
      await sleep(1_000);
      await traffic.finish();
      expect(await traffic.findings()).toEqual([]);
    },
    timeoutMs(outage),
  );

  it('stores a second time what is sent again after its window, which is counted once', async () => {
    const publisher = new Publisher(suite, new EventPlan(await suite.models(4)), 'stored-twice');
    await publisher.publish([0, 1, 2, 3]);
    // How long the stream remembers it.
    await sleep(1_200);
    expect((await publisher.repeat(0)).duplicate).toBe(false);
    expect(await publisher.findings()).toEqual([]);
  }, 60_000);

  it('is answered 503 while it is full, and goes on once there is room: what was acknowledged is counted', async () => {
    const manager = await suite.manager();
    const { config, state } = await manager.streams.info(inferenceStream.name);
    await manager.streams.update(inferenceStream.name, { ...config, max_bytes: state.bytes + 128 * 1024 });
    traffic = await Traffic.start(suite, { random: new Random(seed, 'full'), lasting_ms: 5_000 });
    await eventually(record, (status) => status === 503, 30_000);
    await manager.streams.update(inferenceStream.name, config);
    await eventually(record, (status) => status === 200, 10_000);
    // The producers were refused too, and have kept what was.
    await traffic.finish();
    expect(await traffic.findings()).toEqual([]);
  }, 90_000);

  const ofStream = `jetstream/EMR/streams/${inferenceStream.name}`;
  describe.each([
    ['with all its files', 'jetstream'],
    ['and not the place its consumer has reached', `${ofStream}/msgs`],
  ])('when it is rewound to an older state by a power cut, %s', (_, part) => {
    it('what takes a sequence number a second time is counted too, whoever numbered it', async () => {
      const random = new Random(seed, `rewind ${part}`);
      const plans = [new EventPlan(await suite.models(4)), new EventPlan(await suite.models(4))] as const;
      const numbered = new Publisher(suite, plans[0], `rewound-${part.length}`);
      const unnumbered = new Publisher(suite, plans[1], undefined);
      const messages = plans[0].messages(random, 20);
      const send = async (count: number): Promise<void> => {
        for (const slots of messages.splice(0, count)) for (const publisher of [numbered, unnumbered]) await publisher.publish(slots);
      };
      await send(30);
      await suite.lagIsZero();
      const copy = await mkdtemp(join(process.env.TEST_SERVERS_DIR ?? tmpdir(), 'copy-'));
      const files = join(suite.nats.storeDir, part);
      await cp(files, copy, { recursive: true });

      await send(20);
      await suite.lagIsZero();
      const { last_seq } = await streamState();
      await suite.end('metrics');
      await suite.nats.kill();
      await rm(files, { recursive: true });
      await cp(copy, files, { recursive: true });
      await rm(copy, { recursive: true });
      // No machine is back from a power cut within a second; a place that is given again within one is taken for a redelivery.
      await sleep(1_000);
      await suite.nats.restart();
      const lastNow = (): Promise<number> =>
        streamState().then(
          (state) => state.last_seq,
          () => last_seq,
        );
      await eventually(lastNow, (last) => last < last_seq, 10_000);

      // More than were lost, so that some take numbers that were given before and some new ones; and all before a replica looks.
      await send(30);
      expect(await lastNow()).toBeGreaterThan(last_seq);
      await suite.whole();
      expect({ numbered: await numbered.findings(), unnumbered: await unnumbered.findings() }).toEqual({ numbered: [], unnumbered: [] });
    }, 90_000);
  });
});

// A disk of its own that can be filled needs mount(2): root on Linux, which CI is and a laptop is not.
(notMounted ? describe.skip : describe)(`the disk of the stream, with seed ${seed}${notMounted ? ` (skipped: ${notMounted})` : ''}`, () => {
  it('is answered 503 while it is full, and what was acknowledged is counted once there is room again', async () => {
    traffic = await Traffic.start(suite, { random: new Random(seed, 'disk'), lasting_ms: 8_000 });
    disk!.fill();
    await eventually(record, (status) => status === 503, 30_000);
    disk!.clear();
    // A nats-server switches JetStream off when its disk is full, until an operator starts it again.
    await suite.nats.kill();
    await suite.nats.restart();
    await eventually(record, (status) => status === 200, 20_000);
    await traffic.finish();
    expect(await traffic.findings()).toEqual([]);
  }, 90_000);
});

/** Publishes one message after the other from the test itself, each acknowledged. Without a name its messages carry no number. */
class Publisher {
  private readonly sent: SentMessage[] = [];

  constructor(
    private readonly suite: FaultSuite,
    private readonly plan: EventPlan,
    private readonly name: string | undefined,
  ) {}

  async publish(slots: readonly number[]): Promise<void> {
    const sequence = this.sent.length;
    this.sent.push({ producer: this.name ?? 'unnumbered', sequence, slots, acknowledged: true });
    await this.repeat(sequence);
  }

  /** The same bytes and headers again. */
  async repeat(sequence: number) {
    const headers = createHeaders();
    if (this.name) {
      headers.set(inferenceStream.producerHeader, this.name);
      headers.set(inferenceStream.sequenceHeader, String(sequence));
      headers.set('Nats-Msg-Id', `${this.name}:${sequence}`);
    }
    return jetstream(this.suite.connection).publish(inferenceStream.subject, this.plan.body(this.sent[sequence]!.slots), { headers });
  }

  async findings(): Promise<string[]> {
    await this.suite.lagIsZero();
    return shortened(findings(this.plan, this.sent, { windows: await windowsOf(this.suite, this.plan.models) }));
  }
}

import { FaultSuite } from './fault-suite.harness.js';
import { carryOut, lastingMs, Random, schedule, seed, sleep, timeoutMs } from './seed.harness.js';
import { TcpProxy } from './tcp-proxy.harness.js';
import { Traffic } from './traffic.harness.js';

let suite: FaultSuite;
let toNats: TcpProxy;
let toPostgres: TcpProxy;
let traffic: Traffic | undefined;

beforeAll(async () => {
  // A first one publishes the health of models, without which a gateway is not ready.
  suite = await FaultSuite.start({ replicas: ['metrics'] });
  await suite.end('metrics');
  toNats = await TcpProxy.to(suite.nats.port);
  toPostgres = await TcpProxy.to(Number(new URL(suite.postgres.url).port));
  // The only replica, so that no other one makes up for what this one does not do.
  await suite.run('metrics', {
    NATS_URL: toNats.between(suite.nats.urls.metrics),
    DATABASE_URL: toPostgres.between(suite.postgres.urls.metrics),
  });
  await suite.ready('metrics');
}, 60_000);
afterAll(async () => {
  await suite?.close();
  await toNats?.close();
  await toPostgres?.close();
});
afterEach(async () => {
  for (const proxy of [toNats, toPostgres]) {
    proxy.heal();
    proxy.reset();
  }
  await traffic?.stop();
  traffic = undefined;
  await suite.ready('metrics');
}, 60_000);

describe(`with seed ${seed}`, () => {
  const losing = 4;
  it(
    'acknowledgements that are lost after the commit bring the messages again, and none is counted again',
    async () => {
      const random = new Random(seed, 'acknowledgements');
      const before = await suite.repeats();
      traffic = await Traffic.start(suite, { random, lasting_ms: lastingMs(losing) });
      for (const until = Date.now() + lastingMs(losing); Date.now() < until;) {
        // The first acknowledgement follows a commit; it and all that the replica says from there on is lost.
        await toNats.blackholeFrom('up', (chunk) => chunk.includes('$JS.ACK'));
        await sleep(2_000 + random.whole(0, 500));
        toNats.heal();
        toNats.reset();
        await sleep(random.whole(100, 500));
      }
      await traffic.finish();
      expect(await traffic.findings()).toEqual([]);
      expect(await suite.repeats()).toBeGreaterThan(before);
    },
    timeoutMs(losing),
  );

  const disturbing = 7;
  it(
    'latency, bytes in pieces, partitions one way and both, and resets, towards NATS and PostgreSQL, lose and double nothing',
    async () => {
      const random = new Random(seed, 'partitions');
      const faults = ['delay', 'slice', 'up', 'down', 'both', 'reset'] as const;
      const all = faults.flatMap((fault) => [
        { fault, proxy: toNats },
        { fault, proxy: toPostgres },
      ]);
      const steps = schedule(random, all, lastingMs(disturbing), [50, 200], [200, 700]);
      // The producers' own way to NATS is as bad.
      const nats_url = toNats.between(suite.nats.urls.publisher);
      traffic = await Traffic.start(suite, { random, lasting_ms: lastingMs(disturbing), nats_url });
      const pieces = new Random(seed, 'pieces');
      await carryOut(
        steps,
        ({ fault, proxy }) => {
          if (fault === 'delay') proxy.delay(random.whole(20, 200));
          else if (fault === 'slice') proxy.slice(pieces, 20);
          else if (fault === 'reset') proxy.reset();
          else if (fault === 'both') proxy.blackhole('up', 'down');
          else proxy.blackhole(fault);
        },
        ({ fault, proxy }) => {
          proxy.heal();
          // The bytes that were swallowed are missing in the middle of these connections.
          if (fault === 'up' || fault === 'down' || fault === 'both') proxy.reset();
        },
      );
      await traffic.finish();
      expect(await traffic.findings()).toEqual([]);
    },
    timeoutMs(disturbing),
  );

  const hanging = 1;
  it(
    'a replica notices by itself that its connections to NATS and PostgreSQL are half open, one after the other, and counts everything',
    async () => {
      const random = new Random(seed, 'half open');
      traffic = await Traffic.start(suite, { random, lasting_ms: 2 * lastingMs(hanging) });
      await sleep(lastingMs(hanging) / 2);
      toNats.halfOpen();
      await sleep(lastingMs(hanging));
      toPostgres.halfOpen();
      await sleep(lastingMs(hanging) / 2);
      await traffic.finish();
      expect(await traffic.findings()).toEqual([]);
    },
    timeoutMs(2 * hanging),
  );
});

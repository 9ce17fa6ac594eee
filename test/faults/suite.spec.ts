import { join } from 'node:path';
import { FaultSuite } from './fault-suite.harness.js';
import { shortened } from './history.harness.js';
import { tickSeconds } from './running.harness.js';
import { carryOut, isLong, lastingMs, promisedMs, Random, schedule, seed, timeoutMs } from './seed.harness.js';
import { SmallDisk, whyNoDisk } from './small-disk.harness.js';
import { type Asked, type Disturbance } from './suite-history.harness.js';
import { Workload } from './workload.harness.js';

const pairs = [
  ['registry', 'registry-b'],
  ['metrics', 'metrics-b'],
  ['flags', 'flags-b'],
  ['validation', 'validation-b'],
  ['gateway', 'gateway-b'],
] as const;
const gateways = ['gateway', 'gateway-b'];
const names = pairs.flat();
/** What a client's balancer takes to notice that a gateway is back or gone. */
const noticeMs = 1_500;
const backWithinMs = promisedMs(15_000);
/** Askers give a service up after 2 s, see libs/contracts; a service its database sooner. */
const slowMs = 1_500;

/** What the services' streams may take together, and a third more: a nats-server takes no more than three quarters of a disk. */
const disk = whyNoDisk() ? undefined : new SmallDisk(900);
let suite: FaultSuite;
let workload: Workload;
const restarting = 15;
const disturbing = 15;

beforeAll(async () => {
  suite = await FaultSuite.start({
    ownPostgres: true,
    proxied: true,
    replicas: names.filter((name) => !['registry', 'flags', 'gateway'].includes(name)),
    ...(disk && { storeDir: join(disk.path, 'nats') }),
    maxBytes: 96 * 1024 ** 2,
    environment: {
      DRAIN_SECONDS: '1',
      // A busy machine is no overload: test/load is about that.
      OVERLOAD_AFTER_MS: '0',
      DATABASE_POOL_SIZE: '5',
      HEALTH_TICK_SECONDS: '1',
      ROLLOUT_TICK_SECONDS: String(tickSeconds),
      VALIDATION_LEASE_SECONDS: '2',
      VALIDATION_FINISH_SECONDS: '2',
      VALIDATION_ALLOWED_NETWORKS: '127.0.0.0/8',
      WEBHOOK_ALLOWED_NETWORKS: '127.0.0.0/8',
    },
  });
  workload = await Workload.prepare(suite, gateways, 3 * lastingMs(restarting) + 2 * lastingMs(disturbing));
}, 90_000);
afterAll(async () => {
  await workload?.close();
  await suite?.close();
  disk?.remove();
});

const faults = [
  ...names.flatMap((name) => [`kill ${name}`, `freeze ${name}`]),
  ...['kill nats', 'kill postgres', 'cut nats', 'cut postgres', 'part nats', 'part postgres', 'delay all'],
  ...(disk ? ['fill the disk'] : []),
];

async function begin(fault: string, random: Random): Promise<void> {
  const [what, victim = ''] = fault.split(' ');
  const proxy = victim === 'nats' ? suite.toNats! : suite.toPostgres!;
  if (what === 'freeze') suite.signal(victim, 'SIGSTOP');
  else if (what === 'cut') proxy.reset();
  else if (what === 'part') proxy.blackhole('up', 'down');
  else if (what === 'delay') for (const slow of [suite.toNats!, suite.toPostgres!]) slow.delay(random.whole(10, 100));
  else if (what === 'fill') disk!.fill();
  else if (victim === 'nats') await suite.nats.kill();
  else if (victim === 'postgres') await suite.postgres.kill();
  else await suite.end(victim);
}

async function end(fault: string): Promise<void> {
  const [what, victim = ''] = fault.split(' ');
  if (what === 'freeze') suite.signal(victim, 'SIGCONT');
  else if (what === 'part' || what === 'delay') {
    for (const proxy of [suite.toNats!, suite.toPostgres!]) proxy.heal();
    if (what === 'part') (victim === 'nats' ? suite.toNats! : suite.toPostgres!).reset();
  } else if (what === 'fill') {
    disk!.clear();
    // A nats-server switches JetStream off when its disk is full, until an operator starts it again.
    await suite.nats.restart();
  } else if (what === 'kill') {
    if (victim === 'nats') await suite.nats.restart();
    else if (victim === 'postgres') await suite.postgres.restart();
    else await suite.run(victim);
  }
}

describe(`the whole suite, with seed ${seed}`, () => {
  it(
    'is restarted replica by replica under load, and nobody notices',
    async () => {
      await workload.start(3 * lastingMs(restarting));
      const restarts: { name: string; at_ms: number }[] = [];
      const codes = new Map<string, number | null>();
      // All but the second replicas: those end and start as the first ones do.
      for (const name of isLong ? names : names.filter((one) => !one.endsWith('-b'))) {
        restarts.push({ name, at_ms: Date.now() });
        codes.set(name, await suite.end(name, 'SIGTERM'));
        await suite.run(name);
        await suite.ready(name);
      }
      await workload.stop();
      expect([...codes].filter(([, code]) => code !== 0)).toEqual([]);
      const during = (ms: number): string => restarts.findLast(({ at_ms }) => at_ms <= ms)?.name ?? 'the start';
      // A machine that is too busy to answer in time, or to store, is nobody's fault as long as what is known is answered; where there are no
      // other tests beside this one, as long as all that is read is. That nobody listens, as where the last replica goes before the next one is
      // ready, would be told at once.
      const isSlow = ({ kind, code, took_ms, projected }: Asked): boolean =>
        !projected &&
        !(isLong && kind.startsWith('GET ')) &&
        code === 'SERVICE_UNAVAILABLE' &&
        (took_ms >= slowMs || kind.startsWith('POST inference'));
      const failed = workload.asked.filter((one) => one.status !== 200 && !one.expected.includes(one.code ?? '') && !isSlow(one));
      const told = failed.map(({ kind, request_id, gateway, status, code, began_ms, took_ms }) => {
        return `${kind} at ${gateway}: ${status} ${code} in ${took_ms} ms, while ${during(began_ms)} was restarted (${request_id})`;
      });
      expect(shortened(told)).toEqual([]);
      expect(shortened(await workload.findings())).toEqual([]);
      expect(workload.asked.length).toBeGreaterThan(500);
    },
    timeoutMs(restarting) + names.length * backWithinMs,
  );

  it(
    'serves right what it serves, whatever is killed, frozen, cut, slow or full',
    async () => {
      const random = new Random(seed, 'suite');
      const steps = schedule(random, faults, lastingMs(disturbing), [200, 1_000], [200, 1_800]);
      await workload.start(2 * lastingMs(disturbing));
      const disturbances: Disturbance[] = [];
      const since = new Map<string, Disturbance>();
      await carryOut(
        steps,
        async (fault) => {
          const gateway = gateways.find((name) => fault.split(' ')[1] === name);
          if (gateway) {
            const disturbance = { gateway, from_ms: Date.now(), to_ms: Infinity };
            disturbances.push(disturbance);
            since.set(fault, disturbance);
          }
          await begin(fault, random);
        },
        async (fault) => {
          await end(fault);
          const disturbance = since.get(fault);
          if (!disturbance) return;
          void suite.ready(disturbance.gateway).then(
            () => (disturbance.to_ms = Date.now() + noticeMs),
            () => undefined,
          );
        },
      );
      const began = Date.now();
      await Promise.all(names.map((name) => suite.ready(name)));
      const backAfterMs = Date.now() - began;
      await workload.stop();
      await suite.whole();
      expect(shortened(await workload.findings(disturbances))).toEqual([]);
      expect(backAfterMs).toBeLessThan(backWithinMs);
    },
    timeoutMs(disturbing) + lastingMs(disturbing),
  );
});

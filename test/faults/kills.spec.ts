import { FaultSuite } from './fault-suite.harness.js';
import { carryOut, lastingMs, Random, schedule, seed, sleep, timeoutMs } from './seed.harness.js';
import { Traffic } from './traffic.harness.js';

let suite: FaultSuite;
let traffic: Traffic | undefined;

beforeAll(async () => {
  suite = await FaultSuite.start({ ownPostgres: true, replicas: ['metrics-a', 'metrics-b'] });
}, 60_000);
afterAll(() => suite?.close());
beforeEach(() => suite.whole(), 60_000);
afterEach(async () => {
  await traffic?.stop();
  traffic = undefined;
});

describe(`with seed ${seed}`, () => {
  const killing = 9;
  it(
    'kill -9 of producers, nats-server, replicas and PostgreSQL in any order neither loses nor doubles an event',
    async () => {
      const random = new Random(seed, 'kills');
      const victims = ['producer-0', 'producer-1', 'nats', 'postgres', 'metrics-a', 'metrics-b'] as const;
      const steps = schedule(random, victims, lastingMs(killing), [100, 1_200], [50, 1_000]);
      traffic = await Traffic.start(suite, { random, lasting_ms: lastingMs(killing) });
      const running = traffic;
      await carryOut(
        steps,
        async (victim) => {
          if (victim === 'nats') await suite.nats.kill();
          else if (victim === 'postgres') await suite.postgres.kill();
          else if (victim.startsWith('producer')) await running.kill(Number(victim.at(-1)));
          else await suite.end(victim);
        },
        async (victim) => {
          if (victim === 'nats') await suite.nats.restart();
          else if (victim === 'postgres') await suite.postgres.restart();
          else if (victim.startsWith('producer')) running.revive(Number(victim.at(-1)));
          else await suite.run(victim);
        },
      );
      await traffic.finish();
      expect(await traffic.findings()).toEqual([]);
    },
    timeoutMs(killing),
  );

  const freezing = 5;
  it(
    'a replica that is frozen for longer than its messages are lent to it finds them counted when it thaws',
    async () => {
      const random = new Random(seed, 'freeze');
      const before = await suite.repeats();
      const steps = schedule(random, ['metrics-a', 'metrics-b'] as const, lastingMs(freezing), [200, 600], [2_300, 3_200]);
      traffic = await Traffic.start(suite, { random, lasting_ms: 3 * lastingMs(freezing) });
      const freeze = (replica: string): void => suite.signal(replica, 'SIGSTOP');
      const thaw = (replica: string): void => suite.signal(replica, 'SIGCONT');
      await carryOut(steps, freeze, thaw);
      // Where nothing was in the frozen hands, they are frozen again while there is traffic.
      const more = schedule(random, ['metrics-a', 'metrics-b'] as const, 2 * lastingMs(freezing), [50, 200], [2_300, 2_600]);
      for (const step of more) {
        if ((await suite.repeats()) > before) break;
        await carryOut([{ ...step, at_ms: 0 }], freeze, thaw);
      }
      await traffic.finish();
      expect(await traffic.findings()).toEqual([]);
      expect(await suite.repeats()).toBeGreaterThan(before);
    },
    timeoutMs(freezing),
  );

  const replacing = 4;
  // One version is at hand: this is an upgrade to the same version. What one replica writes and the other reads is the tables alone.
  it(
    'two replicas share the consumer while one of them is replaced again and again, gently or not',
    async () => {
      const random = new Random(seed, 'replace');
      const steps = schedule(random, ['SIGTERM', 'SIGKILL'] as const, lastingMs(replacing), [1_000, 1_900], [0, 100]);
      traffic = await Traffic.start(suite, { random, lasting_ms: 2 * lastingMs(replacing) });
      // A step waits for the replica to be ready: on a busy machine all of them take twice as long.
      const codes: (number | null)[] = [];
      await carryOut(
        steps,
        async (signal) => {
          await suite.ready('metrics-b');
          const code = await suite.end('metrics-b', signal);
          if (signal === 'SIGTERM') codes.push(code);
        },
        () => suite.run('metrics-b'),
      );
      await traffic.finish();
      expect(await traffic.findings()).toEqual([]);
      expect(new Set(codes)).toEqual(new Set([0]));
    },
    2 * timeoutMs(replacing),
  );
});

describe(`PostgreSQL, with seed ${seed}`, () => {
  /** Sessions of the replicas that are in the middle of a transaction that counts. */
  const busy =
    "SELECT pid FROM pg_stat_activity WHERE application_name = 'emr-metrics-ingest' AND xact_start IS NOT NULL AND state <> 'idle'";
  const backends = 2;
  it(
    'kills a session in the middle of its transaction, and restarts itself for it: nothing is lost or doubled',
    async () => {
      const random = new Random(seed, 'backend');
      traffic = await Traffic.start(suite, { random, lasting_ms: lastingMs(backends) });
      let killed = 0;
      for (const until = Date.now() + lastingMs(backends); Date.now() < until || (killed === 0 && Date.now() < until + 20_000);) {
        await sleep(random.whole(1, 20));
        // A session that is gone, or a server in recovery: looked at again.
        const sessions = await suite.rows<{ pid: number }>(busy).catch(() => []);
        const session = sessions.length ? random.pick(sessions) : undefined;
        if (!session) continue;
        process.kill(session.pid, 'SIGKILL');
        killed += 1;
        await sleep(random.whole(500, 1_000));
      }
      await traffic.finish();
      expect(await traffic.findings()).toEqual([]);
      expect(killed).toBeGreaterThan(0);
    },
    timeoutMs(backends),
  );

  const terminating = 2;
  it(
    'ends the sessions of the replicas again and again: nothing is lost or doubled',
    async () => {
      const random = new Random(seed, 'terminate');
      traffic = await Traffic.start(suite, { random, lasting_ms: lastingMs(terminating) });
      let ended = 0;
      for (const until = Date.now() + lastingMs(terminating); Date.now() < until;) {
        await sleep(random.whole(5, 200));
        const gone = await suite.rows<{ application_name: string }>(
          "SELECT application_name, pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'emr-metrics%'",
        );
        ended += gone.filter(({ application_name }) => application_name === 'emr-metrics-ingest').length;
      }
      await traffic.finish();
      expect(await traffic.findings()).toEqual([]);
      expect(ended).toBeGreaterThan(0);
    },
    timeoutMs(terminating),
  );

  const locking = 3;
  it(
    'breaks deadlocks with a session that locks the same rows in reverse: nothing is lost or doubled',
    async () => {
      const random = new Random(seed, 'deadlock');
      traffic = await Traffic.start(suite, { random, lasting_ms: lastingMs(locking) });
      const deadlocks = async (): Promise<number> => {
        const [row] = await suite.rows<{ count: number }>(
          'SELECT deadlocks::int AS count FROM pg_stat_database WHERE datname = current_database()',
        );
        return row!.count;
      };
      const before = await deadlocks();
      const session = await suite.session();
      // The replicas wait at most 1.8 s for a statement: the deadlock must be seen before, and now by them, now by this session.
      await session.query("SET deadlock_timeout = '500 ms'; SET idle_in_transaction_session_timeout = '5 s'");
      const models = traffic.models.slice(0, 4).reverse();
      for (const until = Date.now() + lastingMs(locking); Date.now() < until;) {
        try {
          await session.query('BEGIN');
          for (const model_id of models) {
            await session.query('SELECT FROM metrics.model_window WHERE model_id = $1 FOR UPDATE', [model_id]);
            await sleep(random.whole(50, 300));
          }
        } catch (error) {
          expect(error).toMatchObject({ code: '40P01' });
        }
        await session.query('ROLLBACK');
      }
      await session.end();
      await traffic.finish();
      expect(await traffic.findings()).toEqual([]);
      expect(await deadlocks()).toBeGreaterThan(before);
    },
    timeoutMs(locking),
  );
});

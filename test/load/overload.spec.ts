import { setPriority } from 'node:os';
import { loadSeconds, say } from './load-options.harness.js';
import { type LoadSuite, startLoadSuite } from './load-suite.harness.js';
import { closedLoop, OpenLoop, quantile, type Shots } from './open-loop.harness.js';
import { memoryOf } from './process-watch.harness.js';
import { megabytes } from './soak-verdict.harness.js';

const times = 5;
const atOnce = 32;
const connections = 4_000;
const lastingMs = loadSeconds * 1_000;
const maxP99Ms = 2_000;
const maxGrowthBytes = 400 * 1024 ** 2;

let load: LoadSuite;
beforeAll(async () => {
  load = await startLoadSuite();
  // Who asks shares the machine with them, and may not be what is too slow.
  for (const name of ['gateway', 'registry', 'metrics', 'validation', 'flags']) setPriority(load.suite.pidOf(name), 10);
}, 60_000);
afterAll(() => load?.suite.close());

const accepted = (shots: readonly Shots[]): Shots[] => shots.filter(({ status }) => status === 200);

describe(`${times} times what can be answered`, () => {
  it(
    'is shed with 503 and Retry-After; what is accepted is answered in time, memory stays, and all is well at once afterwards',
    async () => {
      const { suite, port, shots } = load;
      await closedLoop(port, shots, atOnce, 4_000);
      const capacity = await closedLoop(port, shots, atOnce, 2_000);
      const before = memoryOf(suite.pidOf('gateway'));
      let most = before;
      const watch = setInterval(() => (most = Math.max(most, memoryOf(suite.pidOf('gateway')))), 100);
      const answered = await new OpenLoop(port, shots, connections).run(times * capacity, lastingMs);
      clearInterval(watch);
      const afterwards = await new OpenLoop(port, shots, connections).run(capacity / 4, 2_000);

      const taken = accepted(answered);
      const p99 = quantile(
        taken.map(({ took_ms }) => took_ms),
        0.99,
      );
      const refused = answered.filter(({ status }) => status === 503);
      const kept = answered.filter(({ status }) => status === 'kept');
      say(
        [
          `capacity ${capacity.toFixed(0)}/s; asked ${(times * capacity).toFixed(0)}/s`,
          `answered ${((taken.length * 1_000) / lastingMs).toFixed(0)}/s, refused ${((refused.length * 1_000) / lastingMs).toFixed(0)}/s, not sent ${((kept.length * 1_000) / lastingMs).toFixed(0)}/s`,
          `accepted p50 ${quantile(
            taken.map(({ took_ms }) => took_ms),
            0.5,
          ).toFixed(0)} ms, p99 ${p99.toFixed(0)} ms`,
          `refused p99 ${quantile(
            refused.map(({ took_ms }) => took_ms),
            0.99,
          ).toFixed(0)} ms`,
          ...[...new Set(shots.map(({ kind }) => kind))].map((kind) => {
            const times = taken.filter((one) => one.kind === kind).map(({ took_ms }) => took_ms);
            return `  ${kind}: ${times.length} accepted, p50 ${quantile(times, 0.5).toFixed(0)} ms, p99 ${quantile(times, 0.99).toFixed(0)} ms`;
          }),
          `memory ${megabytes(before)}, at most ${megabytes(most)}`,
          `afterwards p99 ${quantile(
            accepted(afterwards).map(({ took_ms }) => took_ms),
            0.99,
          ).toFixed(0)} ms`,
        ].join('\n'),
      );
      expect(refused.length).toBeGreaterThan(0);
      expect(new Set(answered.map(({ status }) => status))).toEqual(new Set([200, 503, ...(kept.length ? ['kept'] : [])]));
      expect(refused.filter(({ retryAfter }) => !retryAfter)).toEqual([]);
      expect(p99).toBeLessThan(maxP99Ms);
      expect(most - before).toBeLessThan(maxGrowthBytes);
      expect(new Set(afterwards.map(({ status }) => status))).toEqual(new Set([200]));
    },
    lastingMs + 60_000,
  );
});

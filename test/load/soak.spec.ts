import { loadSeconds, say } from './load-options.harness.js';
import { type LoadSuite, startLoadSuite } from './load-suite.harness.js';
import { OpenLoop, quantile } from './open-loop.harness.js';
import { sampleOf } from './process-watch.harness.js';
import { megabytes, type Sample, type Verdict, verdictOf } from './soak-verdict.harness.js';

/** Well below what two cores can answer, and far above what one client asks. */
const perSecond = 100;
const lastingMs = loadSeconds * 1_000;
const sampleEveryMs = Math.min(10_000, lastingMs / 8);
const names = ['gateway', 'registry', 'metrics', 'validation', 'flags'];

let load: LoadSuite;
beforeAll(async () => {
  // A machine that is busy with something else is no overload: overload.spec.ts is about that.
  load = await startLoadSuite({ OVERLOAD_AFTER_MS: '0' });
}, 60_000);
afterAll(() => load?.suite.close());

const told = ({ name, growth_bytes, memory_bytes, handles, lag_ms, wrong }: Verdict): string =>
  [
    name.padEnd(10),
    `memory ${memory_bytes.map(megabytes).join(' -> ')}`,
    growth_bytes === null ? 'too short for its growth' : `${megabytes(growth_bytes)} a minute`,
    `handles ${handles.join(' -> ')}`,
    `lag p99 ${lag_ms.map((ms) => ms.toFixed(1)).join(' -> ')} ms`,
    wrong.length ? wrong.join(', ') : 'in order',
  ].join(' | ');

describe('a steady load', () => {
  it(
    'leaves memory, open files and sockets, and the lag of event loops as they were',
    async () => {
      const samples = new Map<string, Sample[]>(names.map((name) => [name, []]));
      const look = async (): Promise<void> => {
        for (const name of names) samples.get(name)!.push(await sampleOf(load.suite, name));
      };
      const watch = setInterval(() => void look(), sampleEveryMs);
      const answered = await new OpenLoop(load.port, load.shots).run(perSecond, lastingMs);
      clearInterval(watch);
      await look();
      const verdicts = [...samples.values()].map(verdictOf);
      const p99 = quantile(
        answered.map(({ took_ms }) => took_ms),
        0.99,
      );
      say([...verdicts.map(told), `${answered.length} requests, p99 ${p99.toFixed(1)} ms`].join('\n'));
      expect(answered.filter(({ status }) => status !== 200)).toEqual([]);
      expect(verdicts.filter(({ wrong }) => wrong.length)).toEqual([]);
    },
    lastingMs + 60_000,
  );
});

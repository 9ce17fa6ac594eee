import { loadRate as perSecond, loadSeconds, say } from './load-options.harness.js';
import { inspected } from './live-heap.harness.js';
import { type LoadSuite, startLoadSuite } from './load-suite.harness.js';
import { OpenLoop, quantile } from './open-loop.harness.js';
import { sampleOf } from './process-watch.harness.js';
import { megabytes, type Sample, type Verdict, verdictOf } from './soak-verdict.harness.js';

const lastingMs = loadSeconds * 1_000;
/** Not more often: each sample takes a full collection. */
const sampleEveryMs = Math.min(20_000, lastingMs / 8);
const names = ['gateway', 'registry', 'metrics', 'validation', 'flags'];

const connectionsAtMost = 100;

let load: LoadSuite;
beforeAll(async () => {
  // A machine that is busy with something else is no overload: overload.spec.ts is about that.
  load = await startLoadSuite({ OVERLOAD_AFTER_MS: '0', NODE_OPTIONS: inspected });
}, 60_000);
afterAll(() => load?.suite.close());

const told = ({ name, growth_bytes, memory_bytes, live_bytes, handles, lag_ms, wrong }: Verdict): string =>
  [
    name.padEnd(10),
    `memory ${memory_bytes.map(megabytes).join(' -> ')}`,
    `held ${live_bytes.map(megabytes).join(' -> ')}, ${growth_bytes === null ? 'too short for its growth' : `${megabytes(growth_bytes)} a minute`}`,
    `handles: ${Object.entries(handles)
      .map(([kind, [begin, end]]) => `${kind} ${begin}${end === begin ? '' : ` -> ${end}`}`)
      .join(', ')}`,
    `lag p99 ${lag_ms.map((ms) => ms.toFixed(1)).join(' -> ')} ms`,
    wrong.length ? wrong.join(', ') : 'in order',
  ].join(' | ');

describe('a steady load', () => {
  it(
    'leaves memory, open files and sockets, and the lag of event loops as they were',
    async () => {
      const loop = new OpenLoop(load.port, load.shots, connectionsAtMost);
      const samples = new Map<string, Sample[]>(names.map((name) => [name, []]));
      const connections: number[] = [];
      let looking = Promise.resolve();
      const look = async (): Promise<void> => {
        connections.push(loop.connections);
        for (const name of names)
          samples.get(name)!.push(await sampleOf(load.suite, name, () => (name === 'gateway' ? loop.connections : 0)));
      };
      const watch = setInterval(() => {
        looking = looking.then(look);
      }, sampleEveryMs);
      const answered = await loop.run(perSecond, lastingMs);
      clearInterval(watch);
      await looking;
      const verdicts = [...samples.values()].map(verdictOf);
      const p99 = quantile(
        answered.map(({ took_ms }) => took_ms),
        0.99,
      );
      const summary = `${answered.length} requests, p99 ${p99.toFixed(1)} ms, over ${connections[0]} -> ${connections.at(-1)} connections`;
      say([...verdicts.map(told), summary].join('\n'));
      expect(answered.filter(({ status }) => status !== 200)).toEqual([]);
      expect(verdicts.filter(({ wrong }) => wrong.length)).toEqual([]);
    },
    lastingMs + 60_000,
  );
});

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import autocannon from 'autocannon';
import { natsBinary, systemLookup } from '#embedded/nats-binary.js';
import { freePort } from '#embedded/ports.js';
import { type SuiteProcesses, startProcesses, untilOk } from './suite.processes.js';

const connections = 64;
const modelCount = 1_000;
const inferencesEach = 20;
const measuredModels = 100;

interface Figure {
  rate: number;
  p50: number;
  p99: number;
}

interface Route {
  name: string;
  path: string;
}

const { values } = parseArgs({
  args: process.argv.slice(3),
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    write: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);

/** Every answer is compared with the one that the route gave before: a fast wrong answer is none. */
async function measure(url: string, body: string, headers: Record<string, string>): Promise<Figure> {
  const result = await autocannon({ url, connections, duration: seconds, headers, expectBody: body });
  const { non2xx, errors, timeouts, mismatches } = result;
  if (non2xx + errors + timeouts + mismatches > 0) throw new Error(`${url}: ${JSON.stringify({ non2xx, errors, timeouts, mismatches })}`);
  return { rate: result.requests.average, p50: result.latency.p50, p99: result.latency.p99 };
}

async function seed({ url, key }: SuiteProcesses): Promise<string[]> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const send = async <Data>(path: string, body?: object): Promise<Data> => {
    const response = await fetch(url + path, { headers, method: body ? 'POST' : 'GET', ...(body && { body: JSON.stringify(body) }) });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return ((await response.json()) as { data: Data }).data;
  };
  const ids: string[] = [];
  for (let index = 0; index < modelCount; index += 50) {
    const batch = Array.from({ length: 50 }, (_, offset) => ({
      name: `Bench ${index + offset}`,
      version: '1.0.0',
      model_type: 'ensemble',
      sport: 'MLB',
      description: 'A model of the read benchmark',
    }));
    const models = await Promise.all(batch.map((body) => send<{ model_id: string }>('/registry', body)));
    ids.push(...models.map(({ model_id }) => model_id));
  }
  for (const id of ids.slice(0, measuredModels)) {
    const record = (timing: number) =>
      fetch(`${url}/registry/${id}/inference?timing_ms=${timing}${timing % 7 ? '' : '&success=false&error=timeout'}`, {
        method: 'POST',
        headers,
      });
    const answers = await Promise.all(Array.from({ length: inferencesEach }, (_, index) => record(100 + 13 * index)));
    if (answers.some(({ ok }) => !ok)) throw new Error('An inference was not recorded');
  }
  for (const id of ids.slice(0, measuredModels)) {
    for (let attempt = 0; ; attempt++) {
      const { total_inferences } = await send<{ total_inferences: number }>(`/registry/${id}/metrics`);
      if (total_inferences === inferencesEach) break;
      if (attempt > 200) throw new Error(`${id} has ${total_inferences} inferences, not ${inferencesEach}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  return ids;
}

const median = (numbers: number[]): number => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
const spread = (numbers: number[], digits: number): string =>
  `${median(numbers).toFixed(digits)} (${Math.min(...numbers).toFixed(digits)}–${Math.max(...numbers).toFixed(digits)})`;

async function compare(suite: SuiteProcesses, { name, path }: Route): Promise<string> {
  const headers = { authorization: `Bearer ${suite.key}` };
  const body = await (await fetch(suite.url + path, { headers })).text();
  const file = join(suite.directory, 'body.json');
  writeFileSync(file, body);
  const port = String(await freePort());
  const bare = suite.spawn('dist/bench/bare.server.js', [file, port]);
  const bareUrl = `http://127.0.0.1:${port}/`;
  await untilOk(bareUrl);
  const ours: Figure[] = [];
  const theirs: Figure[] = [];
  // The first requests meet code that is not compiled yet.
  await measure(bareUrl, body, {});
  await measure(suite.url + path, body, headers);
  for (let round = 0; round < rounds; round++) {
    theirs.push(await measure(bareUrl, body, {}));
    ours.push(await measure(suite.url + path, body, headers));
  }
  bare.kill('SIGTERM');
  const ratios = ours.map(({ rate }, index) => rate / theirs[index]!.rate);
  const column = (figures: Figure[], key: keyof Figure, digits = 0): string =>
    spread(
      figures.map((figure) => figure[key]),
      digits,
    );
  return `| \`${name}\` | ${body.length} | ${column(ours, 'rate')} | ${column(ours, 'p50', 0)} | ${column(ours, 'p99', 0)} | ${column(theirs, 'rate')} | ${spread(ratios, 3)} |`;
}

const load = loadavg()[0] ?? 0;
const suite = await startProcesses();
const rows: string[] = [];
try {
  const ids = await seed(suite);
  const id = ids[0] ?? '';
  const routes: Route[] = [
    { name: 'GET /registry/{id}', path: `/registry/${id}` },
    { name: 'GET /registry?limit=50', path: '/registry?limit=50' },
    { name: 'GET /registry/{id}/metrics', path: `/registry/${id}/metrics` },
    { name: 'GET /registry/{id}/health', path: `/registry/${id}/health` },
  ];
  for (const route of routes) {
    rows.push(await compare(suite, route));
    console.log(rows.at(-1));
  }
} finally {
  await suite.close();
}

const natsVersion = execFileSync(await natsBinary(systemLookup(), console.log), ['--version'], { encoding: 'utf8' }).trim();
const table = [
  `${new Date().toISOString().slice(0, 10)}, ${cpus().length} cores (${cpus()[0]?.model}), ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.version}, PostgreSQL 18 (embedded), ${natsVersion}; load before ${load.toFixed(2)}.`,
  `Five processes, NATS, PostgreSQL and the load generator share the machine. ${rounds} rounds of ${seconds} s each, bare and ours in turn, ${connections} connections, ${modelCount} models, every answer compared byte by byte. Median (min–max).`,
  '',
  '| route | bytes | requests/s | p50 ms | p99 ms | bare Fastify requests/s | ratio |',
  '| --- | --- | --- | --- | --- | --- | --- |',
  ...rows,
].join('\n');
console.log(`\n${table}`);
if (values.write) {
  const target = 'docs/benchmarks.md';
  const text = readFileSync(target, 'utf8');
  writeFileSync(
    target,
    text.replace(/(<!-- reads -->\n)[\s\S]*?(\n<!-- \/reads -->)/, (_, open: string, close: string) => open + table + close),
  );
}

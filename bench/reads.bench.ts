import { parseArgs } from 'node:util';
import { connections, type Figure, httpLoad, startBare } from './http-load.js';
import { machineLine, spread, writeSection } from './measurement.js';
import { type SuiteProcesses, startProcesses } from './suite.processes.js';

const modelCount = 1_000;
const inferencesEach = 20;
const measuredModels = 100;

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

async function compare(suite: SuiteProcesses, { name, path }: Route): Promise<string> {
  const headers = { authorization: `Bearer ${suite.key}` };
  const body = await (await fetch(suite.url + path, { headers })).text();
  const bare = await startBare(suite, body);
  const asked = [{ path: suite.prefix + path, accepts: (answer: string) => answer === body }];
  const load = (): Promise<Figure> => httpLoad(suite.origin, asked, { duration: seconds }, headers);
  const ours: Figure[] = [];
  const theirs: Figure[] = [];
  // The first requests meet code that is not compiled yet.
  await bare.load(seconds);
  await load();
  for (let round = 0; round < rounds; round++) {
    theirs.push(await bare.load(seconds));
    ours.push(await load());
  }
  bare.stop();
  const ratios = ours.map(({ rate }, index) => rate / theirs[index]!.rate);
  const column = (figures: Figure[], key: keyof Figure, digits = 0): string =>
    spread(
      figures.map((figure) => figure[key]),
      digits,
    );
  return `| \`${name}\` | ${body.length} | ${column(ours, 'rate')} | ${column(ours, 'p50', 0)} | ${column(ours, 'p99', 0)} | ${column(theirs, 'rate')} | ${spread(ratios, 3)} |`;
}

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

const table = [
  await machineLine(),
  `Five processes, NATS, PostgreSQL and the load generator share the machine. ${rounds} rounds of ${seconds} s each, bare and ours in turn, ${connections} connections, ${modelCount} models, every answer compared byte by byte. Median (min–max).`,
  '',
  '| route | bytes | requests/s | p50 ms | p99 ms | bare Fastify requests/s | ratio |',
  '| --- | --- | --- | --- | --- | --- | --- |',
  ...rows,
].join('\n');
console.log(`\n${table}`);
if (values.write) writeSection('reads', table);

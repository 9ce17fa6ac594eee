import { parseArgs } from 'node:util';
import { connections, type Figure, httpLoad, startBare } from './http-load.js';
import { machineLine, spread, writeSection } from './measurement.js';
import { memoryOf } from './projection-memory.js';
import { type SuiteProcesses, startProcesses } from './suite.processes.js';

const modelCount = 1_000;
const inferencesEach = 20;
const measuredModels = 100;
const flagCount = 100;
const held = 10_000;
const changes = 500;

interface Route {
  name: string;
  path: string;
  method?: 'GET' | 'POST';
  /** JSON. */
  body?: string;
  /** Asked with the ETag of the answer before. */
  isKnown?: boolean;
}

const { values } = parseArgs({
  args: process.argv.slice(3),
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    only: { type: 'string' },
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

/** A rule and a split: a third by country, of the others 30 %. */
const flagOf = (index: number): object => ({
  flag_key: `bench_${index}`,
  variants: { on: true, off: false },
  default_variant: 'off',
  targeting: { if: [{ '==': [{ var: 'country' }, 'CA'] }, 'on', null] },
  split: { weights: { on: 30, off: 70 } },
});

async function seedFlags({ url, key }: SuiteProcesses): Promise<void> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  for (let index = 0; index < flagCount; index++) {
    const answer = await fetch(`${url}/flags`, { method: 'POST', headers, body: JSON.stringify(flagOf(index)) });
    if (!answer.ok) throw new Error(await answer.text());
  }
}

/** Two stable models and a canary to choose among. */
async function seedSelection({ url, key }: SuiteProcesses): Promise<void> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const send = async (path: string, body: object): Promise<{ model_id: string }> => {
    const answer = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(await answer.text());
    return ((await answer.json()) as { data: { model_id: string } }).data;
  };
  for (const [index, steps] of [['canary', 'stable'], ['canary', 'stable'], ['canary']].entries()) {
    const serving = { protocol: 'oip_v2', url: 'http://127.0.0.1:9' };
    const body = { name: `Served ${index}`, version: '1.0.0', model_type: 'ensemble', sport: 'SEL', rollout_percentage: 20, serving };
    const { model_id } = await send('/registry', body);
    for (const to of steps) await send(`/registry/${model_id}/status`, { to, reason: 'for the read benchmark', override: true });
  }
}

async function compare(suite: SuiteProcesses, { name, path, method = 'GET', body: sent, isKnown = false }: Route): Promise<string> {
  const authorization = { authorization: `Bearer ${suite.key}` };
  const asking = { method, ...(sent !== undefined && { body: sent, headers: { 'content-type': 'application/json' } }) };
  const answer = await fetch(suite.url + path, { ...asking, headers: { ...authorization, ...asking.headers } });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  const body = isKnown ? '' : await answer.text();
  const like = {
    method,
    body: sent,
    ...(isKnown && { status: 304, headers: { 'if-none-match': answer.headers.get('etag') ?? '' } }),
  };
  const bare = await startBare(suite, body, like);
  const asked = [{ ...like, path: suite.prefix + path, accepts: (text: string) => text === body }];
  const load = (): Promise<Figure> => httpLoad(suite.origin, asked, { duration: seconds }, authorization);
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
  return `| \`${name}\` | ${body.length} | ${column(ours, 'rate')} | ${column(ours, 'p50', 1)} | ${column(ours, 'p99', 1)} | ${column(theirs, 'rate')} | ${spread(ratios, 3)} |`;
}

const context = JSON.stringify({ context: { targetingKey: 'user-1', country: 'US', plan: 'pro' } });
const memory = memoryOf(held);
/** From the answer to a change until another gateway shows it, in milliseconds: one change after another, seen by asking all the time. */
async function visibility(suite: SuiteProcesses, model_id: string): Promise<string> {
  const other = (await suite.start('gateway')) + suite.prefix;
  const headers = { authorization: `Bearer ${suite.key}`, 'content-type': 'application/json' };
  const lags: number[] = [];
  for (let change = 0; change < changes; change++) {
    const description = `change ${change}`;
    const answer = await fetch(`${suite.url}/registry/${model_id}`, { method: 'PATCH', headers, body: JSON.stringify({ description }) });
    if (!answer.ok) throw new Error(await answer.text());
    const began = performance.now();
    for (;;) {
      const seen = (await (await fetch(`${other}/registry/${model_id}`, { headers })).json()) as { data: { description: string } };
      if (seen.data.description === description) break;
      if (performance.now() - began > 5_000) throw new Error(`${description} is not visible`);
    }
    lags.push(performance.now() - began);
  }
  lags.sort((a, b) => a - b);
  const at = (share: number): string => lags[Math.ceil(changes * share) - 1]!.toFixed(1);
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, at most ${at(1)} ms`;
}

const suite = await startProcesses();
let visible = '';
const rows: string[] = [];
try {
  const ids = await seed(suite);
  await seedFlags(suite);
  await seedSelection(suite);
  const id = ids[0] ?? '';
  const routes: Route[] = [
    { name: 'GET /registry/{id}', path: `/registry/${id}` },
    { name: 'GET /registry?limit=50', path: '/registry?limit=50' },
    { name: 'GET /registry/{id}/metrics', path: `/registry/${id}/metrics` },
    { name: 'GET /registry/{id}/health', path: `/registry/${id}/health` },
    {
      name: 'POST /flags/{key}/evaluate',
      path: '/flags/bench_7/evaluate',
      method: 'POST',
      body: JSON.stringify({ targeting_key: 'user-1' }),
    },
    {
      name: 'POST /select, of three models',
      path: '/select',
      method: 'POST',
      body: JSON.stringify({ sport: 'SEL', targeting_key: 'user-1' }),
    },
    { name: 'OFREP, one flag', path: '/ofrep/v1/evaluate/flags/bench_7', method: 'POST', body: context },
    { name: 'OFREP, all 100 flags', path: '/ofrep/v1/evaluate/flags', method: 'POST', body: context },
    { name: 'OFREP, all 100 flags, known (304)', path: '/ofrep/v1/evaluate/flags', method: 'POST', body: context, isKnown: true },
  ].filter(({ name }) => values.only === undefined || name.includes(values.only)) as Route[];
  for (const route of routes) {
    rows.push(await compare(suite, route));
    console.log(rows.at(-1));
  }
  visible = await visibility(suite, ids.at(-1)!);
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
  '',
  `A change shown by another gateway after its answer, ${changes} changes: ${visible}.`,
  `Memory of a gateway for ${held} models and ${held} flags, as they are held and found by every order: ${memory}.`,
].join('\n');
console.log(`\n${table}`);
if (values.write) writeSection('reads', table);

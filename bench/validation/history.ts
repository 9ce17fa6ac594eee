import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { freePort } from '#embedded/ports.js';
import { type RegressionReport, type RunResult, type ValidationHistory } from '#contracts/validation.js';
import { median, spread } from '../measurement.js';
import { untilOk } from '../suite.processes.js';
import { type Bed } from './bed.js';

const sizes = [100, 10_000, 100_000];
const readsARound = 100;
/** What a history shows and a report reads at the most. */
const maxRead = 1_000;
const days = 7;

export const historyHead = [
  '| runs stored | route | bytes | p50 ms | p99 ms | bare Fastify p50 ms | ratio | p50 against 100 runs |',
  '| --- | --- | --- | --- | --- | --- | --- | --- |',
];

/** History and report of a model that has all the runs there are, all of the last 7 days: both read the newest 1,000 of them. */
export async function historyOfRuns(bed: Bed): Promise<string[]> {
  const database = new pg.Client({ connectionString: bed.suite.database_url });
  await database.connect();
  const model = await bed.register('Bench of history', '1.0.0');
  const { model_id } = model;
  const test_case_id = 'bench_history';
  const expectations = [{ path: '$.probability', op: 'range', min: 0, max: 1 }];
  await bed.ask('/validation/cases', { test_case_id, applies_to: { model_id }, input: {}, expectations });
  const { run_id } = await bed.ask<RunResult>('/validation/run', { model_id });
  const rows: string[] = [];
  const first: Record<string, number> = {};
  let stored = 1;
  for (const size of sizes.filter((runs) => runs <= bed.most)) {
    await copyRun(database, run_id, stored, size);
    stored = size;
    for (const route of ['history', 'regression-report'] as const) {
      const path = `/validation/${route}/${model_id}?days=${days}`;
      const read = Math.min(size, maxRead);
      const seen = await bed.ask<ValidationHistory & RegressionReport>(path);
      const count = route === 'history' ? seen.validation_runs.length : seen.total_validation_runs;
      if (count !== read) throw new Error(`${route} of ${size} runs tells of ${count}`);
      const { row, p50 } = await compare(bed, path, { size, route, first: first[route] });
      first[route] ??= p50;
      rows.push(row);
      console.log(row);
    }
  }
  await database.end();
  return rows;
}

/** Copies one real run, so that there are `to` of them, spread over the days that are read. The real one stays the newest. */
async function copyRun(database: pg.Client, run_id: string, from: number, to: number): Promise<void> {
  await database.query(
    `INSERT INTO validation.runs
     SELECT (jsonb_populate_record(run, jsonb_build_object(
       'run_id', run.run_id || '_' || n, 'started_at', run.started_at - n * $4::float8 * interval '1 second'))).*
     FROM validation.runs run, generate_series($2::int, $3::int) n WHERE run.run_id = $1`,
    [run_id, from, to - 1, ((days - 1) * 86_400) / sizes.at(-1)!],
  );
  await database.query('ANALYZE validation.runs');
}

interface Row {
  size: number;
  route: string;
  /** The p50 of the same route at 100 runs; undefined: these are they. */
  first: number | undefined;
}

async function compare({ suite, rounds }: Bed, path: string, { size, route, first }: Row): Promise<{ row: string; p50: number }> {
  const headers = { authorization: `Bearer ${suite.key}` };
  const body = await (await fetch(suite.url + path, { headers })).text();
  const file = join(suite.directory, 'history.json');
  writeFileSync(file, body);
  const port = await freePort();
  const bare = suite.spawn('dist/bench/bare.server.js', [file, String(port)]);
  const bareUrl = `http://127.0.0.1:${port}/`;
  await untilOk(bareUrl);
  const latencies = async (url: string): Promise<number[]> => {
    const all: number[] = [];
    for (let read = 0; read < readsARound; read++) {
      const began = performance.now();
      const answer = await (await fetch(url, { headers })).text();
      all.push(performance.now() - began);
      if (answer !== body) throw new Error(`${url} answers ${answer.slice(0, 200)}`);
    }
    return all.sort((a, b) => a - b);
  };
  const p99Of = (sorted: number[]): number => sorted[Math.ceil(sorted.length * 0.99) - 1]!;
  await latencies(bareUrl);
  await latencies(suite.url + path);
  const ours: number[][] = [];
  const theirs: number[][] = [];
  for (let round = 0; round < rounds; round++) {
    theirs.push(await latencies(bareUrl));
    ours.push(await latencies(suite.url + path));
  }
  bare.kill('SIGTERM');
  const p50s = ours.map(median);
  const bareP50s = theirs.map(median);
  const ratios = p50s.map((p50, round) => p50 / bareP50s[round]!);
  const against = first === undefined ? '–' : `${(median(p50s) / first).toFixed(2)} ×`;
  const figures = [spread(p50s, 1), spread(ours.map(p99Of), 1), spread(bareP50s, 1), spread(ratios, 1), against];
  return { row: `| ${size} | \`${route}\` | ${body.length} | ${figures.join(' | ')} |`, p50: median(p50s) };
}

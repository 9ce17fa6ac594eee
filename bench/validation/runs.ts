import { Pool } from 'undici';
import { type RunResult } from '#contracts/validation.js';
import { spread } from '../measurement.js';
import { type Bed } from './bed.js';

/** How many cases of a run are judged at a time: the bare calls come as many at a time. */
const atOnce = 4;
const sizes = [
  { cases: 1, runs: 20 },
  { cases: 100, runs: 3 },
  { cases: 10_000, runs: 1 },
];

const input = { season_average: 1.4, recent_average: 1.6, line: 1, opponent_rank: 22, home: 1 };

export const runsHead = [
  '| cases in a run | a run, ms | a case, ms | the calls alone, ms | ratio | overhead of a run, ms |',
  '| --- | --- | --- | --- | --- | --- |',
];

/** What runs of 1, 100 and 10,000 cases take, against the same calls without any judging, in turn. */
export async function runsOfCases(bed: Bed): Promise<string[]> {
  const rows: string[] = [];
  for (const size of sizes.filter(({ cases }) => cases <= bed.most)) {
    rows.push(await compare(bed, size));
    console.log(rows.at(-1));
  }
  return rows;
}

async function compare(bed: Bed, { cases, runs }: { cases: number; runs: number }): Promise<string> {
  const name = `Bench of ${cases} cases`;
  // A run of its own model each: two runs of one model in the same second would wait for each other's names.
  const models = await Promise.all(Array.from({ length: runs }, (_, index) => bed.register(name, `1.0.${index}`)));
  await bed.each(cases, (index) =>
    bed.ask('/validation/cases', {
      test_case_id: `bench_${cases}_${index}`,
      applies_to: { name },
      input,
      expectations: [{ path: '$.probability', op: 'range', min: 0, max: 1 }],
    }),
  );
  const run = async (): Promise<number> => {
    const before = await bed.asked();
    const began = performance.now();
    for (const { model_id } of models) {
      const result = await bed.ask<RunResult>('/validation/run', { model_id });
      if (result.status !== 'passed' || result.passed_tests !== cases) throw new Error(`Not passed: ${JSON.stringify(result)}`);
    }
    const took = (performance.now() - began) / runs;
    const asked = (await bed.asked()) - before;
    if (asked !== cases * runs) throw new Error(`${runs} runs of ${cases} cases asked the model ${asked} times`);
    return took;
  };
  await bareCalls(bed, Math.max(cases, 200));
  await run();
  const ours: number[] = [];
  const bare: number[] = [];
  for (let round = 0; round < bed.rounds; round++) {
    let calls = 0;
    for (let index = 0; index < runs; index++) calls += await bareCalls(bed, cases);
    bare.push(calls / runs);
    ours.push(await run());
  }
  const ratios = ours.map((took, round) => took / bare[round]!);
  const overheads = ours.map((took, round) => took - bare[round]!);
  const each = ours.map((took) => took / cases);
  return `| ${cases} | ${spread(ours, 1)} | ${spread(each, 3)} | ${spread(bare, 1)} | ${spread(ratios, 2)} | ${spread(overheads, 1)} |`;
}

/** Milliseconds for so many calls, four at a time on connections that stay open. */
async function bareCalls({ model_url }: Bed, calls: number): Promise<number> {
  const pool = new Pool(new URL(model_url).origin, { connections: atOnce });
  const body = JSON.stringify(input);
  const headers = { 'content-type': 'application/json' };
  let next = 0;
  const caller = async (): Promise<void> => {
    while (next < calls) {
      next += 1;
      const answer = await pool.request({ path: '/', method: 'POST', headers, body });
      const { probability } = (await answer.body.json()) as { probability: number };
      if (probability !== 0.75) throw new Error(`The model answered ${probability}`);
    }
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: atOnce }, caller));
  const took = performance.now() - began;
  await pool.close();
  return took;
}

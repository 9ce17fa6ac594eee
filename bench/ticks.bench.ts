import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type DataSource } from 'typeorm';
import { startPostgres } from '#embedded/postgres.js';
import { FlagsConfig } from '#flags/flags.config.js';
import { flagsSchema } from '#flags/flags.module.js';
import { openDatabase } from '#runtime/database.module.js';
import { machineLine, spread, writeSection } from './measurement.js';
import { addPools, selectionTick } from './ticks/selection.js';
import { addRollouts, bareTransactions, rolloutTick } from './ticks/rollouts.js';

const { values } = parseArgs({
  args: process.argv.slice(3),
  options: {
    rounds: { type: 'string', default: '5' },
    write: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);
const sizes = [10, 100, 1_000];

const directory = await mkdtemp(join(tmpdir(), 'emr-bench-'));
const postgres = await startPostgres({ dataDir: join(directory, 'postgres') });
const config = Object.assign(new FlagsConfig(), { ROLLOUT_TICK_SECONDS: 3_600 });
let database: DataSource | undefined;

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

try {
  database = await openDatabase(flagsSchema, { DATABASE_URL: postgres.url, DATABASE_POOL_SIZE: 10 });
  const source = database;
  const rows: string[] = [];
  for (const size of sizes) {
    await source.query('TRUNCATE flags.rollouts, flags.rollout_decisions, flags.rollout_events, flags.model_states, flags.bandit_pools');
    await addRollouts(source, size);
    await addPools(source, size);
    const [rollouts, selection] = [rolloutTick(source, config), selectionTick(source, config, size)];
    const [bare, decided, stepped]: number[][] = [[], [], []];
    // The first of each is not counted: it compiles.
    for (let round = 0; round <= rounds; round++) {
      const times = [await timed(() => bareTransactions(source)), await timed(rollouts), await timed(selection)];
      if (round > 0) for (const [index, ms] of times.entries()) [bare!, decided!, stepped!][index]!.push(ms);
    }
    const each = decided!.map((ms, index) => ms / bare![index]!);
    rows.push(`| ${[size, spread(bare!, 0), spread(decided!, 0), `${spread(each, 2)} ×`, spread(stepped!, 0)].join(' | ')} |`);
  }
  const text = [
    await machineLine(),
    `Milliseconds, median (least–most) of ${rounds} rounds; the ratio is that of each round.`,
    '',
    '| rollouts; models | a bare transaction for each | a tick of all rollouts | ratio | a tick of all breakers and bandits |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
  console.log(`\n${text}`);
  if (values.write) writeSection('ticks', text);
} finally {
  await database?.destroy();
  await postgres.stop();
  await rm(directory, { recursive: true, force: true });
}

// `npm run test:faults -- [--seed N] [--seconds N] [--only kills|network|poison|stream|suite|<words of a test's name>] [--logs DIRECTORY]`: the tests
// of test/faults with every disturbance as long as --seconds says (default 60), on the schedules of one seed (default: a new one, printed). One file
// after the other, so that the same seed meets the same load. --logs keeps what the processes log: findings name requests by the ids that stand there.
import { randomInt } from 'node:crypto';
import { mkdirSync, readdirSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { checkNode, install } from './install.mjs';

const usage = 'Usage: npm run test:faults -- [--seed N] [--seconds N] [--only NAME] [--logs DIRECTORY]';
const whole = (text) => (/^\d{1,9}$/.test(text) ? Number(text) : NaN);
let options;
try {
  const text = { type: 'string' };
  const { values } = parseArgs({ options: { seed: text, seconds: text, only: text, logs: text } });
  const { seed = String(randomInt(1, 1e9)), seconds = '60', ...others } = values;
  options = { seed: whole(seed), seconds: whole(seconds), ...others };
} catch (error) {
  options = { seed: NaN, seconds: NaN };
  console.error(error.message);
}
const { seed, seconds, only, logs } = options;
if (Number.isNaN(seed) || !(seconds >= 1)) {
  console.error(usage);
  process.exit(1);
}

checkNode();
install();
const files = readdirSync('test/faults').filter((file) => file.endsWith('.spec.ts'));
const file = files.find((name) => name === `${only}.spec.ts`);
const chosen = file ? [`test/faults/${file}`] : ['test/faults/', ...(only ? ['--testNamePattern', only] : [])];
console.log(`seed ${seed}, ${seconds} s a disturbance`);
if (logs) mkdirSync(logs, { recursive: true });
const { status } = spawnSync(
  process.execPath,
  ['node_modules/vitest/vitest.mjs', 'run', '--no-file-parallelism', '--reporter=verbose', ...chosen],
  {
    stdio: 'inherit',
    env: { ...process.env, FAULTS_SEED: String(seed), FAULTS_SECONDS: String(seconds), ...(logs && { FAULTS_LOGS: resolve(logs) }) },
  },
);
if (status !== 0)
  console.log(`The same again: npm run test:faults -- --seed ${seed} --seconds ${seconds}${only ? ` --only '${only}'` : ''}`);
process.exit(status ?? 1);

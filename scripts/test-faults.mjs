// `npm run test:faults -- [--seed N] [--seconds N] [--only kills|network|poison|stream|suite|<words of a test's name>]`: the tests of test/faults with
// every disturbance as long as --seconds says (default 60), on the schedules of one seed (default: a new one, printed). One file after the
// other, so that the same seed meets the same load.
import { randomInt } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { checkNode, install } from './install.mjs';

const usage = 'Usage: npm run test:faults -- [--seed N] [--seconds N] [--only NAME]';
const whole = (text) => (/^\d{1,9}$/.test(text) ? Number(text) : NaN);
let options;
try {
  const { values } = parseArgs({ options: { seed: { type: 'string' }, seconds: { type: 'string' }, only: { type: 'string' } } });
  options = { seed: whole(values.seed ?? String(randomInt(1, 1e9))), seconds: whole(values.seconds ?? '60'), only: values.only };
} catch (error) {
  options = { seed: NaN, seconds: NaN };
  console.error(error.message);
}
const { seed, seconds, only } = options;
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
const jest = ['--experimental-vm-modules', '--no-warnings', 'node_modules/jest/bin/jest.js', '--runInBand', '--verbose', ...chosen];
const { status } = spawnSync(process.execPath, jest, {
  stdio: 'inherit',
  env: { ...process.env, FAULTS_SEED: String(seed), FAULTS_SECONDS: String(seconds) },
});
if (status !== 0)
  console.log(`The same again: npm run test:faults -- --seed ${seed} --seconds ${seconds}${only ? ` --only '${only}'` : ''}`);
process.exit(status ?? 1);

// `npm run test:load -- overload [--seconds N] | soak [--minutes N] [--rate N]`: the tests of test/load for so long (default 20 s, 10 minutes; a soak at
// 100 requests a second unless --rate says otherwise), with the figures.
// They are not among those of `npm test`: beside other tests nobody answers as fast as alone.
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { checkNode, install } from './install.mjs';

const usage = 'Usage: npm run test:load -- overload [--seconds N] | soak [--minutes N] [--rate N]';
const whole = (text) => (/^[1-9]\d{0,5}$/.test(text) ? Number(text) : NaN);
let name;
let seconds = NaN;
let rate;
try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { seconds: { type: 'string' }, minutes: { type: 'string' }, rate: { type: 'string' } },
  });
  [name] = positionals;
  if (positionals.length === 1 && name === 'overload' && !values.minutes && !values.rate) seconds = whole(values.seconds ?? '20');
  if (positionals.length === 1 && name === 'soak' && !values.seconds) seconds = whole(values.minutes ?? '10') * 60;
  rate = whole(values.rate ?? '100');
} catch (error) {
  console.error(error.message);
}
if (Number.isNaN(seconds + rate)) {
  console.error(usage);
  process.exit(1);
}

checkNode();
install();
const env = { ...process.env, LOAD_SECONDS: String(seconds), LOAD_RATE: String(rate) };
const { status } = spawnSync(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', `test/load/${name}.spec.ts`], {
  stdio: 'inherit',
  env,
});
process.exit(status ?? 1);

// `npm run test:fuzz -- [--seed N] [--requests N] [--path P]`: so many generated requests (default 20,000) to every operation of the API's description,
// from one seed on (default: a new one, printed). A finding prints its own seed and path, which send that one sequence again.
import { randomInt } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { checkNode, install } from './install.mjs';

const usage = 'Usage: npm run test:fuzz -- [--seed N] [--requests N] [--path P]';
const whole = (text) => (/^\d{1,9}$/.test(text) ? Number(text) : NaN);
let options;
try {
  const { values } = parseArgs({ options: { seed: { type: 'string' }, requests: { type: 'string' }, path: { type: 'string' } } });
  options = { seed: whole(values.seed ?? String(randomInt(1, 1e9))), requests: whole(values.requests ?? '20000'), path: values.path };
} catch (error) {
  options = { seed: NaN, requests: NaN };
  console.error(error.message);
}
const { seed, requests, path } = options;
if (Number.isNaN(seed) || !(requests >= 1) || !/^[\d:]*$/.test(path ?? '')) {
  console.error(usage);
  process.exit(1);
}

checkNode();
install();
console.log(`seed ${seed}, ${path ? `path ${path}` : `${requests} requests`}`);
const { status } = spawnSync(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', 'test/fuzz/fuzz.spec.ts'], {
  stdio: 'inherit',
  env: { ...process.env, FUZZ_SEED: String(seed), FUZZ_REQUESTS: String(requests), ...(path && { FUZZ_PATH: path }) },
});
if (status !== 0 && !path) console.log(`The same again: npm run test:fuzz -- --seed ${seed} --requests ${requests}`);
process.exit(status ?? 1);

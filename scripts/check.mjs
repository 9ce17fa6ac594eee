// `npm run check`: everything that is known without running the code, two at a time.
import { setPriority } from 'node:os';
import { checkNode, install } from './install.mjs';
import { npx } from './steps.mjs';

checkNode();
install();
// Beside the tests, which measure time: whoever waits for nothing comes second.
if (process.argv.includes('--gently')) setPriority(10);

const checks = [
  // With the compiler's own errors: see .oxlintrc.json.
  ['types and lint', 'oxlint/bin/oxlint', [], 'npx oxlint --fix'],
  ['format', 'oxfmt/bin/oxfmt', ['--check', '.'], 'npx oxfmt .'],
  [
    'structure',
    'dependency-cruiser/bin/dependency-cruise.mjs',
    ['--config', '.dependency-cruiser.cjs', 'apps', 'libs', 'test', 'bench'],
    'npx depcruise apps libs',
  ],
  ['unused', 'knip/bin/knip.js', [], 'npx knip'],
];

let failed = false;
const rest = checks.values();
async function worker() {
  for (const [name, command, args, retry] of rest) {
    const { code, output, seconds } = await npx(command, args);
    console.log(`${code === 0 ? 'ok    ' : 'FAILED'} ${name.padEnd(14)} ${seconds} s`);
    if (code === 0) continue;
    failed = true;
    console.error(`${output}\nMend it, or look again with: ${retry}`);
  }
}
await Promise.all([worker(), worker()]);
process.exit(failed ? 1 : 0);

// `npm test`: installs, builds, checks, and runs all tests on servers of their own, the checks beside the tests. `npm test -- <files and options of Vitest>` runs only those tests.
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkNode, install } from './install.mjs';
import { run } from './steps.mjs';

checkNode();
install();

const chosen = process.argv.slice(2);
const report = join(tmpdir(), `emr-test-${process.pid}.json`);

function fail(output, advice) {
  console.error(`${output}\n${advice}`);
  process.exit(1);
}

// Tests wait a lot, for processes to start and for lags to end: the checks take what of the machine they leave.
const checks = chosen.length === 0 ? run(process.execPath, ['scripts/check.mjs', '--gently']) : undefined;

const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--reporter=default', '--reporter=json', `--outputFile=${report}`, ...chosen];
const { code, output, seconds } = await run(process.execPath, vitest, { NO_COLOR: '1' });
const checked = await checks;
if (checked) console.log(`checks  ${checked.seconds} s${checked.code === 0 ? '' : '  FAILED'}`);
if (checked && checked.code !== 0) console.error(`${checked.output}\nThe checks failed (see above). Mend it, then type: npm run check`);
let counts;
try {
  counts = JSON.parse(readFileSync(report, 'utf8'));
} catch {
  fail(output, 'The tests did not run to their end (see above).');
} finally {
  rmSync(report, { force: true });
}
if (code !== 0 || process.env.VERBOSE) console.error(output);
console.log(`tests   ${seconds} s, ${counts.testResults.length} files`);
// A file whose preparation fails has no test that does.
let broken = 0;
for (const { name, assertionResults, status } of counts.testResults) {
  const failures = assertionResults.filter((test) => test.status === 'failed');
  if (failures.length === 0 && status === 'failed') broken++;
  if (status === 'failed') {
    console.log(`FAILED ${name.replace(`${process.cwd()}/`, '')}`);
    for (const { fullName } of failures) console.log(`       ${fullName}`);
  }
}
if (code !== 0) console.log('Run one file again with: npm test -- <file>');
console.log(`${counts.numPassedTests} passed, ${counts.numFailedTests + broken} failed`);
process.exit(code || (checked?.code ?? 0));

// `npm test`: installs, builds, checks, and runs all tests on servers of their own, the checks beside the tests. `npm test -- <jest arguments>` runs only those tests.
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkNode, install } from './install.mjs';
import { run } from './steps.mjs';

checkNode();
install();

const jestArguments = process.argv.slice(2);
const report = join(tmpdir(), `emr-test-${process.pid}.json`);

function fail(output, advice) {
  console.error(`${output}\n${advice}`);
  process.exit(1);
}

// Tests wait a lot, for processes to start and for lags to end: the checks take what of the machine they leave.
const checks = jestArguments.length === 0 ? run(process.execPath, ['scripts/check.mjs', '--gently']) : undefined;

const jest = ['node_modules/jest/bin/jest.js', '--json', `--outputFile=${report}`, ...jestArguments];
const { code, output, seconds } = await run(process.execPath, ['--experimental-vm-modules', '--no-warnings', ...jest], {
  FORCE_COLOR: '0',
});
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
// With --json jest also prints the report itself, on one line.
const readable = output
  .split('\n')
  .filter((line) => !line.startsWith('{"num'))
  .join('\n');
if (code !== 0 || process.env.VERBOSE) console.error(readable);
console.log(`tests   ${seconds} s, ${counts.numTotalTestSuites} files`);
for (const { name, assertionResults, message } of counts.testResults) {
  const failures = assertionResults.filter(({ status }) => status === 'failed');
  if (failures.length || (message && assertionResults.length === 0)) {
    console.log(`FAILED ${name.replace(`${process.cwd()}/`, '')}`);
    for (const { fullName } of failures) console.log(`       ${fullName}`);
  }
}
if (code !== 0) console.log('Run one file again with: npm test -- <file>');
console.log(`${counts.numPassedTests} passed, ${counts.numFailedTests + counts.numRuntimeErrorTestSuites} failed`);
process.exit(code || (checked?.code ?? 0));

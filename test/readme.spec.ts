import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { RestClient } from '#client/rest-client.js';
import { type Metrics } from '#contracts/metrics.js';
import { freePort } from '#embedded/ports.js';
import { ensureCatalogue } from '#standalone/demo/catalogue.process.js';
import { startModelServer } from '../examples/model-server/server.mjs';
import { TestSuite } from './suite.harness.js';

let suite: TestSuite;
beforeAll(async () => {
  suite = await TestSuite.start();
});
afterAll(() => suite.close());

/** The shell block under a heading of the README. */
function blockUnder(heading: string): string {
  const section = readFileSync('README.md', 'utf8').split(`\n## ${heading}\n`)[1];
  return /```sh\n([\s\S]*?)```/.exec(section ?? '')?.[1] ?? '';
}

it('the first steps of the README all work as they stand there, also after the demo', async () => {
  const server = await startModelServer({ port: 0 });
  await ensureCatalogue(new RestClient({ url: suite.root, key: suite.admin_key }), server.url);
  await server.close();
  const lines = blockUnder('First steps');
  // What the reader fills in: the address and key that were printed, and the id of the first answer.
  const filled = lines
    .replace('http://127.0.0.1:8080/api/models/enterprise', suite.api.url)
    .replace('KEY=emr_…', `KEY=${suite.admin_key}`)
    .replace('ID=mlb_model_…', 'ID=$(grep -o "mlb_model_[0-9a-f]*" first)')
    .replace(/(curl .*MLB Props.*)/, '$1 | tee first')
    .replaceAll('8090', String(await freePort()));
  expect(filled).not.toContain('…');
  const script = filled.replaceAll('node examples/', `node ${process.cwd()}/examples/`);
  const cwd = await mkdtemp(join(process.env.TEST_SERVERS_DIR ?? tmpdir(), 'readme-'));
  const curl = 'curl() { command curl -sS "$@"; echo; }';
  const { stdout } = await promisify(execFile)('bash', ['-c', `set -m; ${curl}; ${script}`], { cwd });

  const answers = stdout.split('\n').filter((line) => line.startsWith('{'));
  expect(answers).toHaveLength([...lines.matchAll(/^curl /gm)].length);
  expect(answers.filter((answer) => !answer.startsWith('{"success":true'))).toEqual([]);
  expect(answers.some((answer) => answer.includes('"status":"passed"'))).toBe(true);
  const metrics = answers.map((answer) => (JSON.parse(answer) as { data: Metrics }).data).find((data) => 'percentiles' in data);
  expect(metrics).toMatchObject({ total_inferences: 2, failed_inferences: 1, error_types: { timeout_error: 1 } });
}, 60_000);

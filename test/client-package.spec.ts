import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Metrics } from '#contracts/metrics.js';
import { eventually, type ReachableSuite } from './api.harness.js';
import { storySuite } from './story-suite.harness.js';

const execute = promisify(execFile);
const examples = [...(await readFile('libs/client/README.md', 'utf8')).matchAll(/```js\n([\s\S]*?)```/g)].map(([, code]) => code!);

let suite: ReachableSuite;
let directory: string;
let model_id: string;

beforeAll(async () => {
  directory = await mkdtemp(join(process.env.TEST_SERVERS_DIR ?? tmpdir(), 'client-'));
  suite = await storySuite();
  const packed = await execute(process.execPath, ['scripts/pack-client.mjs', directory]);
  ({ model_id } = await suite.api.register());
  await writeFile(join(directory, 'package.json'), '{"name": "some-service", "type": "module", "private": true}');
  await execute('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', packed.stdout.trim()], { cwd: directory });
}, 60_000);
afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

/** Runs it as a file of the service that has installed the package; resolves to what it printed. */
async function run(code: string): Promise<string> {
  const file = join(directory, 'example.mjs');
  await writeFile(file, code);
  const env = {
    PATH: process.env.PATH,
    NATS_URL: suite.nats_urls.publisher,
    EMR_URL: suite.root,
    EMR_KEY: suite.admin_key,
    MODEL_ID: model_id,
  };
  return (await execute(process.execPath, [file], { env, cwd: directory })).stdout;
}

it('installs on its own, with its types and without anything that is not needed', async () => {
  const { stdout } = await execute('npm', ['ls', '--all', '--parseable'], { cwd: directory });
  const installed = stdout.trim().split('\n').length - 1;
  expect(installed).toBeGreaterThanOrEqual(3);
  expect(installed).toBeLessThanOrEqual(8);
  const types = await readFile(join(directory, 'node_modules/enterprise-model-registry-client/dist/index.d.ts'), 'utf8');
  expect(types).toContain('InferenceReporter');
});

it('has examples in its README that run, and that are counted', async () => {
  expect(examples).toHaveLength(3);
  const [measured, reported, rest] = [await run(examples[0]!), await run(examples[1]!), await run(examples[2]!)];
  expect(measured).toContain('{ answer: 3, acked: 1, rejected: 0, dropped: 0 }');
  expect(reported).toContain('timing_ms a number from 0 to 10000000');
  expect(reported).toMatch(/^true \{\n {2}reported: 3,\n {2}acked: 2,\n {2}rejected: 1,/m);
  expect(rest).toMatch(/^Props \d+ development$/m);
  expect(rest).toContain('404 MODEL_NOT_FOUND null');
  const { failed_inferences, error_types } = await eventually(
    () => suite.api.data<Metrics>(`/registry/${model_id}/metrics`),
    ({ total_inferences }) => total_inferences === 3,
    10_000,
  );
  expect([failed_inferences, error_types]).toEqual([1, { upstream_error: 1 }]);
}, 30_000);

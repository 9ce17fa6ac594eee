import { FuzzSuite } from './fuzz-suite.harness.js';
import { fuzz } from './fuzzing.harness.js';

/** `npm run test:fuzz` sets them; without it CI's fixed seed and what a few seconds allow. */
const seed = Number(process.env.FUZZ_SEED ?? 1);
const requests = Number(process.env.FUZZ_REQUESTS ?? 1_200);
const path = process.env.FUZZ_PATH;
const isLong = process.env.FUZZ_SEED !== undefined;
const shortMs = 6_000;

let suite: FuzzSuite;

beforeAll(async () => {
  suite = await FuzzSuite.start();
  if (isLong) await suite.makeAlert();
}, 60_000);
afterAll(() => suite?.close());

it(`finds nothing wrong with the answers to requests of every kind, seed ${seed}`, async () => {
  const before = suite.memory();
  const findings = await fuzz(suite, { seed, requests, path, ...(!isLong && { until_ms: Date.now() + shortMs }) });
  const text = suite.report.text(suite.operations);
  const memory = suite.memory().map(([app, bytes], index) => `${app} ${megabytes(before[index]![1])} to ${megabytes(bytes)}`);
  if (isLong || findings.length) process.stdout.write(`${[...findings, text, `memory: ${memory.join(', ')}`].join('\n\n')}\n`);
  expect(`${findings.length} findings`).toBe('0 findings');
  if (isLong && path === undefined) expect(suite.report.missing(suite.operations).notAsked).toEqual([]);
}, 3_600_000);

const megabytes = (bytes: number): string => `${Math.round(bytes / 1024 ** 2)} MB`;

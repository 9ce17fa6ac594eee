import { createServer, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { type Model } from '#contracts/registry.js';
import { type Run, type ValidationHistory } from '#contracts/validation.js';
import { Processes } from './processes.harness.js';
import { eventually } from './suite.harness.js';

let processes: Processes;
let server: Server;
/** Calls that the model server has not answered yet. */
const open: ServerResponse[] = [];

beforeAll(async () => {
  server = createServer((_, response) => open.push(response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  processes = await Processes.prepare({ VALIDATION_ALLOWED_NETWORKS: '127.0.0.0/8' });
  await processes.start('registry');
  await processes.start('validation');
  await processes.start('gateway');
}, 120_000);
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await processes.close();
});

const runsOf = async (model: Model): Promise<Run[]> => {
  const { validation_runs } = await processes.api.data<ValidationHistory>(`/validation/history/${model.model_id}`);
  return Promise.all(validation_runs.map(({ run_id }) => processes.api.data<Run>(`/validation/runs/${run_id}`)));
};

it('a service that stops finishes the runs in hand, and calls off those that only wait without judging the model', async () => {
  const { api } = processes;
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/predict`;
  const model = await api.register({ serving: { protocol: 'http_json', url, timeout_ms: 15_000 } });
  await api.data('/validation/cases', {
    method: 'POST',
    body: { test_case_id: 'slow', applies_to: { model_id: model.model_id }, input: {}, expectations: [{ op: 'exists', value: true }] },
  });
  // Four run at a time.
  const asked = Array.from({ length: 6 }, () => api.send('/validation/run', { method: 'POST', body: { model_id: model.model_id } }));
  await eventually(
    async () => ({ calls: open.length, runs: (await runsOf(model)).length }),
    ({ calls, runs }) => calls === 4 && runs === 6,
    20_000,
  );

  const ended = processes.end('validation', 'SIGTERM');
  await Promise.all(asked);
  for (const response of open) response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  expect(await ended).toBe(0);

  await processes.start('validation');
  const runs = await runsOf(model);
  expect(runs.map(({ status }) => status).sort()).toEqual(['error', 'error', 'passed', 'passed', 'passed', 'passed']);
  for (const run of runs.filter(({ status }) => status === 'error'))
    expect(run).toMatchObject({
      results: [],
      regression_detected: false,
      reason: 'the service stopped before this run began; run it again',
    });
}, 90_000);

import { Processes, services } from './processes.harness.js';
import { connected, registrationHead } from './raw-http.harness.js';
import { eventually } from './api.harness.js';

let processes: Processes;

beforeAll(async () => {
  // At debug, so that the secrets are looked for in everything that is ever written.
  processes = await Processes.prepare({ LOG_LEVEL: 'debug' });
  await Promise.all(([...services, 'gateway'] as const).map((app) => processes.start(app)));
}, 60_000);
afterAll(() => processes.close());

interface Line {
  level: string;
  msg: string;
  request_id?: string;
  [field: string]: unknown;
}

/** The lines of one request, once there are any. */
const linesOf = (app: 'registry' | 'gateway', request_id: string): Promise<Line[]> =>
  eventually(
    async () =>
      processes
        .outputOf(app)
        .split('\n')
        .filter((line) => line.includes(`"request_id":"${request_id}"`))
        .map((line) => JSON.parse(line) as Line),
    (lines) => lines.length > 0,
  );

it('a request is one line at info in the gateway and in the service that answered it, under the id the client gave', async () => {
  const { model_id } = await processes.api.register();
  await processes.api.send(`/registry/${model_id}/history`, { headers: { 'x-request-id': 'asked-1' } });
  const [asked, ...moreAsked] = await linesOf('gateway', 'asked-1');
  expect(asked).toMatchObject({ level: 'info', service: 'gateway', msg: 'request', method: 'GET', status: 200 });
  const [answered, ...moreAnswered] = await linesOf('registry', 'asked-1');
  expect(answered).toMatchObject({
    level: 'info',
    service: 'registry',
    msg: 'request',
    subject: 'emr.rpc.registry.model_history',
    code: 'OK',
    duration_ms: expect.any(Number) as number,
    key_id: asked?.key_id,
  });
  expect([...moreAsked, ...moreAnswered]).toEqual([]);
});

it('a refusal is logged with its code', async () => {
  await processes.api.send('/registry/no_such_model/history', { headers: { 'x-request-id': 'asked-2' } });
  expect(await linesOf('registry', 'asked-2')).toMatchObject([{ level: 'info', code: 'MODEL_NOT_FOUND' }]);
  expect(await linesOf('gateway', 'asked-2')).toMatchObject([{ level: 'info', status: 404 }]);
});

it('no log holds a key, the pepper or a password', async () => {
  const { key } = await processes.api.data<{ key: string }>('/keys', {
    method: 'POST',
    headers: { 'x-request-id': 'asked-3' },
    body: { name: 'to be kept secret', role: 'viewer' },
  });
  await linesOf('registry', 'asked-3');
  const addresses = [processes.database.urls.registry, processes.nats.urls.registry, processes.nats.urls.gateway];
  const passwords = addresses.map((address) => new URL(address).password);
  for (const password of passwords) expect(password.length).toBeGreaterThan(10);
  const everything = processes.outputOf('registry') + processes.outputOf('gateway');
  for (const secret of [key, processes.admin_key, processes.pepper, ...passwords]) expect(everything).not.toContain(secret);
});

it('a client that goes away in the middle of its body is no error of ours', async () => {
  const socket = await connected(Number(new URL(processes.rootOf('gateway')).port));
  socket.write(`${registrationHead(processes.admin_key, 100)}{"name":`);
  await new Promise((resolve) => setTimeout(resolve, 100));
  socket.destroy();
  await processes.api.data('/types');
  expect(processes.outputOf('gateway')).not.toContain('"level":"error"');
});

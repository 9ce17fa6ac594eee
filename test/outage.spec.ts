import { createServer, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { type AuditEntry } from '#contracts/audit.js';
import { type Metrics } from '#contracts/metrics.js';
import { type Model } from '#contracts/registry.js';
import { type Run, type ValidationHistory } from '#contracts/validation.js';
import { Processes, services } from './processes.harness.js';
import { connected, everythingOf, registrationHead } from './raw-http.harness.js';
import { type Api, type ApiRequest, eventually } from './api.harness.js';

let processes: Processes;
let api: Api;

beforeAll(async () => {
  processes = await Processes.prepare({ VALIDATION_ALLOWED_NETWORKS: '127.0.0.0/8' });
  await Promise.all(([...services, 'gateway'] as const).map((app) => processes.start(app)));
  api = processes.api;
}, 60_000);
afterAll(() => processes.close());

/** Often enough to see every state, and no load. */
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 50));

/** A request that each service must answer itself. A flag is called like the model. */
const requestOf = (model_id: string): Record<(typeof services)[number], [string, ApiRequest?]> => ({
  registry: [`/registry/${model_id}/history`],
  metrics: [`/registry/${model_id}/metrics?window=1h`],
  validation: [`/validation/history/${model_id}`],
  flags: [`/flags/${model_id}`, { method: 'PATCH', body: { description: 'the same' } }],
});

/** Without validation there is no evidence. */
async function nothingIsPromotedUnlessOverridden(model_id: string): Promise<void> {
  const status = `/registry/${model_id}/status`;
  const body = { to: 'canary', reason: 'cannot wait for the service to be back' };
  for (const [path, request] of [[status, { method: 'POST', body }], [`/registry/${model_id}/transitions`]] as const) {
    const began = performance.now();
    expect(await api.failure(path, request)).toMatchObject({ status: 503, details: { service: 'validation' } });
    expect(performance.now() - began).toBeLessThan(2_500);
  }
  await api.data(status, { method: 'POST', body: { ...body, override: true } });
  const [changed, overridden] = await api.data<AuditEntry[]>(`/registry/${model_id}/history`);
  expect(changed).toMatchObject({ action: 'model.status_changed', after: { status: 'canary' } });
  const requirements = [{ requirement: 'passed_run', met: false, reason: 'the validation service was not available', run_id: null }];
  expect(overridden).toMatchObject({ action: 'model.gate_overridden', after: { to: 'canary', requirements } });
  // What needs no evidence goes on.
  await api.data(status, { method: 'POST', body: { ...body, to: 'development' } });
}

/** What else holds while it is down. */
const meanwhile: Partial<Record<(typeof services)[number], (model_id: string) => Promise<void>>> = {
  async metrics(model_id) {
    // Counted once it is back, see below.
    for (let index = 0; index < 20; index++) await api.data(`/registry/${model_id}/inference?timing_ms=${index}`, { method: 'POST' });
  },
  async validation(model_id) {
    await nothingIsPromotedUnlessOverridden(model_id);
  },
  async flags(model_id) {
    const body = { targeting_key: 'user' };
    expect(await api.data(`/flags/${model_id}/evaluate`, { method: 'POST', body })).toMatchObject({ value: true });
    // Never 404, since nobody can tell.
    expect((await api.send('/flags/nobody_knows')).status).toBe(503);
  },
  async registry(model_id) {
    expect(await api.data(`/registry/${model_id}`)).toMatchObject({ model_id });
    // Never 404, since nobody can tell.
    for (const path of ['', '/metrics', '/health', '/inference?timing_ms=1']) {
      const method = path.startsWith('/inference') ? 'POST' : 'GET';
      await eventually(
        () => api.send(`/registry/mlb_model_00000000${path}`, { method }),
        ({ status }) => status === 503,
      );
    }
  },
};

describe.each(services)('while %s is killed and comes back', (victim) => {
  it('its requests are answered 503 and its name within 2.5 s, those of the others go on, and it recovers by itself', async () => {
    const { model_id } = await api.register();
    const requests = requestOf(model_id);
    await api.data('/flags', { method: 'POST', body: { flag_key: model_id, variants: { on: true }, default_variant: 'on' } });
    // Known to metrics and validation by their own views from here on.
    for (const request of Object.values(requests)) await api.data(...request);

    const seen: { service: string; status: number; ms: number }[] = [];
    let watching = true;
    const watch = services.map(async (service) => {
      while (watching) {
        const began = performance.now();
        const { status } = await api.send(...requests[service]);
        seen.push({ service, status, ms: performance.now() - began });
        await pause();
      }
    });
    await new Promise((resolve) => setTimeout(resolve, 200));
    await processes.end(victim, 'SIGKILL');
    // A killed process's connection is noticed by NATS with its socket.
    await eventually(
      () => api.send(...requests[victim]),
      ({ status }) => status === 503,
    );
    const began = performance.now();
    const answer = await api.send(...requests[victim]);
    expect(performance.now() - began).toBeLessThan(500);
    expect(answer.headers.get('retry-after')).toBe('1');
    expect(answer.body).toMatchObject({
      success: false,
      data: null,
      error: { code: 'SERVICE_UNAVAILABLE', details: { service: victim } },
    });
    await meanwhile[victim]?.(model_id);
    await processes.start(victim);
    await eventually(
      () => api.send(...requests[victim]),
      ({ status }) => status === 200,
    );
    watching = false;
    await Promise.all(watch);

    expect(new Set(seen.map(({ status }) => status))).toEqual(new Set([200, 503]));
    expect(new Set(seen.filter(({ status }) => status === 503).map(({ service }) => service))).toEqual(new Set([victim]));
    expect(Math.max(...seen.map(({ ms }) => ms))).toBeLessThan(2_500);
    if (victim !== 'metrics') return;
    await eventually(
      () => api.data<Metrics>(...requests.metrics),
      ({ total_inferences }) => total_inferences === 20,
      10_000,
    );
  }, 30_000);
});

describe('while validation hangs', () => {
  it('a promotion does not wait for it, and is made only as an override', async () => {
    const { model_id } = await api.register();
    processes.signal('validation', 'SIGSTOP');
    try {
      await nothingIsPromotedUnlessOverridden(model_id);
    } finally {
      processes.signal('validation', 'SIGCONT');
    }
  }, 15_000);
});

describe('when NATS itself restarts', () => {
  it('says 503 meanwhile and goes on afterwards without a restart of anything', async () => {
    const { model_id } = await api.register();
    await processes.nats.kill();
    const began = performance.now();
    expect((await api.send(`/registry/${model_id}/history`)).status).toBe(503);
    expect((await api.send(`/registry/${model_id}/inference?timing_ms=1`, { method: 'POST' })).status).toBe(503);
    expect(performance.now() - began).toBeLessThan(5_000);
    await processes.nats.restart();
    await eventually(
      () => api.send(`/registry/${model_id}/history`),
      ({ status }) => status === 200,
      15_000,
    );
    await eventually(
      () => api.send(`/registry/${model_id}/inference?timing_ms=1`, { method: 'POST' }),
      ({ status }) => status === 200,
      15_000,
    );
  }, 45_000);
});

const runsOf = async (model: Model): Promise<Run[]> => {
  const { validation_runs } = await api.data<ValidationHistory>(`/validation/history/${model.model_id}`);
  return Promise.all(validation_runs.map(({ run_id }) => api.data<Run>(`/validation/runs/${run_id}`)));
};

describe('a graceful stop', () => {
  let server: Server;
  /** Calls that the model server has not answered yet. */
  const open: ServerResponse[] = [];

  beforeAll(async () => {
    server = createServer((_, response) => open.push(response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it('answers what is in hand, exits with 0, and leaves nothing unanswered', async () => {
    const models = await Promise.all(Array.from({ length: 3 }, () => api.register()));
    const answers: number[] = [];
    let watching = true;
    const watch = models.map(async ({ model_id }) => {
      for (; watching; await pause()) answers.push((await api.send(`/registry/${model_id}/history`)).status);
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await processes.end('registry', 'SIGTERM')).toBe(0);
    await processes.start('registry');
    watching = false;
    await Promise.all(watch);
    expect(answers.filter((status) => status !== 200 && status !== 503)).toEqual([]);
    expect(answers).toContain(200);
  }, 30_000);

  it('finishes the validation runs in hand, and leaves those that only wait to whoever is there next', async () => {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/predict`;
    const models: Model[] = [];
    for (let index = 0; index < 6; index++) {
      const model = await api.register({ serving: { protocol: 'http_json', url, timeout_ms: 15_000 } });
      const expectations = [{ op: 'exists', value: true }];
      const body = { test_case_id: `slow_${index}`, applies_to: { model_id: model.model_id }, input: {}, expectations };
      await api.data('/validation/cases', { method: 'POST', body });
      await api.data('/validation/run', { method: 'POST', body: { model_id: model.model_id, wait: false } });
      models.push(model);
    }
    // Four run at a time.
    await eventually(
      () => Promise.resolve(open.length),
      (calls) => calls === 4,
      20_000,
    );
    const answerAll = (): void => {
      for (const response of open.splice(0)) response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    };
    const runsOfAll = async (): Promise<Run[]> => (await Promise.all(models.map(runsOf))).flat();

    const ended = processes.end('validation', 'SIGTERM');
    await eventually(
      async () => (await fetch(`${processes.rootOf('validation')}/readyz`)).text(),
      (report) => report.includes('stopping'),
    );
    answerAll();
    expect(await ended).toBe(0);
    expect(open.length).toBe(0);

    await processes.start('validation');
    await eventually(
      () => Promise.resolve(open.length),
      (calls) => calls === 2,
      10_000,
    );
    answerAll();
    const runs = await eventually(runsOfAll, (all) => all.every(({ status }) => status !== 'running'), 10_000);
    expect(runs.map(({ status, attempt }) => ({ status, attempt }))).toEqual(new Array(6).fill({ status: 'passed', attempt: 1 }));
  }, 90_000);

  // The last of all: nobody starts the gateway again.
  it('what arrives while the gateway closes is answered in the envelope, with when to try again', async () => {
    const socket = await connected(Number(new URL(processes.rootOf('gateway')).port));
    // A request whose body is not whole keeps the gateway from closing; the next one follows it on the same connection.
    const next = `GET /api/models/enterprise/types HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${processes.admin_key}\r\n\r\n`;
    socket.write(`${registrationHead(processes.admin_key, 2)}{`);
    await new Promise((resolve) => setTimeout(resolve, 100));
    processes.signal('gateway', 'SIGTERM');
    await new Promise((resolve) => setTimeout(resolve, 500));
    socket.write(`}${next}`);
    const [, first = '', second = ''] = (await everythingOf(socket)).split('HTTP/1.1 ');
    expect(first).toMatch(/^400 /);
    expect(second).toMatch(/^503 /);
    expect(second.toLowerCase()).toContain('\r\nretry-after: 1\r\n');
    expect(second.toLowerCase()).toContain('\r\nconnection: close\r\n');
    expect(JSON.parse(second.split('\r\n\r\n')[1] ?? '')).toMatchObject({
      success: false,
      data: null,
      error: { code: 'SERVICE_UNAVAILABLE' },
    });
  });
});

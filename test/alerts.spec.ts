import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { type NatsConnection } from '@nats-io/transport-node';
import pg from 'pg';
import { type Alert, type AlertRule, factStream, type Silence } from '#contracts/alerts.js';
import { type AuditEntry } from '#contracts/audit.js';
import { inferenceStream } from '#contracts/inference.js';
import { type ModelHealth } from '#contracts/metrics.js';
import { type Delivery, type Webhook } from '#contracts/webhooks.js';
import { MetricsConfig } from '#metrics/metrics.config.js';
import { startMetrics } from '#metrics/metrics.module.js';
import { type RunningService } from '#runtime/service.js';
import { connectTo } from '#testing/nats.js';
import { type Api, eventually } from './api.harness.js';
import { TestSuite, tickSeconds } from './suite.harness.js';

interface Received {
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

let suite: TestSuite;
let api: Api;
let connection: NatsConnection;
let database: pg.Client;
const replicas: RunningService[] = [];
let receiver: Server;
let receiverUrl: string;
const received: Received[] = [];
/** Whether /hanging answers. */
let answering = false;

beforeAll(async () => {
  suite = await TestSuite.start();
  api = suite.api;
  connection = await connectTo(suite.nats_url, { maxReconnectAttempts: -1 });
  database = new pg.Client({ connectionString: suite.database_url });
  await database.connect();
  replicas.push(await startMetrics(configOfReplica()));
  receiver = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      received.push({ path: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks).toString() });
      if (request.url === '/hanging' && !answering) return;
      if (request.url === '/redirect') response.writeHead(307, { location: '/target' }).end();
      else response.writeHead(request.url === '/down' ? 503 : 204).end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  receiverUrl = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
}, 60_000);
afterAll(async () => {
  await Promise.all(replicas.map((replica) => replica.close()));
  await database.end();
  await connection.close();
  await suite.close();
  receiver.closeAllConnections();
  await new Promise((resolve) => receiver.close(resolve));
});

const configOfReplica = (): MetricsConfig =>
  Object.assign(new MetricsConfig(), {
    NATS_URL: suite.nats_urls.metrics,
    DATABASE_URL: suite.database_url,
    DATABASE_POOL_SIZE: 5,
    LOG_LEVEL: 'silent' as const,
    PROBE_HOST: '127.0.0.1',
    PROBE_PORT: 0,
    HEALTH_TICK_SECONDS: tickSeconds,
    WEBHOOK_ALLOWED_NETWORKS: '127.0.0.0/8',
  });

async function infer(model_id: string, count: number, event: object = {}): Promise<void> {
  const events = Array.from({ length: count }, () => ({ model_id, timing_ms: 5, ...event }));
  await jetstream(connection).publish(inferenceStream.subject, JSON.stringify({ events }));
}
const fail = (model_id: string, count = 30): Promise<void> => infer(model_id, count, { success: false, error: 'timed out' });

const post = (path: string, body: object): { method: string; body: object } & { path: string } => ({ path, method: 'POST', body });
const send = <Data>({ path, ...request }: ReturnType<typeof post>): Promise<Data> => api.data<Data>(path, request);

const failureRule = (model_id: string, rule: object = {}): Promise<AlertRule> =>
  send(
    post('/alerts/rules', {
      name: 'Too many failures',
      applies_to: { model_id },
      metric: 'error_rate',
      comparison: { kind: 'fixed', op: 'above', value: 50 },
      recovery_minutes: 0,
      severity: 'critical',
      ...rule,
    }),
  );

const webhook = (path: string, more: object = {}): Promise<Webhook> =>
  send(post('/webhooks', { name: `to ${path}`, url: receiverUrl + path, format: 'json', ...more }));
const alertsOf = (model_id: string): Promise<Alert[]> => api.data<Alert[]>(`/alerts?model_id=${model_id}`);
const inState = (model_id: string, state: string): Promise<Alert[]> =>
  eventually(
    () => alertsOf(model_id),
    (alerts) => alerts[0]?.state === state,
    20_000,
  );
const at = (path: string): Received[] => received.filter((one) => one.path === path);
const arrived = (path: string, count: number): Promise<Received[]> =>
  eventually(
    () => Promise.resolve(at(path)),
    (all) => all.length >= count,
    20_000,
  );
const parsed = <Body = Record<string, unknown>>({ body }: Received): Body => JSON.parse(body) as Body;

/** Three evaluations later. */
async function ticks(): Promise<void> {
  const look = async (): Promise<number> =>
    Number((await database.query<{ at: string }>('SELECT extract(epoch FROM evaluated_at) AS at FROM metrics.evaluation')).rows[0]?.at);
  const began = await look();
  await eventually(look, (now) => now >= began + 3, 20_000);
}

async function factsOf(model_id: string): Promise<string[]> {
  const stream = await (await jetstreamManager(connection)).streams.info(factStream.name);
  const seen: string[] = [];
  for (let sequence = stream.state.first_seq; sequence <= stream.state.last_seq; sequence++) {
    const message = await (await jetstreamManager(connection)).streams.getMessage(factStream.name, { seq: sequence });
    const fact = message?.json<{ transition: string; alert: Alert }>();
    if (fact?.alert.model_id === model_id) seen.push(`${message?.subject} ${fact.alert.state}`);
  }
  return seen;
}

describe('an alert', () => {
  it('fires, is told once to each webhook and as an event by two replicas, recovers, and is told so once', async () => {
    const secret = 'a secret of this test';
    const { webhook_id } = await webhook('/json', { secret, severities: ['critical'] });
    await webhook('/alertmanager', { format: 'alertmanager' });
    await webhook('/slack', { format: 'slack' });
    await webhook('/info', { severities: ['info'] });
    const model = await api.register();
    const rule = await failureRule(model.model_id);
    await fail(model.model_id);
    const [alert] = await inState(model.model_id, 'firing');
    expect(alert).toMatchObject({
      ...{ rule_id: rule.rule_id, rule_name: rule.name, model_name: model.name, severity: 'critical', value: 100, threshold: 50 },
      ...{ reason: 'error_rate 100 over 15 min, above 50', resolved_at: null, acknowledged_at: null, silenced: false },
    });
    for (const path of ['/json', '/alertmanager', '/slack']) await arrived(path, 1);

    const [json] = at('/json');
    const { t, v1 } = Object.fromEntries<string | undefined>(
      String(json!.headers['emr-signature'])
        .split(',')
        .map((part) => part.split('=') as [string, string]),
    );
    expect(v1).toBe(createHmac('sha256', secret).update(`${t}.${json!.body}`).digest('hex'));
    expect(parsed(json!)).toMatchObject({ notices: [{ transition: 'firing', alert: { alert_id: alert!.alert_id } }] });
    expect(parsed(at('/alertmanager')[0]!)).toMatchObject({
      version: '4',
      status: 'firing',
      alerts: [{ labels: { model_id: model.model_id } }],
    });
    expect(parsed(at('/slack')[0]!)).toMatchObject({ text: 'Too many failures: 1 firing' });

    await ticks();
    await infer(model.model_id, 200);
    const [resolved] = await inState(model.model_id, 'resolved');
    expect(resolved).toMatchObject({ alert_id: alert!.alert_id, state: 'resolved' });
    for (const path of ['/json', '/alertmanager', '/slack']) await arrived(path, 2);
    await ticks();
    expect(['/json', '/alertmanager', '/slack', '/info'].map((path) => at(path).length)).toEqual([2, 2, 2, 0]);
    expect(await factsOf(model.model_id)).toEqual(['emr.evt.alerts.firing firing', 'emr.evt.alerts.resolved resolved']);
    expect(await alertsOf(model.model_id)).toHaveLength(1);

    const deliveries = await api.data<Delivery[]>(`/webhooks/${webhook_id}/deliveries`);
    expect(deliveries).toMatchObject([
      { state: 'delivered', attempts: 1, alert_ids: [alert!.alert_id] },
      { state: 'delivered', attempts: 1, delivery_id: json!.headers['emr-delivery'] },
    ]);
    const shown = JSON.stringify([await api.data('/webhooks'), deliveries, await api.data('/audit?limit=1000')]);
    expect(shown).toContain('"has_secret":true');
    expect(shown).not.toContain(secret);
    await api.data(`/alerts/rules/${rule.rule_id}`, { method: 'DELETE' });
  }, 90_000);

  it('is acknowledged once, with the reason in the audit, and told to those that can hear it', async () => {
    const { model_id } = await api.register();
    await failureRule(model_id);
    const before = [at('/json').length, at('/alertmanager').length];
    await fail(model_id);
    const [{ alert_id }] = (await inState(model_id, 'firing')) as [Alert];
    const path = `/alerts/${alert_id}/acknowledge`;
    const editor = await suite.withRole('editor');
    const acknowledge = { method: 'POST', body: { reason: 'looking at it' } };
    const answers = await Promise.all([editor.data<Alert>(path, acknowledge), editor.data<Alert>(path, acknowledge)]);
    for (const answer of answers) expect(answer).toMatchObject({ acknowledge_reason: 'looking at it', state: 'firing' });
    await arrived('/json', before[0]! + 2);
    await ticks();
    expect([at('/json').length, at('/alertmanager').length]).toEqual([before[0]! + 2, before[1]! + 1]);
    expect(parsed<{ notices: { transition: string }[] }>(at('/json').at(-1)!).notices[0]?.transition).toBe('acknowledged');
    expect((await api.data<AuditEntry[]>(`/audit?subject_id=${alert_id}`)).map(({ action }) => action)).toEqual(['alert.acknowledged']);
    await infer(model_id, 200);
    await inState(model_id, 'resolved');
    expect(await editor.failure(path, acknowledge)).toMatchObject({ status: 409, code: 'ALERT_NOT_FIRING' });
  }, 60_000);

  it('that is silenced changes its state and is not told, until the silence ends', async () => {
    const { model_id } = await api.register();
    await failureRule(model_id);
    const until = new Date(Date.now() + 600_000).toISOString();
    const silence = await send<Silence>(post('/alerts/silences', { matchers: { model_id }, until, reason: 'maintenance' }));
    // What is told of the alerts of earlier tests may still arrive.
    const told = (): Received[] => at('/json').filter(({ body }) => body.includes(model_id));
    await fail(model_id);
    expect(await inState(model_id, 'firing')).toMatchObject([{ silenced: true }]);
    await ticks();
    expect(told()).toEqual([]);
    expect(await factsOf(model_id)).toEqual([]);
    await api.data(`/alerts/silences/${silence.silence_id}`, { method: 'DELETE' });
    await eventually(
      () => Promise.resolve(told()),
      ({ length }) => length === 1,
      20_000,
    );
    expect(parsed(told()[0]!)).toMatchObject({ notices: [{ transition: 'firing', alert: { model_id, silenced: false } }] });
  }, 60_000);

  it('ends when its rule does, and waits for for_minutes before it begins', async () => {
    const { model_id } = await api.register();
    const rule = await failureRule(model_id, { for_minutes: 5 });
    await fail(model_id);
    const pending = (): Promise<Alert[]> => api.data<Alert[]>(`/alerts?model_id=${model_id}&state=pending`);
    await eventually(pending, (alerts) => alerts.length === 1, 20_000);
    await ticks();
    expect([await alertsOf(model_id), (await pending()).length]).toEqual([[], 1]);
    await database.query(`UPDATE metrics.alerts SET started_at = now() - interval '6 minutes' WHERE model_id = $1`, [model_id]);
    await inState(model_id, 'firing');
    await api.data(`/alerts/rules/${rule.rule_id}`, { method: 'PATCH', body: { enabled: false } });
    expect(await inState(model_id, 'resolved')).toMatchObject([{ reason: expect.stringContaining('disabled') as string }]);
  }, 60_000);
});

describe('a delivery', () => {
  it('is neither lost nor repeated when its replicas stop and others start before the receiver is back', async () => {
    const { webhook_id } = await webhook('/down');
    const { model_id } = await api.register();
    await failureRule(model_id);
    await fail(model_id);
    await arrived('/down', 1);
    await Promise.all(replicas.splice(0).map((replica) => replica.close()));
    await suite.suite.services.metrics.close();
    await database.query('UPDATE metrics.webhooks SET url = $2 WHERE webhook_id = $1', [webhook_id, `${receiverUrl}/up`]);
    await database.query(`UPDATE metrics.deliveries SET next_attempt_at = now() WHERE webhook_id = $1`, [webhook_id]);
    replicas.push(...(await Promise.all([startMetrics(configOfReplica()), startMetrics(configOfReplica())])));
    await arrived('/up', 1);
    await ticks();
    expect(at('/up')).toHaveLength(1);
    expect(at('/up')[0]!.headers['emr-delivery']).toBe(at('/down')[0]!.headers['emr-delivery']);
    await eventually(
      () => api.data<Delivery[]>(`/webhooks/${webhook_id}/deliveries`),
      ([one]) => one?.state === 'delivered',
    );
    await api.data(`/webhooks/${webhook_id}`, { method: 'DELETE' });
  }, 60_000);

  it('survives SIGKILL of the only replica while the receiver has not answered yet', async () => {
    await Promise.all(replicas.splice(0).map((replica) => replica.close()));
    const { NATS_URL, DATABASE_URL } = configOfReplica();
    const child = spawn(process.execPath, [join(process.cwd(), 'dist/apps/metrics/main.js')], {
      stdio: 'ignore',
      env: {
        ...{ PATH: process.env.PATH, NATS_URL, DATABASE_URL, PROBE_HOST: '127.0.0.1', PROBE_PORT: '0', LOG_LEVEL: 'silent' },
        ...{ HEALTH_TICK_SECONDS: '1', WEBHOOK_ALLOWED_NETWORKS: '127.0.0.0/8' },
      },
    });
    const gone = once(child, 'exit');
    const hanging = await eventually(
      () => webhook('/hanging').catch(() => null),
      (made) => made !== null,
      30_000,
    );
    const { webhook_id } = hanging!;
    const { model_id } = await api.register();
    await failureRule(model_id);
    await fail(model_id);
    await arrived('/hanging', 1);
    child.kill('SIGKILL');
    await gone;
    const sql = 'SELECT state, lease_until > now() AS leased FROM metrics.deliveries WHERE webhook_id = $1';
    expect((await database.query(sql, [webhook_id])).rows).toEqual([{ state: 'waiting', leased: true }]);
    // Not waiting for the 30 s of its lease.
    await database.query(`UPDATE metrics.deliveries SET lease_until = now() WHERE webhook_id = $1`, [webhook_id]);
    answering = true;
    replicas.push(...(await Promise.all([startMetrics(configOfReplica()), startMetrics(configOfReplica())])));
    await arrived('/hanging', 2);
    await ticks();
    expect(at('/hanging')).toHaveLength(2);
    expect(new Set(at('/hanging').map(({ headers }) => headers['emr-delivery'])).size).toBe(1);
    expect(await alertsOf(model_id)).toMatchObject([{ state: 'firing' }]);
    await api.data(`/webhooks/${webhook_id}`, { method: 'DELETE' });
  }, 90_000);

  it('that a replica died with is taken up by another once its lease has run out, and can be sent again under the same id', async () => {
    const { webhook_id } = await webhook('/leased');
    const { model_id } = await api.register();
    await failureRule(model_id);
    await fail(model_id);
    const [first] = await arrived('/leased', 1);
    const look = (): Promise<Delivery[]> => api.data<Delivery[]>(`/webhooks/${webhook_id}/deliveries`);
    await eventually(look, ([one]) => one?.state === 'delivered');
    // As a replica leaves it that was killed after the receiver's answer and before its own commit.
    await database.query(
      `UPDATE metrics.deliveries SET state = 'waiting', delivered_at = NULL, lease_id = gen_random_uuid(), lease_until = now() + interval '2 s'
       WHERE webhook_id = $1`,
      [webhook_id],
    );
    expect(await look()).toMatchObject([{ state: 'waiting' }]);
    await arrived('/leased', 2);
    await eventually(look, ([one]) => one?.state === 'delivered' && one.attempts === 2);
    const path = `/webhooks/${webhook_id}/deliveries/${String(first!.headers['emr-delivery'])}/redeliver`;
    await api.data(path, { method: 'POST', body: {} });
    await arrived('/leased', 3);
    expect(new Set(at('/leased').map(({ headers }) => headers['emr-delivery'])).size).toBe(1);
    await api.data(`/webhooks/${webhook_id}`, { method: 'DELETE' });
  }, 60_000);

  it('as an event that NATS cannot take is delivered after NATS is back, once by its id', async () => {
    const { model_id } = await api.register();
    const rule = await failureRule(model_id);
    await fail(model_id);
    await inState(model_id, 'firing');
    await eventually(
      () => factsOf(model_id),
      (facts) => facts.length === 1,
      20_000,
    );
    await suite.nats.kill();
    // The rule ends while NATS is away: PostgreSQL alone is asked, by whoever evaluates.
    await database.query('UPDATE metrics.alert_rules SET enabled = false WHERE rule_id = $1', [rule.rule_id]);
    const waiting = (): Promise<pg.QueryResult<{ delivery_id: string; attempts: number }>> =>
      database.query(
        `SELECT delivery_id, attempts FROM metrics.deliveries WHERE rule_id = $1 AND webhook_id IS NULL AND state = 'waiting'`,
        [rule.rule_id],
      );
    const { rows } = await eventually(waiting, (found) => (found.rows[0]?.attempts ?? 0) > 0, 20_000);
    await suite.nats.restart();
    await eventually(
      () => factsOf(model_id).catch(() => []),
      (facts) => facts.length === 2,
      20_000,
    );
    await ticks();
    expect(await factsOf(model_id)).toEqual(['emr.evt.alerts.firing firing', 'emr.evt.alerts.resolved resolved']);
    expect(rows).toHaveLength(1);
    expect((await waiting()).rows).toEqual([]);
  }, 60_000);

  it('is not sent to a cloud metadata address, nor along a redirect', async () => {
    const metadata = await webhook('', { url: 'http://169.254.169.254/latest/meta-data' });
    const redirect = await webhook('/redirect');
    const { model_id } = await api.register();
    await failureRule(model_id);
    await fail(model_id);
    for (const [{ webhook_id }, error] of [
      [metadata, /^ADDRESS_NOT_ALLOWED: /],
      [redirect, /^REDIRECT_REFUSED: /],
    ] as const) {
      const [failed] = await eventually(
        () => api.data<Delivery[]>(`/webhooks/${webhook_id}/deliveries`),
        ([one]) => one?.state === 'failed',
        20_000,
      );
      expect(failed).toMatchObject({ attempts: 1, last_error: expect.stringMatching(error) as string });
      await api.data(`/webhooks/${webhook_id}`, { method: 'DELETE' });
    }
    expect(at('/target')).toEqual([]);
  }, 60_000);
});

describe('a narrowed key', () => {
  it('sees and acknowledges alerts of its models alone, and makes rules and silences for nothing else', async () => {
    const [mine, foreign] = await Promise.all([api.register({ sport: 'NBA' }), api.register({ sport: 'NFL' })]);
    await Promise.all([failureRule(mine.model_id), failureRule(foreign.model_id)]);
    await Promise.all([fail(mine.model_id), fail(foreign.model_id)]);
    await inState(mine.model_id, 'firing');
    const [hidden] = await inState(foreign.model_id, 'firing');
    const narrow = await suite.withRole('releaser', { sports: ['NBA'] });
    expect((await narrow.data<Alert[]>('/alerts')).map(({ model_id }) => model_id)).toEqual([mine.model_id]);
    expect(await narrow.data(`/alerts?model_id=${foreign.model_id}`)).toEqual([]);
    const acknowledge = { method: 'POST', body: { reason: 'mine now' } };
    expect(await narrow.failure(`/alerts/${hidden!.alert_id}/acknowledge`, acknowledge)).toMatchObject({
      status: 404,
      code: 'ALERT_NOT_FOUND',
    });
    const rules = await narrow.data<AlertRule[]>('/alerts/rules?limit=1000');
    expect(rules.map(({ applies_to }) => applies_to.model_id)).toEqual([mine.model_id]);
    expect((await narrow.send(`/alerts/rules/${hidden!.rule_id}`)).status).toBe(404);

    const rule = { name: 'n', metric: 'p95_ms', comparison: { kind: 'baseline', op: 'above', ratio: 2 }, severity: 'info', enabled: false };
    const make = (applies_to: object) => narrow.send('/alerts/rules', { method: 'POST', body: { ...rule, applies_to } });
    expect((await make({})).status).toBe(400);
    expect((await make({ sport: 'NFL' })).status).toBe(400);
    expect((await make({ model_id: foreign.model_id })).status).toBe(404);
    expect((await make({ sport: 'NBA' })).status).toBe(200);
    const wide = await send<AlertRule>(post('/alerts/rules', rule));
    expect(await narrow.failure(`/alerts/rules/${wide.rule_id}`, { method: 'DELETE' })).toMatchObject({
      status: 403,
      code: 'OUT_OF_SCOPE',
    });

    const until = new Date(Date.now() + 60_000).toISOString();
    const silence = (matchers: object) => narrow.send('/alerts/silences', { method: 'POST', body: { matchers, until, reason: 'quiet' } });
    expect((await silence({ severity: 'critical' })).status).toBe(400);
    expect((await silence({ model_id: foreign.model_id })).status).toBe(404);
    expect((await silence({ model_id: mine.model_id })).status).toBe(200);
  }, 60_000);
});

describe('a limit', () => {
  const until = new Date(Date.now() + 600_000).toISOString();
  const rule = { metric: 'p95_ms', comparison: { kind: 'fixed', op: 'above', value: 1 }, severity: 'info', enabled: false };
  it.each([
    [
      'alert_rules',
      1_000,
      'metrics.alert_rules',
      `INSERT INTO metrics.alert_rules SELECT (jsonb_populate_record(one, jsonb_build_object('rule_id', gen_random_uuid()))).*
       FROM metrics.alert_rules one, generate_series(1, $2) WHERE one.name = $1`,
      post('/alerts/rules', { name: 'limit', ...rule }),
    ],
    [
      'webhooks',
      100,
      'metrics.webhooks',
      `INSERT INTO metrics.webhooks SELECT (jsonb_populate_record(one, jsonb_build_object('webhook_id', gen_random_uuid()))).*
       FROM metrics.webhooks one, generate_series(1, $2) WHERE one.name = $1`,
      post('/webhooks', { name: 'limit', url: 'http://127.0.0.1:9/', format: 'json', enabled: false }),
    ],
    [
      'active_silences',
      1_000,
      'metrics.silences',
      `INSERT INTO metrics.silences SELECT (jsonb_populate_record(one, jsonb_build_object('silence_id', gen_random_uuid()))).*
       FROM metrics.silences one, generate_series(1, $2) WHERE one.reason = $1`,
      post('/alerts/silences', { matchers: { rule_id: '01890a5d-ac96-774b-bcce-b302099a8057' }, until, reason: 'limit' }),
    ],
  ])('of %s is %i, also for those that come at once', async (limit, max, table, copies, { path, ...request }) => {
    const named = limit === 'active_silences' ? 'reason' : 'name';
    const isActive = limit === 'active_silences' ? 'until > now()' : 'true';
    const count = async (): Promise<number> =>
      (await database.query<{ count: number }>(`SELECT count(*)::int FROM ${table} WHERE ${isActive}`)).rows[0]!.count;
    await api.data(path, request);
    await database.query(copies, ['limit', max - 2 - (await count())]);
    try {
      const answers = await Promise.all(Array.from({ length: 6 }, () => api.send(path, request)));
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 409, 409, 409, 409]);
      expect(await count()).toBe(max);
      expect(await api.failure(path, request)).toEqual({ status: 409, code: 'LIMIT_REACHED', details: { limit, max } });
      if (limit === 'active_silences') {
        await database.query(`UPDATE ${table} SET until = now() WHERE ${named} = 'limit'`);
        await api.data(path, request);
      }
    } finally {
      await database.query(`DELETE FROM ${table} WHERE ${named} = 'limit'`);
    }
  });
});

describe('bad input', () => {
  const condition = (metric: string, comparison: object) => ({
    name: 'bad',
    metric,
    severity: 'info',
    comparison: { op: 'above', ...comparison },
  });

  it.each([
    [condition('p95_ms', { kind: 'fixed' }), 'comparison.value'],
    [condition('p95_ms', { kind: 'fixed', value: 1, ratio: 2 }), 'comparison.ratio'],
    [condition('p95_ms', { kind: 'baseline', value: 1 }), 'comparison.value, comparison.ratio'],
    [condition('p95_ms', { kind: 'stable_version', ratio: 1, difference: 1 }), 'comparison.ratio'],
    [condition('burn_rate', { kind: 'baseline', ratio: 1 }), 'comparison.kind'],
    [condition('error_rate', { kind: 'fixed', value: 101 }), 'comparison.value'],
    [condition('constructor', { kind: 'fixed', value: 1 }), 'metric'],
  ])('names what is wrong with the rule %#', async (body, fields) => {
    const failure = await api.failure('/alerts/rules', { method: 'POST', body });
    expect(failure).toMatchObject({ status: 400, code: 'INVALID_INPUT' });
    expect((failure.details as { fields: { field: string }[] }).fields.map(({ field }) => field).join(', ')).toBe(fields);
  });

  it('is a silence of everything, of the past or for ever, and what is not there', async () => {
    const silence = (body: object) => api.failure('/alerts/silences', { method: 'POST', body: { reason: 'no', ...body } });
    const until = new Date(Date.now() + 60_000).toISOString();
    for (const body of [
      { matchers: {}, until },
      { matchers: { model_id: null }, until },
      { matchers: { severity: 'info' }, until: '2020-01-01T00:00:00Z' },
      { matchers: { severity: 'info' }, until: '9999-01-01T00:00:00Z' },
    ]) {
      expect(await silence(body)).toMatchObject({ code: 'INVALID_INPUT' });
    }
    const absent = '01890a5d-ac96-774b-bcce-b302099a8057';
    const codes = await Promise.all(
      [
        [`/alerts/rules/${absent}`],
        [`/alerts/${absent}/acknowledge`, { method: 'POST', body: { reason: 'x' } }],
        [`/alerts/silences/${absent}`, { method: 'DELETE' }],
        [`/webhooks/${absent}`],
        [`/webhooks/${absent}/deliveries/${absent}/redeliver`, { method: 'POST', body: {} }],
      ].map(async ([path, request]) => (await api.failure(path as string, request as object)).code),
    );
    expect(codes).toEqual(['ALERT_RULE_NOT_FOUND', 'ALERT_NOT_FOUND', 'SILENCE_NOT_FOUND', 'WEBHOOK_NOT_FOUND', 'DELIVERY_NOT_FOUND']);
  });

  it('is a change of a rule or webhook that has moved on', async () => {
    const { model_id } = await api.register();
    const { rule_id } = await failureRule(model_id, { enabled: false });
    const stale = { method: 'PATCH', body: { enabled: false }, headers: { 'if-match': '"7"' } };
    expect(await api.failure(`/alerts/rules/${rule_id}`, stale)).toMatchObject({ status: 412, code: 'STALE_REVISION' });
    const { webhook_id } = await webhook('/never', { enabled: false });
    expect(await api.failure(`/webhooks/${webhook_id}`, stale)).toMatchObject({ status: 412, code: 'STALE_REVISION' });
  });
});

describe('an evaluation', () => {
  it('holds a percentile against the day before, and a burn rate against the objective', async () => {
    const { model_id } = await api.register({ objectives: { success_rate: 99 } });
    await infer(model_id, 100, { occurred_at: new Date(Date.now() - 3 * 3_600_000).toISOString() });
    await infer(model_id, 60, { timing_ms: 50 });
    await infer(model_id, 40, { timing_ms: 50, success: false });
    const rule = { applies_to: { model_id }, recovery_minutes: 0, severity: 'info' };
    const baseline = { kind: 'baseline', op: 'above', ratio: 3 };
    await send(post('/alerts/rules', { ...rule, name: 'slower', metric: 'p95_ms', comparison: baseline, window_minutes: 60 }));
    const burn = { kind: 'fixed', op: 'above', value: 14.4 };
    await send(post('/alerts/rules', { ...rule, name: 'burn', metric: 'burn_rate', comparison: burn, window_minutes: 60 }));
    const alerts = await eventually(
      () => alertsOf(model_id),
      (all) => all.filter(({ state }) => state === 'firing').length === 2,
      20_000,
    );
    const by = Object.fromEntries(alerts.map(({ rule_name, value, threshold }) => [rule_name, { value, threshold }]));
    expect(by.burn!.value).toBeCloseTo(40, 6);
    expect(by.slower!.value! / 50).toBeCloseTo(1, 1);
    expect(by.slower!.threshold! / 15).toBeCloseTo(1, 1);
  }, 40_000);
});

describe('health', () => {
  it('is held against the objectives, worsens on the second evaluation and comes back on the third', async () => {
    const { model_id } = await api.register({ objectives: { p95_ms: 100 } });
    const health = (): Promise<ModelHealth> => api.data<ModelHealth>(`/registry/${model_id}/health`);
    expect(await health()).toMatchObject({ health_status: 'unknown' });
    await infer(model_id, 100);
    const stored = () =>
      database.query<Record<string, unknown>>(
        'SELECT health_status, streak, pending_status FROM metrics.model_health WHERE model_id = $1',
        [model_id],
      );
    await eventually(stored, ({ rows }) => rows[0]?.health_status === 'healthy', 15_000);
    const healthy = await health();
    await infer(model_id, 100, { timing_ms: 150 });
    const degraded = await eventually(health, ({ health_status }) => health_status !== 'healthy', 15_000);
    expect(degraded).toMatchObject({
      health_status: 'degraded',
      reasons: [expect.stringContaining('surely above its objective (100 ms)')],
    });
    expect(Date.parse(degraded.since)).toBeGreaterThan(Date.parse(healthy.since));
    await api.data(`/registry/${model_id}`, { method: 'PATCH', body: { objectives: { p95_ms: 500 } } });
    await eventually(health, ({ health_status }) => health_status === 'healthy', 15_000);
    // What is stored is not believed, and health judged at once, where an evaluation is late.
    const { rows } = await eventually(stored, (found) => found.rows[0]?.health_status === 'healthy', 15_000);
    expect(rows).toEqual([{ health_status: 'healthy', streak: 0, pending_status: null }]);
  }, 60_000);
});

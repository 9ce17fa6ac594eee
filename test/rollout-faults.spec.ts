import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import pg from 'pg';
import { type Flag } from '#contracts/flags.js';
import { type Model } from '#contracts/registry.js';
import { type RolloutDecision } from '#contracts/rollout-decision.js';
import { type RolloutEvent } from '#contracts/rollout-event.js';
import { type Rollout } from '#contracts/rollouts.js';
import { type Api, eventually } from './api.harness.js';
import { Processes, services } from './processes.harness.js';
import { type Behaviour, Traffic } from './rollout-traffic.harness.js';

let processes: Processes;
let api: Api;
let traffic: Traffic | undefined;
/** Of a webhook. */
let receiver: Server;
const received: { delivery_id: string; rollout: RolloutEvent }[] = [];
/** As Alertmanager would send them. */
const alerted: { status: string; alerts: { labels: Record<string, string> }[] }[] = [];

beforeAll(async () => {
  processes = await Processes.prepare({ ROLLOUT_TICK_SECONDS: '1', WEBHOOK_ALLOWED_NETWORKS: '127.0.0.0/8' });
  await Promise.all([...services, 'flags-b' as const, 'gateway' as const].map((app) => processes.start(app)));
  api = processes.api;
  receiver = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body: unknown = JSON.parse(Buffer.concat(chunks).toString());
      if (request.url === '/alertmanager') alerted.push(body as (typeof alerted)[number]);
      else received.push(body as (typeof received)[number]);
      response.writeHead(204).end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
  await api.data('/webhooks', { method: 'POST', body: { name: 'rollouts', url, format: 'json' } });
  await api.data('/webhooks', { method: 'POST', body: { name: 'on-call', url: `${url}alertmanager`, format: 'alertmanager' } });
});
afterAll(async () => {
  await traffic?.stop();
  await processes.close();
  receiver.closeAllConnections();
  await new Promise((resolve) => receiver.close(resolve));
});

const flag_key = 'rolled';
/** What nobody asked the gateway to change comes round to it a moment later. */
const isFree = ({ rollout_id }: { rollout_id: string | null }): boolean => rollout_id === null;
const good: Behaviour = { failures: 0.03, timing_ms: 50 };

describe('a rollout, decided by two replicas of the flags service', () => {
  let candidate: Model;
  let stable: Model;
  let rollout: Rollout;
  const candidateBehaviour = { ...good };

  /** Asked again where NATS gave the question to a replica that was killed, before it noticed: that is never answered. */
  const current = async (): Promise<Rollout> => {
    const answer = await eventually(
      () => api.send(`/rollouts/${rollout.rollout_id}`),
      ({ status }) => status === 200,
    );
    return (answer.body as { data: Rollout }).data;
  };
  const decisions = async (): Promise<RolloutDecision[]> =>
    (await api.data<RolloutDecision[]>(`/rollouts/${rollout.rollout_id}/decisions?limit=1000`)).reverse();

  beforeAll(async () => {
    stable = await api.registerAs('stable', { name: 'Rolled', version: '1.0.0', rollout_percentage: 100 });
    candidate = await api.register({ name: 'Rolled', version: '1.1.0' });
    const variant_models = { old: stable.model_id, new: candidate.model_id };
    const body = { flag_key, variants: { old: 'v1', new: 'v2' }, default_variant: 'old', split: { weights: { old: 1 } }, variant_models };
    await api.data('/flags', { method: 'POST', body });
    traffic = new Traffic(api, flag_key, { old: good, new: candidateBehaviour });
    const steps = [
      { percentage: 20, min_duration_seconds: 3_600, min_samples: 0 },
      { percentage: 100, min_duration_seconds: 3_600, min_samples: 0 },
    ];
    const plan = { steps, guardrails: [{ metric: 'failure_rate' }], override: true, reason: 'a test of rollouts, without evidence' };
    rollout = await api.data('/rollouts', { method: 'POST', body: { flag_key, candidate_model_id: candidate.model_id, ...plan } });
    traffic.start();
  });

  it('gets one decision a tick, loses nothing with a replica that is killed, and counts everything once', async () => {
    await eventually(current, ({ last_decision }) => (last_decision?.tick ?? 0) >= 3, 15_000);
    await processes.end('flags-b', 'SIGKILL');
    const { last_decision } = await current();
    await eventually(current, ({ last_decision: later }) => later!.tick >= last_decision!.tick + 2, 15_000);
    const taken = await decisions();
    expect(taken.map(({ tick }) => tick)).toEqual(taken.map((_, index) => index + 1));
    for (const [index, { at }] of taken.slice(1).entries()) {
      expect(Date.parse(at) - Date.parse(taken[index]!.at)).toBeGreaterThanOrEqual(1_000);
    }
    const { arms } = await api.data<{ arms: { inferences: number }[] }>(`/rollouts/${rollout.rollout_id}/analysis`);
    const inferences = taken.reduce((sum, { candidate: arm }) => sum + arm.inferences, 0);
    expect(arms[0]!.inferences).toBeGreaterThanOrEqual(inferences);
    expect(inferences).toBeGreaterThan(100);
  });

  it('is told of once to webhooks, in its order, whoever is killed between what happens and its delivery', async () => {
    const act = (action: string): Promise<unknown> =>
      api.data(`/rollouts/${rollout.rollout_id}/${action}`, { method: 'POST', body: { reason: `a test ${action}s it` } });
    const events = (): Promise<string[]> => Promise.resolve(received.map(({ rollout: { event } }) => event));
    await processes.start('flags-b');
    await eventually(events, ({ length }) => length === 1);
    await processes.end('metrics', 'SIGKILL');
    await act('pause');
    const database = new pg.Client({ connectionString: processes.database.url });
    await database.connect();
    const waiting = (): Promise<pg.QueryResult> => database.query('SELECT 1 FROM flags.rollout_events WHERE published AND NOT taken');
    await eventually(waiting, ({ rowCount }) => rowCount === 1);
    await Promise.all([processes.end('flags', 'SIGKILL'), processes.end('flags-b', 'SIGKILL')]);
    await Promise.all((['metrics', 'metrics-b', 'flags', 'flags-b'] as const).map((app) => processes.start(app)));
    await act('resume');
    await eventually(events, ({ length }) => length >= 3);
    await eventually(
      () => database.query('SELECT 1 FROM flags.rollout_events'),
      ({ rowCount }) => rowCount === 0,
    );
    await database.end();
    expect(await events()).toEqual(['started', 'paused', 'resumed']);
    expect(new Set(received.map(({ delivery_id }) => delivery_id)).size).toBe(3);
    expect(received.map(({ rollout: { event_id } }) => event_id)).toEqual(
      ['started', 'paused', 'resumed'].map((event, index) => `${rollout.rollout_id}:${index + 1}:${event}`),
    );
  });

  it('is rolled back although the registry is away, which hears of it once it is back', async () => {
    await processes.end('registry', 'SIGKILL');
    candidateBehaviour.failures = 0.3;
    const ended = await eventually(current, ({ status }) => status === 'rolled_back', 20_000);
    expect(ended).toMatchObject({ percentage: 0, last_decision: { action: 'rollback' }, pending: { change: 'rollback' } });
    const flag = await eventually(() => api.data<Flag>(`/flags/${flag_key}`), isFree);
    expect(flag).toMatchObject({ split: { weights: { new: 0 } } });
    await eventually(
      () => Promise.resolve(received),
      ({ length }) => length === 4,
    );
    expect(received.at(-1)!.rollout).toMatchObject({
      ...{ event: 'rolled_back', severity: 'critical', rule: ended.last_decision!.rule, percentage: 0, reason: ended.outcome },
      rollout_id: rollout.rollout_id,
    });
    await eventually(
      () => Promise.resolve(alerted),
      ({ length }) => length === 1,
    );
    expect(alerted).toMatchObject([
      { status: 'firing', alerts: [{ labels: { alertname: 'RolloutRolledBack', rollout_id: rollout.rollout_id, severity: 'critical' } }] },
    ]);
    await eventually(current, ({ pending }) => Boolean(pending?.last_error), 5_000);
    await processes.start('registry');
    await eventually(current, ({ pending }) => pending === null, 10_000);
    const modelOf = ({ model_id }: Model): Promise<Model> => eventually(() => api.data<Model>(`/registry/${model_id}`), isFree);
    expect(await modelOf(candidate)).toMatchObject({ status: 'development', rollout_percentage: 0 });
    expect(await modelOf(stable)).toMatchObject({ status: 'stable', rollout_percentage: 100 });
  });
});

import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import { type Alert } from '#contracts/alerts.js';
import { type RolloutEvent } from '#contracts/rollout-event.js';
import { type Rollout } from '#contracts/rollouts.js';
import { type RunResult } from '#contracts/validation.js';
import { type ModelServer, startModelServer } from '../../examples/model-server/server.mjs';
import { eventually } from '../api.harness.js';
import { type BalancedClient, type Kind } from './balanced-client.harness.js';
import { type FaultSuite } from './fault-suite.harness.js';
import { type Random, sleep } from './seed.harness.js';
import {
  alertFindings,
  type AlertState,
  type AskedRun,
  type Decision,
  decisionFindings,
  type Notice,
  rolloutFindings,
  type RolloutNotice,
  runFindings,
  type StoredRun,
} from './suite-history.harness.js';

export const tickSeconds = 1;
const flag_key = 'rolled';
const settleMs = 60_000;

const record: Kind = { kind: 'POST inference/batch of an arm' };
const run: Kind = { kind: 'POST validation/run' };
const alerts: Kind = { kind: 'GET alerts' };
// What nobody heard the answer of is done all the same.
const pause: Kind = { kind: 'POST rollouts/pause or resume', expected: ['ROLLOUT_NOT_RUNNING'] };

/** What the suite does by itself: validation runs against the example's model server, rollouts, alerts that are told to a webhook. */
export class Running {
  private readonly told: Notice[] = [];
  private readonly heard: RolloutNotice[] = [];
  private readonly runs: AskedRun[] = [];
  private readonly receiver: Server;

  private constructor(
    private readonly suite: FaultSuite,
    private readonly client: BalancedClient,
    private readonly random: Random,
    private readonly modelServer: ModelServer,
  ) {
    this.receiver = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { delivery_id, notices, rollout } = JSON.parse(Buffer.concat(chunks).toString()) as {
          delivery_id: string;
          notices: { transition: string; alert: Alert }[];
          rollout?: RolloutEvent;
        };
        if (rollout) this.heard.push({ delivery_id, event_id: rollout.event_id });
        for (const { transition, alert } of notices) this.told.push({ delivery_id, transition, alert_id: alert.alert_id });
        response.writeHead(204).end();
      });
    });
  }

  private served: readonly string[] = [];
  private arms: readonly { model_id: string; variant: string }[] = [];
  private rollout_id = '';
  private watched: readonly string[] = [];

  static async prepare(suite: FaultSuite, client: BalancedClient, random: Random): Promise<Running> {
    const running = new Running(suite, client, random, await startModelServer());
    await new Promise<void>((resolve) => running.receiver.listen(0, '127.0.0.1', resolve));
    await Promise.all([running.serve(), running.watch()]);
    await running.rollOut();
    return running;
  }

  loops(isOver: () => boolean): Promise<void>[] {
    const half = Math.ceil(this.watched.length / 2);
    return [
      this.validate(isOver),
      this.send(isOver),
      this.pauseAndResume(isOver),
      ...[this.watched.slice(0, half), this.watched.slice(half)].map((models) => this.breakAndMend(models, isOver)),
    ];
  }

  /** Waits until runs are over and everything is told. */
  async findings(): Promise<string[]> {
    await this.none("SELECT run_id FROM validation.runs WHERE status = 'running'");
    const states = await this.toldStates();
    await this.none('SELECT position FROM flags.rollout_events');
    await this.none("SELECT delivery_id FROM metrics.deliveries WHERE state = 'waiting'");
    const rollouts = await this.suite.rows<{ rollout_id: string; told: number }>('SELECT rollout_id, told FROM flags.rollouts');
    const decisions = await this.suite.rows<Decision>(
      'SELECT rollout_id, tick::float8, extract(epoch FROM at)::float8 * 1000 AS at_ms FROM flags.rollout_decisions',
    );
    const stored = await this.suite.rows<StoredRun>(
      'SELECT run_id, status, total_tests::float8, jsonb_array_length(results)::float8 AS results FROM validation.runs',
    );
    if (!this.told.length || !this.heard.length || !decisions.length || !stored.length)
      throw new Error('Nothing was told, decided or run: this proves nothing');
    return [
      ...alertFindings(states, this.told),
      ...rolloutFindings(rollouts, this.heard),
      // By the clock of another process than the one before, on the same machine.
      ...decisionFindings(decisions, tickSeconds * 1_000 - 1),
      ...runFindings(this.runs, stored),
    ];
  }

  /** Of all alerts, once whatever became of them is delivered: nothing else happens to them where nothing is recorded. */
  private async toldStates(): Promise<AlertState[]> {
    const look = (): Promise<AlertState[]> =>
      this.suite.rows(
        'SELECT alert_id, fired_at IS NOT NULL AS fired, resolved_at IS NOT NULL AS resolved FROM metrics.alerts ORDER BY alert_id',
      );
    for (;;) {
      const before = await look();
      await this.none("SELECT delivery_id FROM metrics.deliveries WHERE state = 'waiting'");
      if (isDeepStrictEqual(before, await look())) return before;
    }
  }

  private async none(sql: string): Promise<void> {
    await eventually(
      () => this.suite.rows(sql),
      (rows) => rows.length === 0,
      settleMs,
    );
  }

  async close(): Promise<void> {
    await this.modelServer.close();
    this.receiver.closeAllConnections();
    await new Promise((resolve) => this.receiver.close(resolve));
  }

  private async serve(): Promise<void> {
    const { api } = this.suite;
    const serving = { protocol: 'http_json' as const, url: `${this.modelServer.url}/predict/mlb-props` };
    const models = await Promise.all([1, 2, 3].map((version) => api.register({ name: 'Served', version: `1.${version}.0`, serving })));
    this.served = models.map(({ model_id }) => model_id);
    const input = { season_average: 1.4, recent_average: 1.6, line: 1, opponent_rank: 22, home: 1 };
    for (const test_case_id of ['first', 'second']) {
      const body = { test_case_id, applies_to: { name: 'Served' }, input, expectations: [{ op: 'exists' }] };
      await api.data('/validation/cases', { method: 'POST', body });
    }
  }

  private async rollOut(): Promise<void> {
    const { api } = this.suite;
    const stable = await api.registerAs('stable', { name: 'Rolled', version: '1.0.0', rollout_percentage: 100 });
    const candidate = await api.register({ name: 'Rolled', version: '1.1.0' });
    this.arms = [
      { model_id: stable.model_id, variant: 'old' },
      { model_id: candidate.model_id, variant: 'new' },
    ];
    const variant_models = { old: stable.model_id, new: candidate.model_id };
    const flag = { flag_key, variants: { old: 'v1', new: 'v2' }, default_variant: 'old', split: { weights: { old: 1 } }, variant_models };
    await api.data('/flags', { method: 'POST', body: flag });
    const steps = [
      { percentage: 20, min_duration_seconds: 10, min_samples: 0 },
      { percentage: 100, min_duration_seconds: 3_600, min_samples: 0 },
    ];
    const plan = { steps, guardrails: [{ metric: 'failure_rate' }], override: true, reason: 'a rollout under faults, without evidence' };
    const body = { flag_key, candidate_model_id: candidate.model_id, ...plan };
    this.rollout_id = (await api.data<Rollout>('/rollouts', { method: 'POST', body })).rollout_id;
  }

  private async watch(): Promise<void> {
    const { api } = this.suite;
    const models = await Promise.all(Array.from({ length: 8 }, (_, index) => api.register({ name: 'Watched', version: `1.${index}.0` })));
    this.watched = models.map(({ model_id }) => model_id);
    const rule = { metric: 'error_rate', comparison: { kind: 'fixed', op: 'above', value: 50 }, recovery_minutes: 0, severity: 'critical' };
    await api.data('/alerts/rules', { method: 'POST', body: { name: 'Fails', applies_to: { name: 'Watched' }, ...rule } });
    const url = `http://127.0.0.1:${(this.receiver.address() as AddressInfo).port}/`;
    await api.data('/webhooks', { method: 'POST', body: { name: 'The checker', url, format: 'json' } });
  }

  /** The same request until its run is known. */
  private async validate(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      await sleep(this.random.whole(200, 800));
      const body = { model_id: this.random.pick(this.served), wait: false };
      const asked = { marker: randomUUID(), run_ids: [] as string[] };
      this.runs.push(asked);
      for (let known = 0; known < 2 && !isOver();) {
        const answer = await this.client.send(run, '/validation/run', {
          method: 'POST',
          body,
          headers: { 'idempotency-key': asked.marker },
        });
        if (answer?.status === 200) {
          asked.run_ids.push((answer.body as { data: RunResult }).data.run_id);
          known += 1;
        } else {
          await sleep(200);
        }
      }
    }
  }

  private async pauseAndResume(isOver: () => boolean): Promise<void> {
    for (let times = 0; !isOver(); times++) {
      await sleep(this.random.whole(500, 1_500));
      const action = times % 2 ? 'resume' : 'pause';
      await this.client.send(pause, `/rollouts/${this.rollout_id}/${action}`, {
        method: 'POST',
        body: { reason: `under faults: ${action}` },
      });
    }
  }

  private async send(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      await sleep(100);
      const events = this.arms.flatMap(({ model_id, variant }) =>
        Array.from({ length: 20 }, () => ({
          model_id,
          flag_key,
          variant,
          timing_ms: this.random.whole(40, 60),
          success: this.random.next() > 0.03,
        })),
      );
      await this.client.send(record, '/inference/batch', { method: 'POST', body: { events } });
    }
  }

  /** Each model in turn fails until an alert fires, and then succeeds until it is resolved. */
  private async breakAndMend(models: readonly string[], isOver: () => boolean): Promise<void> {
    const until = async (model_id: string, state: string, event: object): Promise<void> => {
      while (!isOver()) {
        const events = Array.from({ length: 40 }, () => ({ model_id, timing_ms: 5, ...event }));
        await this.client.send(record, '/inference/batch', { method: 'POST', body: { events } });
        await sleep(500);
        const answer = await this.client.send(alerts, `/alerts?model_id=${model_id}`);
        if ((answer?.body as { data?: Alert[] } | undefined)?.data?.some((alert) => alert.state === state)) return;
      }
    };
    for (const model_id of models) {
      await until(model_id, 'firing', { success: false, error: 'timed out' });
      await until(model_id, 'resolved', {});
    }
  }
}

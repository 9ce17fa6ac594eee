import { type Flag } from '#contracts/flags.js';
import { type Model } from '#contracts/registry.js';
import { type RolloutDecision } from '#contracts/rollout-decision.js';
import { type Rollout } from '#contracts/rollouts.js';
import { type Api, eventually } from './api.harness.js';
import { Processes, services } from './processes.harness.js';
import { type Behaviour, Traffic } from './rollout-traffic.harness.js';

let processes: Processes;
let api: Api;
let traffic: Traffic | undefined;

beforeAll(async () => {
  processes = await Processes.prepare({ ROLLOUT_TICK_SECONDS: '1' });
  await Promise.all([...services, 'flags-b' as const, 'gateway' as const].map((app) => processes.start(app)));
  api = processes.api;
});
afterAll(async () => {
  await traffic?.stop();
  await processes.close();
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

  const current = (): Promise<Rollout> => api.data(`/rollouts/${rollout.rollout_id}`);
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

  it('is rolled back although the registry is away, which hears of it once it is back', async () => {
    await processes.end('registry', 'SIGKILL');
    candidateBehaviour.failures = 0.3;
    const ended = await eventually(current, ({ status }) => status === 'rolled_back', 20_000);
    expect(ended).toMatchObject({ percentage: 0, last_decision: { rule: 'guardrail_harm' }, pending: { change: 'rollback' } });
    const flag = await eventually(() => api.data<Flag>(`/flags/${flag_key}`), isFree);
    expect(flag).toMatchObject({ split: { weights: { new: 0 } } });
    await eventually(current, ({ pending }) => Boolean(pending?.last_error), 5_000);
    await processes.start('registry');
    await eventually(current, ({ pending }) => pending === null, 10_000);
    expect(await api.data(`/registry/${candidate.model_id}`)).toMatchObject({
      status: 'development',
      rollout_percentage: 0,
      rollout_id: null,
    });
    expect(await api.data(`/registry/${stable.model_id}`)).toMatchObject({ status: 'stable', rollout_percentage: 100, rollout_id: null });
  });
});

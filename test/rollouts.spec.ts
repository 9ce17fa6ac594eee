import { randomBytes } from 'node:crypto';
import { jetstreamManager } from '@nats-io/jetstream';
import { factStream } from '#contracts/alerts.js';
import { type AuditEntry } from '#contracts/audit.js';
import { type Flag } from '#contracts/flags.js';
import { type Model } from '#contracts/registry.js';
import { type RolloutAnalysis, type RolloutSimulation } from '#contracts/rollout-analysis.js';
import { type RolloutDecision } from '#contracts/rollout-decision.js';
import { subjectOfRollout } from '#contracts/rollout-event.js';
import { type Rollout } from '#contracts/rollouts.js';
import { connectTo } from '#testing/nats.js';
import { type Api, eventually } from './api.harness.js';
import { type Behaviour, Traffic } from './rollout-traffic.harness.js';
import { TestSuite } from './suite.harness.js';

let suite: TestSuite;
let api: Api;
const traffics: Traffic[] = [];

beforeAll(async () => {
  suite = await TestSuite.start();
  api = suite.api;
});
afterEach(async () => {
  await Promise.all(traffics.splice(0).map((traffic) => traffic.stop()));
});
afterAll(() => suite.close());

const fine: Behaviour = { failures: 0.03, timing_ms: 50 };
const override = { override: true, reason: 'a test of rollouts, without evidence of validation' };
const steps = (...percentages: number[]): object[] =>
  percentages.map((percentage) => ({ percentage, min_duration_seconds: 0, min_samples: 50 }));

interface Scene {
  stable: Model;
  candidate: Model;
  flag_key: string;
  traffic: Traffic;
  create: (more?: object) => Promise<Rollout>;
}

/** A stable version with all traffic of a flag, and a new version that nobody gets yet. */
async function scene(candidateBehaviour: Behaviour): Promise<Scene> {
  const name = `Rolled ${randomBytes(4).toString('hex')}`;
  const stable = await api.registerAs('stable', { name, version: '1.0.0', rollout_percentage: 100 });
  const candidate = await api.register({ name, version: '1.1.0' });
  const flag_key = `rolled_${randomBytes(4).toString('hex')}`;
  const variant_models = { old: stable.model_id, new: candidate.model_id };
  await api.data('/flags', {
    method: 'POST',
    body: { flag_key, variants: { old: 'v1', new: 'v2' }, default_variant: 'old', split: { weights: { old: 100 } }, variant_models },
  });
  const traffic = new Traffic(api, flag_key, { old: fine, new: candidateBehaviour });
  traffics.push(traffic);
  // From these the limits of latencies come.
  await traffic.send(6_000);
  const create = (more: object = {}): Promise<Rollout> =>
    api.data('/rollouts', { method: 'POST', body: { flag_key, candidate_model_id: candidate.model_id, ...override, ...more } });
  return { stable, candidate, flag_key, traffic, create };
}

const rollout = ({ rollout_id }: Rollout): Promise<Rollout> => api.data(`/rollouts/${rollout_id}`);
const model = ({ model_id }: Model): Promise<Model> => api.data(`/registry/${model_id}`);
const flagOf = ({ flag_key }: Scene): Promise<Flag> => api.data(`/flags/${flag_key}`);
/** What nobody asked the gateway to change comes round to it a moment later. */
const isFree = ({ rollout_id }: { rollout_id: string | null }): boolean => rollout_id === null;
const freeModel = (of: Model): Promise<Model> => eventually(() => model(of), isFree);
const freeFlag = (of: Scene): Promise<Flag> => eventually(() => flagOf(of), isFree);
const decisionsOf = ({ rollout_id }: Rollout): Promise<RolloutDecision[]> => api.data(`/rollouts/${rollout_id}/decisions?limit=1000`);
const act = (of: Rollout, action: string, reason = 'by a test'): Promise<Rollout> =>
  api.data(`/rollouts/${of.rollout_id}/${action}`, { method: 'POST', body: { reason } });

describe('a guarded rollout', () => {
  it('takes a good candidate to stable, step by step, flag and registry together', async () => {
    const story = await scene(fine);
    const created = await story.create({ steps: steps(20, 50, 100), promotion_alpha: 0.1 });
    expect(created).toMatchObject({ status: 'running', step: 0, percentage: 20, candidate_variant: 'new', control_variant: 'old' });
    expect(await model(story.candidate)).toMatchObject({ status: 'canary', rollout_percentage: 20, rollout_id: created.rollout_id });
    expect(await model(story.stable)).toMatchObject({ status: 'stable', rollout_percentage: 80, rollout_id: created.rollout_id });
    expect(await flagOf(story)).toMatchObject({
      rollout_id: created.rollout_id,
      split: { salt: created.rollout_id, weights: { new: 200_000, old: 800_000 } },
    });

    const owned = { status: 409, code: 'OWNED_BY_ROLLOUT' };
    const split = { weights: { old: 1 } };
    expect(await api.failure(`/flags/${story.flag_key}`, { method: 'PATCH', body: { split } })).toMatchObject(owned);
    const share = { method: 'PATCH', body: { rollout_percentage: 1 } };
    expect(await api.failure(`/registry/${story.candidate.model_id}`, share)).toMatchObject(owned);
    const status = { method: 'POST', body: { to: 'retired', reason: 'by a test' } };
    expect(await api.failure(`/registry/${story.candidate.model_id}/status`, status)).toMatchObject(owned);
    expect(await api.failure('/rollouts', { method: 'POST', body: { ...created, candidate_model_id: 'x' } })).toMatchObject({
      status: 400,
    });

    story.traffic.start();
    const completed = await eventually(
      () => rollout(created),
      ({ status, pending }) => status === 'completed' && !pending,
      20_000,
    );
    expect(completed).toMatchObject({ step: 2, percentage: 100, outcome: expect.stringContaining('all traffic') as string });
    expect(await freeModel(story.candidate)).toMatchObject({ status: 'stable', rollout_percentage: 100, rollout_id: null });
    expect(await freeModel(story.stable)).toMatchObject({ status: 'deprecated', rollout_percentage: 0, rollout_id: null });
    expect(await freeFlag(story)).toMatchObject({ rollout_id: null, split: { weights: { new: 1_000_000, old: 0 } } });

    const decisions = (await decisionsOf(created)).reverse();
    expect(decisions.map(({ tick }) => tick)).toEqual(decisions.map((_, index) => index + 1));
    expect(decisions.filter(({ action }) => action === 'advance').map(({ step, rule }) => [step, rule])).toEqual([
      [0, 'evidence'],
      [1, 'evidence'],
      [2, 'evidence'],
    ]);
    const analysis = await api.data<RolloutAnalysis>(`/rollouts/${created.rollout_id}/analysis`);
    const total = (arm: 'candidate' | 'control'): number => decisions.reduce((sum, decision) => sum + decision[arm].inferences, 0);
    expect(analysis.arms.map(({ inferences }) => inferences)).toEqual([total('candidate'), total('control')]);
    expect(analysis.success_difference_lower).toBeLessThan(0);
    expect(analysis.success_difference_upper).toBeGreaterThan(0);
    expect(analysis.arms[0]!.probability_best + analysis.arms[1]!.probability_best).toBeCloseTo(1, 9);
    expect(analysis).toMatchObject({ ticks: decisions.length, sample_ratio: { mismatch: false } });
    const audit = await api.data<AuditEntry[]>(`/audit?subject_id=${created.rollout_id}`);
    expect(audit.map(({ action }) => action)).toEqual([
      'rollout.completed',
      'rollout.advance_decided',
      'rollout.advanced',
      'rollout.advance_decided',
      'rollout.advanced',
      'rollout.advance_decided',
      'rollout.started',
      'rollout.created',
    ]);
  });

  it('rolls a bad candidate back within a tick of the evidence, says why, and does not take it again unasked', async () => {
    const story = await scene({ failures: 0.2, timing_ms: 50 });
    const created = await story.create({ steps: steps(20, 100) });
    story.traffic.start();
    const ended = await eventually(
      () => rollout(created),
      ({ status, pending }) => status === 'rolled_back' && !pending,
      15_000,
    );
    expect(ended).toMatchObject({ percentage: 0, last_decision: { action: 'rollback', rule: 'guardrail_harm' } });
    expect(ended.outcome).toContain('failure_rate is worse');
    // Twenty per cent failures: a few ticks.
    expect(ended.last_decision!.tick).toBeLessThanOrEqual(8);
    expect(await freeFlag(story)).toMatchObject({ rollout_id: null, split: { weights: { new: 0, old: 1_000_000 } } });
    expect(await freeModel(story.candidate)).toMatchObject({ status: 'development', rollout_percentage: 0, rollout_id: null });
    expect(await freeModel(story.stable)).toMatchObject({ status: 'stable', rollout_percentage: 100, rollout_id: null });

    const connection = await connectTo(suite.nats_url);
    const streams = (await jetstreamManager(connection)).streams;
    const fact = await streams.getMessage(factStream.name, { last_by_subj: subjectOfRollout('rolled_back') });
    await connection.close();
    expect(fact?.json()).toMatchObject({ rollout_id: created.rollout_id, event: 'rolled_back', reason: ended.outcome });

    const body = { flag_key: story.flag_key, candidate_model_id: story.candidate.model_id, ...override };
    expect(await api.failure('/rollouts', { method: 'POST', body })).toMatchObject({
      status: 409,
      code: 'ROLLED_BACK_BEFORE',
      details: { rollout_id: created.rollout_id },
    });
    expect(await api.failure(`/rollouts/${created.rollout_id}/pause`, { method: 'POST', body: { reason: 'late' } })).toMatchObject({
      status: 409,
      code: 'ROLLOUT_NOT_RUNNING',
    });
    const simulate = (plan: object): Promise<RolloutSimulation> =>
      api.data(`/rollouts/${created.rollout_id}/simulate`, { method: 'POST', body: plan });
    expect(await simulate({})).toMatchObject({ rollback_at_tick: ended.last_decision!.tick, truncated: false });
    expect(await simulate({ guardrails: [{ metric: 'failure_rate', harm_margin: 90, promotion_margin: 90 }] })).toMatchObject({
      rollback_at_tick: null,
    });
    const again = await story.create({ reenter: true });
    expect(await act(again, 'abort')).toMatchObject({ status: 'aborted', percentage: 0, outcome: 'by hand: by a test' });
  });

  it('rolls back a candidate that is slow', async () => {
    const story = await scene({ failures: 0.03, timing_ms: 100 });
    const created = await story.create({ steps: steps(20, 100) });
    story.traffic.start();
    const ended = await eventually(
      () => rollout(created),
      ({ status }) => status === 'rolled_back',
      15_000,
    );
    expect(ended.outcome).toMatch(/latency_p\d+ is worse/);
  });

  it('is not begun without the evidence that the gate asks for, and leaves flag and models as they were', async () => {
    const { flag_key, candidate, stable } = await scene(fine);
    const body = { flag_key, candidate_model_id: candidate.model_id, reason: 'no evidence' };
    expect(await api.failure('/rollouts', { method: 'POST', body })).toMatchObject({ status: 422, code: 'GATE_NOT_PASSED' });
    expect(await api.data(`/rollouts?flag_key=${flag_key}`)).toMatchObject([{ status: 'refused', pending: null }]);
    expect(await api.data(`/flags/${flag_key}`)).toMatchObject({ rollout_id: null, split: { weights: { old: 100 } } });
    expect(await model(candidate)).toMatchObject({ status: 'development', rollout_id: null, revision: 1 });
    expect(await model(stable)).toMatchObject({ status: 'stable', rollout_id: null });
    expect(await api.failure('/rollouts', { method: 'POST', body: { ...body, override: true } })).toMatchObject({
      code: 'INVALID_INPUT',
      details: { fields: [{ field: 'reason' }] },
    });
  });

  it('can be paused, resumed, taken further by hand, and aborted', async () => {
    const story = await scene(fine);
    const created = await story.create({ steps: steps(1, 50, 100) });
    expect(await act(created, 'pause')).toMatchObject({ status: 'paused' });
    await eventually(
      () => rollout(created),
      ({ last_decision }) => last_decision?.rule === 'paused',
    );
    expect(await act(created, 'promote')).toMatchObject({ status: 'paused', step: 1, percentage: 50, pending: null });
    expect(await model(story.candidate)).toMatchObject({ status: 'canary', rollout_percentage: 50 });
    expect(await act(created, 'resume')).toMatchObject({ status: 'running' });
    expect(await act(created, 'abort')).toMatchObject({ status: 'aborted', percentage: 0 });
    expect(await flagOf(story)).toMatchObject({ rollout_id: null, split: { weights: { new: 0 } } });
    expect(await model(story.candidate)).toMatchObject({ status: 'development', rollout_percentage: 0, rollout_id: null });
  });

  it('is refused where flag, candidate or control do not fit', async () => {
    const { flag_key, candidate, stable } = await scene(fine);
    const other = await api.register();
    const refused = async (body: object): Promise<unknown> =>
      (await api.failure('/rollouts', { method: 'POST', body: { flag_key, candidate_model_id: candidate.model_id, ...override, ...body } }))
        .details?.fields;
    expect(await refused({ candidate_model_id: stable.model_id })).toMatchObject([{ field: 'candidate_model_id' }]);
    expect(await refused({ candidate_model_id: other.model_id })).toMatchObject([
      { field: 'control_model_id', accepted: expect.stringContaining('no version of') as string },
    ]);
    expect(await refused({ control_model_id: candidate.model_id })).toMatchObject([{ field: 'control_model_id' }]);
    expect(await refused({ candidate_model_id: other.model_id, control_model_id: stable.model_id })).toMatchObject([
      { field: 'candidate_model_id', accepted: expect.stringContaining(candidate.model_id) as string },
    ]);
    await api.data(`/flags/${flag_key}`, { method: 'PATCH', body: { state: 'DISABLED' } });
    expect(await refused({})).toMatchObject([{ field: 'flag_key' }]);
  });

  it('is listed page by page, and seen by keys of its models alone', async () => {
    const { stable, create } = await scene(fine);
    const created = await create();
    const all = await api.data<Rollout[]>('/rollouts');
    expect(all[0]).toMatchObject({ rollout_id: created.rollout_id });
    const from = (cursor: string): ReturnType<typeof api.envelope<Rollout[]>> => api.envelope(`/rollouts?limit=2${cursor}`);
    const paged: string[] = [];
    for (let cursor: string | undefined = ''; cursor !== undefined;) {
      const { data, page } = await from(cursor);
      paged.push(...data.map(({ rollout_id }) => rollout_id));
      cursor = page?.next_cursor ? `&cursor=${page.next_cursor}` : undefined;
    }
    expect(paged).toEqual(all.map(({ rollout_id }) => rollout_id));

    const [own, others] = await Promise.all([
      suite.withRole('viewer', { names: [stable.name] }),
      suite.withRole('releaser', { names: ['Something else'] }),
    ]);
    expect((await own.data<Rollout[]>('/rollouts')).map(({ rollout_id }) => rollout_id)).toEqual([created.rollout_id]);
    expect(await own.data(`/rollouts/${created.rollout_id}`)).toMatchObject({ status: 'running' });
    expect(await others.data('/rollouts')).toEqual([]);
    const unseen = { status: 404, code: 'ROLLOUT_NOT_FOUND' };
    expect(await others.failure(`/rollouts/${created.rollout_id}`)).toMatchObject(unseen);
    expect(await others.failure(`/rollouts/${created.rollout_id}/analysis`)).toMatchObject(unseen);
    const abort = { method: 'POST', body: { reason: 'not mine' } };
    expect(await others.failure(`/rollouts/${created.rollout_id}/abort`, abort)).toMatchObject(unseen);
    await act(created, 'abort');
  });
});

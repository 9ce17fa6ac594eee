import { type PromotionRequirement, promotionRequirements } from '#contracts/promotion.js';
import { modelStatuses } from '#contracts/registry.js';
import { severities } from '#contracts/comparison.js';
import { type FinishedRun, runStatuses } from '#contracts/validation.js';
import { fc } from '#testing/property.js';
import { allowedNext } from './model-status.js';
import { type GatePolicy, judgeGate, requirementsOf } from './promotion-gate.js';

const policy: GatePolicy = { max_run_age_hours: 168, canary: ['passed_run'], stable: ['passed_run', 'no_high_regression'] };
const now = Date.parse('2026-11-27T12:00:00Z');
const hoursAgo = (hours: number): string => new Date(now - hours * 3_600_000).toISOString();
const run: FinishedRun = { run_id: 'validation_m_1', status: 'passed', started_at: hoursAgo(1), regression_severity: 'none' };

const unmet = (of: FinishedRun | null, requirements: readonly PromotionRequirement[] = policy.stable): string[] =>
  judgeGate(requirements, of, policy, now)
    .filter(({ met }) => !met)
    .map(({ requirement }) => requirement);

describe('what a step needs', () => {
  it('is what the policy says of steps up, and nothing for all others', () => {
    const steps = modelStatuses.flatMap((from) => allowedNext[from].map((to) => [from, to, requirementsOf(from, to, policy)]));
    expect(steps.filter(([, , needed]) => needed?.length)).toEqual([
      ['development', 'canary', policy.canary],
      ['canary', 'stable', policy.stable],
      ['deprecated', 'stable', policy.stable],
    ]);
  });
});

describe('the gate', () => {
  it('is passed by a passed run that is young enough, and says which', () => {
    expect(judgeGate(policy.canary, run, policy, now)).toEqual([
      {
        requirement: 'passed_run',
        met: true,
        reason: `the newest finished run of this version passed and started at ${run.started_at}, within the 168 hours of the policy`,
        run_id: run.run_id,
      },
    ]);
  });

  it.each<[string, FinishedRun | null, string[], string]>([
    ['no run', null, ['passed_run', 'no_high_regression'], 'no run of this version has finished'],
    ['a failed run', { ...run, status: 'failed' }, ['passed_run'], 'has the status failed'],
    ['a run that could not be judged', { ...run, status: 'error' }, ['passed_run'], 'has the status error'],
    ['an old run', { ...run, started_at: hoursAgo(168.1) }, ['passed_run'], 'longer ago than the 168 hours'],
    ['a high regression', { ...run, regression_severity: 'high' }, ['no_high_regression'], 'the regression severity high'],
  ])('is not passed by %s, and says why', (_, of, requirements, reason) => {
    expect(unmet(of)).toEqual(requirements);
    expect(judgeGate(policy.stable, of, policy, now).find(({ met }) => !met)?.reason).toContain(reason);
  });

  it('takes a run to the end of its time, and regressions that are not high', () => {
    expect(unmet({ ...run, started_at: hoursAgo(168) })).toEqual([]);
    for (const regression_severity of ['low', 'medium'] as const) expect(unmet({ ...run, regression_severity })).toEqual([]);
  });

  it('never grows milder as a run grows older or its regression worse', () => {
    const runs = fc.record({
      run_id: fc.constant('validation_m_1'),
      status: fc.constantFrom(...runStatuses),
      started_at: fc.double({ min: 0, max: 400, noNaN: true }).map(hoursAgo),
      regression_severity: fc.constantFrom(...severities),
    });
    fc.assert(
      fc.property(runs, fc.double({ min: 0, max: 400, noNaN: true }), (of, hours) => {
        const older = { ...of, started_at: new Date(Date.parse(of.started_at) - hours * 3_600_000).toISOString() };
        const worse = { ...older, regression_severity: 'high' as const };
        const [before, after] = [unmet(of), unmet(worse)];
        expect(after).toEqual(expect.arrayContaining(before));
        expect(promotionRequirements).toEqual(expect.arrayContaining(after));
      }),
    );
  });
});

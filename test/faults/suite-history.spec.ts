import {
  alertFindings,
  answerFindings,
  type Asked,
  type Audited,
  type Change,
  changeFindings,
  decisionFindings,
  rolloutFindings,
  runFindings,
  stableFindings,
} from './suite-history.harness.js';

const asked = (one: Partial<Asked>): Asked => ({
  kind: 'a read',
  request_id: 'r',
  gateway: 'gateway',
  began_ms: 1_000,
  took_ms: 100,
  status: 200,
  code: null,
  expected: ['STALE_REVISION'],
  projected: false,
  ...one,
});

describe('answers', () => {
  const frozen = [{ gateway: 'gateway', from_ms: 900, to_ms: 1_050 }];

  it.each<[string, Partial<Asked>]>([
    ['success', {}],
    ['what the kind may be answered', { status: 412, code: 'STALE_REVISION' }],
    ['a service that is unavailable', { status: 503, code: 'SERVICE_UNAVAILABLE' }],
  ])('are in order: %s', (_, one) => {
    expect(answerFindings([asked(one)], [])).toEqual([]);
  });

  it.each<[string, Partial<Asked>, string]>([
    ['a mistake on our side', { status: 500, code: 'INTERNAL_ERROR' }, 'undocumented: a read was answered 500 INTERNAL_ERROR'],
    ['a code that is none', { status: 503, code: 'BROKEN' }, 'undocumented: a read was answered 503 BROKEN'],
    [
      'a code under another status',
      { status: 400, code: 'SERVICE_UNAVAILABLE' },
      'undocumented: a read was answered 400 SERVICE_UNAVAILABLE',
    ],
    ['no code at all', { status: 502 }, 'undocumented: a read was answered 502 null'],
    ['a refusal of another kind', { status: 404, code: 'MODEL_NOT_FOUND' }, 'unexpected: a read was answered 404 MODEL_NOT_FOUND'],
    ['one that hung', { took_ms: 12_001 }, 'hung: a read at gateway took 12001 ms'],
    ['none', { status: null }, 'unanswered: a read by gateway, which nobody had disturbed'],
    [
      'unavailable, though it is known',
      { projected: true, status: 503, code: 'SERVICE_UNAVAILABLE' },
      'unavailable: a read is answered from memory, and was answered 503 SERVICE_UNAVAILABLE',
    ],
  ])('are not: %s', (_, one, finding) => {
    expect(answerFindings([asked(one)], [{ gateway: 'gateway-b', from_ms: 0, to_ms: 1e6 }])).toEqual([`${finding} (r)`]);
  });

  it('may be missing while their gateway is disturbed, and only then', () => {
    expect(answerFindings([asked({ status: null })], frozen)).toEqual([]);
    expect(answerFindings([asked({ status: null, began_ms: 1_051 })], frozen)).toHaveLength(1);
    expect(answerFindings([asked({ status: null, began_ms: 700 })], frozen)).toHaveLength(1);
  });
});

const entry = (revision: number, marker: string | null, more: Partial<Audited> = {}): Audited => ({
  subject_id: 'm',
  marker,
  request_id: `request ${revision} ${marker}`,
  revision_before: revision === 1 ? null : revision - 1,
  revision,
  name: null,
  status: null,
  ...more,
});
const change = (marker: string, outcome: Change['outcome'], based_on?: number): Change => ({ subject_id: 'm', marker, outcome, based_on });

describe('changes', () => {
  const audit = [entry(1, null), entry(2, 'a'), entry(3, 'b')];
  const changes = [change('a', 'made', 1), change('b', 'unknown'), change('c', 'refused'), change('d', 'unknown')];
  const things = [{ subject_id: 'm', revision: 3 }];

  it('are in order when the audit has what was acknowledged once, and what nobody was told of once or never', () => {
    expect(changeFindings(changes, audit, things)).toEqual([]);
  });

  it.each<[string, Change[], Audited[], string]>([
    ['lost', [...changes, change('e', 'made')], audit, 'lost: e of m is acknowledged and not in the audit'],
    ['made twice', changes, [...audit, entry(4, 'a')], 'doubled: a of m is 2 times in the audit'],
    ['made though refused', changes, [...audit, entry(4, 'c')], 'made all the same: c of m was refused'],
    ['nobody’s', changes, [...audit, entry(4, 'x')], 'phantom: x of m was never asked for'],
    ['on top of another', [change('a', 'made', 7), change('b', 'made')], audit, 'overwritten: a of m was based on 7 and changed 1'],
    ['without an entry', changes, [entry(1, null), entry(3, 'b'), entry(4, 'a')], 'torn: the audit of m has the revisions 1, 3, 4'],
  ])('are not when one is %s', (_, of, entries, finding) => {
    expect(changeFindings(of, entries, [])).toContain(finding);
  });

  it('are not when the thing is not what its audit says', () => {
    expect(changeFindings(changes, audit, [{ subject_id: 'm', revision: 2 }])).toEqual(['apart: m has revision 2, its audit ends at 3']);
  });
});

describe('stable versions', () => {
  const status = (subject_id: string, is: string, request_id: string): Audited =>
    entry(1, null, { subject_id, status: is, request_id, name: 'n' });

  it('may follow one another, within one request in either order', () => {
    const audit = [status('a', 'stable', '1'), status('b', 'stable', '2'), status('a', 'deprecated', '2'), status('b', 'canary', '3')];
    expect(stableFindings([...audit, status('a', 'stable', '4')])).toEqual([]);
  });

  it('may not be two at once, whatever comes later', () => {
    const audit = [status('a', 'stable', '1'), status('b', 'stable', '2'), status('a', 'deprecated', '3')];
    expect(stableFindings(audit)).toEqual(['two stable versions of n at once: a, b']);
  });
});

describe('events of rollouts', () => {
  const heard = (delivery_id: string, event_id: string) => ({ delivery_id, event_id });
  const rollout = { rollout_id: 'r', told: 2 };

  it('are told once and in their order, also where one delivery comes again', () => {
    expect(rolloutFindings([rollout], [heard('1', 'r:1:started'), heard('2', 'r:2:paused'), heard('1', 'r:1:started')])).toEqual([]);
  });

  it('are found that were told twice, not at all or too early', () => {
    expect(rolloutFindings([rollout], [heard('1', 'r:1:started'), heard('2', 'r:1:started'), heard('3', 'r:2:paused')])).toEqual([
      'told 2 times: r:1:started',
    ]);
    expect(rolloutFindings([rollout], [heard('1', 'r:1:started')])).toEqual(['r was told 1 and not 1 to 2']);
    expect(rolloutFindings([rollout], [heard('2', 'r:2:paused'), heard('1', 'r:1:started')])).toEqual(['r was told 2, 1 and not 1 to 2']);
  });
});

describe('alerts', () => {
  const told = (delivery_id: string, transition: string, alert_id = 'a') => ({ delivery_id, transition, alert_id });
  const alert = { alert_id: 'a', fired: true, resolved: true };

  it('are told once for each change, also where the one delivery comes again', () => {
    expect(alertFindings([alert], [told('1', 'firing'), told('1', 'firing'), told('2', 'resolved')])).toEqual([]);
    expect(alertFindings([{ alert_id: 'b', fired: false, resolved: true }], [])).toEqual([]);
  });

  it('are found that were not told, told twice or never fired', () => {
    expect(alertFindings([alert], [told('1', 'firing')])).toEqual(['untold: resolved a']);
    expect(alertFindings([alert], [told('1', 'firing'), told('2', 'firing'), told('3', 'resolved')])).toEqual(['told 2 times: firing a']);
    expect(alertFindings([], [told('1', 'firing')])).toEqual(['phantom: firing a was told']);
  });
});

describe('decisions', () => {
  const decisions = (...of: [tick: number, at_ms: number][]) => of.map(([tick, at_ms]) => ({ rollout_id: 'r', tick, at_ms }));

  it('are one a tick', () => {
    expect(decisionFindings(decisions([1, 0], [2, 1_000], [3, 2_500]), 1_000)).toEqual([]);
  });

  it('are found that came twice, too soon or not at all', () => {
    expect(decisionFindings(decisions([1, 0], [2, 1_000], [2, 2_000]), 1_000)).toEqual(['r: tick 2 comes after 2']);
    expect(decisionFindings(decisions([1, 0], [2, 400]), 1_000)).toEqual(['r: tick 2 was decided 400 ms after the one before']);
    expect(decisionFindings(decisions([1, 0], [3, 2_000]), 1_000)).toEqual(['r: tick 3 comes after 1']);
  });
});

describe('runs', () => {
  const run = { run_id: 'v1', status: 'passed', total_tests: 2, results: 2 };

  it('are one for each request, and come to their end', () => {
    expect(runFindings([{ marker: 'x', run_ids: ['v1', 'v1'] }], [run])).toEqual([]);
  });

  it('are found that were lost, doubled, cut short or never ended', () => {
    const of = (...run_ids: string[]) => [{ marker: 'x', run_ids }];
    expect(runFindings(of('v1'), [])).toEqual(['lost: v1 of x']);
    expect(runFindings(of('v1', 'v2'), [run, { ...run, run_id: 'v2' }])).toEqual(['x made the runs v1, v2']);
    expect(runFindings(of('v1'), [{ ...run, results: 1 }])).toEqual(['v1 has 1 outcomes of 2 cases']);
    expect(runFindings(of('v1'), [{ ...run, status: 'running' }])).toEqual(['not over: v1 of x']);
  });
});

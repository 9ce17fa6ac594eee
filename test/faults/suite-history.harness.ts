import { type ErrorCode, statusOfCode } from '#contracts/errors.js';

/** A request as its client saw it. */
export interface Asked {
  kind: string;
  /** As it stands in the logs of whoever had to do with it. */
  request_id: string;
  gateway: string;
  began_ms: number;
  took_ms: number;
  /** Null: no answer came. */
  status: number | null;
  code: string | null;
  expected: readonly string[];
  projected: boolean;
}

/** When a gateway was killed, frozen or starting, with some time to notice. */
export interface Disturbance {
  gateway: string;
  from_ms: number;
  to_ms: number;
}

/** A change that was asked for, told from all others by its marker. */
export interface Change {
  subject_id: string;
  marker: string;
  /** The revision in If-Match; undefined where there was none. */
  based_on?: number;
  /** `unknown`: no answer, or one that says that a service did not answer in time. */
  outcome: 'made' | 'refused' | 'unknown';
}

/** An entry of the audit, in the order of the database's clock. `marker` is null for a registration and for what the suite does itself. */
export interface Audited {
  subject_id: string;
  marker: string | null;
  request_id: string;
  revision_before: number | null;
  revision: number;
  /** Of a model; null otherwise. */
  name: string | null;
  status: string | null;
}

/** As it is in the end. */
export interface Thing {
  subject_id: string;
  revision: number;
}

export interface Notice {
  delivery_id: string;
  alert_id: string;
  transition: string;
}

/** An event of a rollout as a webhook heard it. Its id ends with its number within the rollout, and its name. */
export interface RolloutNotice {
  delivery_id: string;
  event_id: string;
}

export interface AlertState {
  alert_id: string;
  fired: boolean;
  resolved: boolean;
}

export interface Decision {
  rollout_id: string;
  tick: number;
  at_ms: number;
}

/** A validation run; `marker` names the request for it. */
export interface AskedRun {
  marker: string;
  run_ids: readonly string[];
}

export interface StoredRun {
  run_id: string;
  status: string;
  total_tests: number;
  results: number;
}

/** A service answers within 6 s or is given up; a frozen gateway thaws within 2.5 s; the rest is for two busy cores. */
const deadline_ms = 12_000;

const unavailable = new Set(['SERVICE_UNAVAILABLE', 'TOO_MANY_REQUESTS']);

/** Answers of other than the documented kinds, requests that hung, and those without an answer from a gateway that nobody had disturbed. */
export function answerFindings(asked: readonly Asked[], disturbances: readonly Disturbance[]): string[] {
  return asked.flatMap((one) => {
    const { kind, request_id, gateway, began_ms, took_ms, status, code, expected, projected } = one;
    const isDisturbed = disturbances.some((its) => its.gateway === gateway && its.from_ms <= began_ms + took_ms && began_ms <= its.to_ms);
    if (took_ms > deadline_ms) return [`hung: ${kind} at ${gateway} took ${took_ms} ms (${request_id})`];
    if (status === null) return isDisturbed ? [] : [`unanswered: ${kind} by ${gateway}, which nobody had disturbed (${request_id})`];
    if (status === 200) return [];
    const isDocumented = code !== null && Object.hasOwn(statusOfCode, code) && statusOfCode[code as ErrorCode] === status;
    if (!isDocumented || status === 500) return [`undocumented: ${kind} was answered ${status} ${code} (${request_id})`];
    if (expected.includes(code)) return [];
    if (!unavailable.has(code)) return [`unexpected: ${kind} was answered ${status} ${code} (${request_id})`];
    return projected && !isDisturbed
      ? [`unavailable: ${kind} is answered from memory, and was answered ${status} ${code} (${request_id})`]
      : [];
  });
}

/** Whether the audit has what was acknowledged once, what was refused never, nothing else, and each change on top of the one before. */
export function changeFindings(changes: readonly Change[], audit: readonly Audited[], things: readonly Thing[]): string[] {
  const found: string[] = [];
  const entries = grouped(audit, ({ subject_id, marker }) => `${subject_id} ${marker}`);
  for (const { subject_id, marker, outcome, based_on } of changes) {
    const ofIt = entries.get(`${subject_id} ${marker}`) ?? [];
    if (ofIt.length > 1) found.push(`doubled: ${marker} of ${subject_id} is ${ofIt.length} times in the audit`);
    if (outcome === 'made' && ofIt.length === 0) found.push(`lost: ${marker} of ${subject_id} is acknowledged and not in the audit`);
    if (outcome === 'refused' && ofIt.length > 0) found.push(`made all the same: ${marker} of ${subject_id} was refused`);
    if (based_on !== undefined && ofIt[0] && ofIt[0].revision_before !== based_on)
      found.push(`overwritten: ${marker} of ${subject_id} was based on ${based_on} and changed ${ofIt[0].revision_before}`);
  }
  const asked = new Set(changes.map(({ subject_id, marker }) => `${subject_id} ${marker}`));
  for (const { subject_id, marker } of audit)
    if (marker !== null && !asked.has(`${subject_id} ${marker}`)) found.push(`phantom: ${marker} of ${subject_id} was never asked for`);
  for (const [subject_id, ofIt] of grouped(audit, (entry) => entry.subject_id)) {
    const revisions = ofIt.map(({ revision }) => revision).sort((a, b) => a - b);
    if (revisions.some((revision, index) => revision !== revisions[0]! + index))
      found.push(`torn: the audit of ${subject_id} has the revisions ${revisions.join(', ')}`);
    const last = things.find((thing) => thing.subject_id === subject_id);
    if (last && last.revision !== revisions.at(-1))
      found.push(`apart: ${subject_id} has revision ${last.revision}, its audit ends at ${revisions.at(-1)}`);
  }
  return found;
}

/** Whether at any time two versions of a name were stable. Entries of one request were committed together, when its last one was written. */
export function stableFindings(audit: readonly Audited[]): string[] {
  const found: string[] = [];
  const stable = new Map<string, Set<string>>();
  const last = new Map(audit.map(({ request_id }, index) => [request_id, index]));
  const requests = [...grouped(audit, ({ request_id }) => request_id)].sort(([a], [b]) => last.get(a)! - last.get(b)!);
  for (const [, entries] of requests) {
    for (const { subject_id, name, status } of entries) {
      if (name === null) continue;
      const ofName = stable.get(name) ?? new Set();
      stable.set(name, ofName);
      if (status === 'stable') ofName.add(subject_id);
      else ofName.delete(subject_id);
    }
    for (const name of new Set(entries.map((entry) => entry.name)))
      if (name !== null && stable.get(name)!.size > 1)
        found.push(`two stable versions of ${name} at once: ${[...stable.get(name)!].sort().join(', ')}`);
  }
  return found;
}

/**
 * Whether each event of each rollout was told just once, and first heard in its order: in one delivery, which may have come more than once. `told`: how
 * many there are.
 */
export function rolloutFindings(rollouts: readonly { rollout_id: string; told: number }[], heard: readonly RolloutNotice[]): string[] {
  const deliveries = new Map<string, Set<string>>();
  for (const { event_id, delivery_id } of heard) deliveries.set(event_id, (deliveries.get(event_id) ?? new Set()).add(delivery_id));
  const found = [...deliveries].flatMap(([event_id, of]) => (of.size > 1 ? [`told ${of.size} times: ${event_id}`] : []));
  for (const { rollout_id, told } of rollouts) {
    const events = [...deliveries.keys()].map((event_id) => event_id.split(':')).filter(([id]) => id === rollout_id);
    const numbers = events.map(([, number]) => Number(number));
    const expected = Array.from({ length: told }, (_, index) => index + 1);
    if (numbers.join() !== expected.join()) found.push(`${rollout_id} was told ${numbers.join(', ')} and not 1 to ${told}`);
  }
  return found;
}

/** Whether each change of state of each alert was told just once: in one delivery, which may have come more than once. */
export function alertFindings(alerts: readonly AlertState[], told: readonly Notice[]): string[] {
  const found: string[] = [];
  const deliveries = new Map<string, Set<string>>();
  for (const { alert_id, transition, delivery_id } of told) {
    const key = `${transition} ${alert_id}`;
    deliveries.set(key, (deliveries.get(key) ?? new Set()).add(delivery_id));
  }
  const happened = new Set(
    alerts.flatMap(({ alert_id, fired, resolved }) => [
      ...(fired ? [`firing ${alert_id}`] : []),
      ...(fired && resolved ? [`resolved ${alert_id}`] : []),
    ]),
  );
  for (const change of happened) if (!deliveries.has(change)) found.push(`untold: ${change}`);
  for (const [change, of] of deliveries) {
    if (of.size > 1) found.push(`told ${of.size} times: ${change}`);
    if (!happened.has(change)) found.push(`phantom: ${change} was told`);
  }
  return found;
}

/** Whether ticks have one decision each, without a gap, and none came sooner than the last one's time was over. */
export function decisionFindings(decisions: readonly Decision[], tick_ms: number): string[] {
  const found: string[] = [];
  for (const [rollout_id, ofIt] of grouped(decisions, (decision) => decision.rollout_id)) {
    const inOrder = [...ofIt].sort((a, b) => a.tick - b.tick || a.at_ms - b.at_ms);
    inOrder.forEach(({ tick, at_ms }, index) => {
      const before = inOrder[index - 1];
      if (tick !== (before?.tick ?? 0) + 1) found.push(`${rollout_id}: tick ${tick} comes after ${before?.tick ?? 'none'}`);
      else if (before && at_ms - before.at_ms < tick_ms)
        found.push(`${rollout_id}: tick ${tick} was decided ${at_ms - before.at_ms} ms after the one before`);
    });
  }
  return found;
}

/** Whether every request for a run made one run, which came to its end with an outcome of each case. */
export function runFindings(asked: readonly AskedRun[], stored: readonly StoredRun[]): string[] {
  const found: string[] = [];
  const byId = new Map(stored.map((run) => [run.run_id, run]));
  for (const { marker, run_ids } of asked) {
    const distinct = [...new Set(run_ids)];
    if (distinct.length > 1) found.push(`${marker} made the runs ${distinct.join(', ')}`);
    for (const run_id of distinct) {
      const run = byId.get(run_id);
      if (!run) found.push(`lost: ${run_id} of ${marker}`);
      else if (run.status === 'running') found.push(`not over: ${run_id} of ${marker}`);
      else if (run.results !== run.total_tests) found.push(`${run_id} has ${run.results} outcomes of ${run.total_tests} cases`);
    }
  }
  return found;
}

function grouped<Item>(items: readonly Item[], keyOf: (item: Item) => string): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group) group.push(item);
    else groups.set(keyOf(item), [item]);
  }
  return groups;
}

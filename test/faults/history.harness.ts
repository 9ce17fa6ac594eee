import { Sketch } from '#statistics/sketch.js';
import { type EventPlan } from './plan.harness.js';

/** A message that a producer gave to NATS at least once. */
export interface SentMessage {
  producer: string;
  sequence: number;
  slots: readonly number[];
  /** Whether the producer was told that it is stored. */
  acknowledged: boolean;
}

/** A row of metrics.model_window of the whole model. */
export interface WindowRow {
  model_id: string;
  period: string;
  total: number;
  successful: number;
  sum_ms: number;
  min_ms: number | null;
  max_ms: number | null;
  sketch: Uint8Array | null;
  error_types: Record<string, number>;
}

/** As it is stored, with the column `folded`. */
export interface StoredRow extends WindowRow {
  folded: boolean;
}

/** One range [from, to) of a producer's row in the ledger. */
export interface LedgerRange {
  source: string;
  from: number;
  to: number;
}

export interface Outcome {
  windows: readonly WindowRow[];
  /** Undefined where the producers did not number their messages. */
  ledger?: readonly LedgerRange[];
}

/**
 * Holds what was counted against what producers sent and what they were told. Answers with everything that is wrong, in words; with nothing
 * when acknowledged ⊆ counted ⊆ sent, no event is counted twice, all columns and periods of a model tell of the same events, and each
 * message is in the ledger just when its events are counted.
 */
export function findings(plan: EventPlan, sent: readonly SentMessage[], { windows, ledger }: Outcome): string[] {
  const lifetimes = windows.filter(({ period }) => period === 'lifetime');
  const found: string[] = [];
  const counts = countsOf(plan, lifetimes, found);
  found.push(...eventFindings(sent, counts));
  for (const row of lifetimes) found.push(...columnFindings(plan, row, counts));
  found.push(...periodFindings(windows));
  if (ledger) found.push(...ledgerFindings(sent, ledger, counts));
  return found;
}

/** Rows as a reader adds them up: minutes that are not folded yet are part of the hours, and of their model's one lifetime. */
export function asRead(rows: readonly StoredRow[]): WindowRow[] {
  const unfolded = rows.filter(({ period, folded }) => period === 'minute' && !folded);
  const lifetimes = new Map<string, WindowRow[]>();
  for (const row of [...rows.filter(({ period }) => period === 'lifetime'), ...unfolded])
    lifetimes.set(row.model_id, [...(lifetimes.get(row.model_id) ?? []), row]);
  return [
    ...[...lifetimes.values()].map((parts) => ({ ...sumOf(parts), period: 'lifetime' })),
    ...rows.filter(({ period }) => period !== 'lifetime'),
    ...unfolded.map((row) => ({ ...row, period: 'hour' })),
  ];
}

/** Of one row or more. */
function sumOf(rows: readonly WindowRow[]): WindowRow {
  const [first, ...others] = rows as [WindowRow, ...WindowRow[]];
  return others.reduce((sum, row) => {
    const timings = new Sketch();
    for (const { sketch } of [sum, row]) if (sketch) timings.merge(Sketch.parse(sketch));
    const error_types = { ...sum.error_types };
    for (const [type, count] of Object.entries(row.error_types)) error_types[type] = (error_types[type] ?? 0) + count;
    return {
      ...sum,
      total: sum.total + row.total,
      successful: sum.successful + row.successful,
      sum_ms: sum.sum_ms + row.sum_ms,
      min_ms: Math.min(sum.min_ms ?? Infinity, row.min_ms ?? Infinity),
      max_ms: Math.max(sum.max_ms ?? -Infinity, row.max_ms ?? -Infinity),
      sketch: timings.serialise(),
      error_types,
    };
  }, first);
}

/** At most eight of a kind: one fault can lose thousands of events. */
export function shortened(found: readonly string[]): string[] {
  const kinds = new Map<string, string[]>();
  for (const text of found) {
    const kind = text.split(' ')[0]!;
    kinds.set(kind, [...(kinds.get(kind) ?? []), text]);
  }
  return [...kinds].flatMap(([kind, texts]) =>
    texts.length > 8 ? [...texts.slice(0, 8), `${kind} … and ${texts.length - 8} more`] : texts,
  );
}

/** How often each event is counted, by slot. */
function countsOf(plan: EventPlan, lifetimes: readonly WindowRow[], found: string[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const { model_id, sketch } of lifetimes) {
    for (const [bin, count] of binsOf(sketch)) {
      const slot = plan.slotAt(model_id, bin);
      if (slot === undefined) found.push(`phantom: ${model_id} has ${count} in bin ${bin}, where no event belongs`);
      else counts.set(slot, count);
    }
  }
  return counts;
}

function eventFindings(sent: readonly SentMessage[], counts: ReadonlyMap<number, number>): string[] {
  const found: string[] = [];
  const known = new Set<number>();
  for (const { producer, sequence, slots, acknowledged } of sent) {
    for (const slot of slots) {
      known.add(slot);
      const count = counts.get(slot) ?? 0;
      if (count === 0 && acknowledged) found.push(`lost: event ${slot} of ${producer}:${sequence} is acknowledged and not counted`);
      if (count > 1) found.push(`doubled: event ${slot} of ${producer}:${sequence} is counted ${count} times`);
    }
  }
  for (const slot of counts.keys()) if (!known.has(slot)) found.push(`phantom: event ${slot} is counted and was never sent`);
  return found;
}

/** Whether the other columns tell of the same events as the sketch. Exact, sums too: see `EventPlan`. */
function columnFindings(plan: EventPlan, row: WindowRow, counts: ReadonlyMap<number, number>): string[] {
  const expected = { total: 0, successful: 0, sum_ms: 0, min_ms: null as number | null, max_ms: null as number | null };
  const types: Record<string, number> = {};
  for (const [bin] of binsOf(row.sketch)) {
    const slot = plan.slotAt(row.model_id, bin);
    if (slot === undefined) continue;
    const count = counts.get(slot) ?? 0;
    const { timing_ms, success } = plan.eventOf(slot);
    const type = plan.errorTypeOf(slot);
    expected.total += count;
    if (success) expected.successful += count;
    expected.sum_ms += count * timing_ms;
    expected.min_ms = Math.min(expected.min_ms ?? Infinity, timing_ms);
    expected.max_ms = Math.max(expected.max_ms ?? -Infinity, timing_ms);
    if (type) types[type] = (types[type] ?? 0) + count;
  }
  const columns = (['total', 'successful', 'sum_ms', 'min_ms', 'max_ms'] as const)
    .filter((column) => row[column] !== expected[column])
    .map((column) => `${column} of ${row.model_id} is ${row[column]}, its sketch says ${expected[column]}`);
  const named = [...new Set([...Object.keys(types), ...Object.keys(row.error_types)])]
    .filter((type) => (types[type] ?? 0) !== (row.error_types[type] ?? 0))
    .map((type) => `${type} of ${row.model_id} is ${row.error_types[type] ?? 0}, its sketch says ${types[type] ?? 0}`);
  return [...columns, ...named];
}

/** Whether the windows of every width hold together just what the lifetime holds: nothing here is older than the oldest window. */
function periodFindings(windows: readonly WindowRow[]): string[] {
  const sums = new Map<string, { model_id: string; period: string; total: number; successful: number; sketch: Sketch }>();
  for (const { model_id, period, total, successful, sketch } of windows) {
    const key = `${model_id} ${period}`;
    const sum = sums.get(key) ?? { model_id, period, total: 0, successful: 0, sketch: new Sketch() };
    sum.total += total;
    sum.successful += successful;
    if (sketch) sum.sketch.merge(Sketch.parse(sketch));
    sums.set(key, sum);
  }
  const found: string[] = [];
  const models = new Set(windows.map(({ model_id }) => model_id));
  const periods = new Set(windows.map(({ period }) => period));
  for (const model_id of models) {
    const lifetime = sums.get(`${model_id} lifetime`);
    for (const period of periods) {
      const sum = sums.get(`${model_id} ${period}`);
      const same =
        sum &&
        lifetime &&
        sum.total === lifetime.total &&
        sum.successful === lifetime.successful &&
        Buffer.compare(sum.sketch.serialise(), lifetime.sketch.serialise()) === 0;
      if (!same) found.push(`the windows '${period}' of ${model_id} hold ${sum?.total}, its lifetime ${lifetime?.total}, or other events`);
    }
  }
  return found;
}

function ledgerFindings(sent: readonly SentMessage[], ledger: readonly LedgerRange[], counts: ReadonlyMap<number, number>): string[] {
  const found: string[] = [];
  const producers = new Map<string, { unacknowledged: number; applied: (sequence: number) => boolean; ranges: LedgerRange[] }>();
  const producerOf = (producer: string) => {
    let known = producers.get(producer);
    if (!known) {
      const ranges = ledger.filter(({ source }) => source === producer);
      const applied = (sequence: number): boolean => ranges.some(({ from, to }) => from <= sequence && sequence < to);
      producers.set(producer, (known = { unacknowledged: 0, applied, ranges }));
    }
    return known;
  };
  const last = new Map<string, number>();
  for (const { producer, sequence, slots, acknowledged } of sent) {
    const known = producerOf(producer);
    if (!acknowledged) known.unacknowledged += 1;
    last.set(producer, Math.max(last.get(producer) ?? -1, sequence));
    const isCounted = slots.every((slot) => counts.has(slot));
    const isPartly = !isCounted && slots.some((slot) => counts.has(slot));
    if (isPartly) found.push(`torn: ${producer}:${sequence} is counted in part`);
    else if (known.applied(sequence) !== isCounted) {
      found.push(`${producer}:${sequence} is ${isCounted ? 'counted and not' : 'not counted and'} in the ledger`);
    }
  }
  for (const [producer, { unacknowledged, ranges }] of producers) {
    if (ranges.some(({ to }) => to > last.get(producer)! + 1)) found.push(`the ledger has more of ${producer} than it sent`);
    // Only a message that never arrived leaves a gap.
    if (ranges.length > 1 + unacknowledged)
      found.push(`the ledger has ${ranges.length} ranges of ${producer}, ${unacknowledged} gaps at most`);
  }
  return found;
}

const binsOf = (sketch: Uint8Array | null): [bin: number, count: number][] => (sketch ? Sketch.parse(sketch).bins() : []);

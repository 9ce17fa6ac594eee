import { Sketch } from '#statistics/sketch.js';
import { fc } from '#testing/property.js';
import { asRead, findings, type LedgerRange, type SentMessage, type WindowRow } from './history.harness.js';
import { cellsOfModel, EventPlan } from './plan.harness.js';
import { Random, schedule } from './seed.harness.js';

const plan = new EventPlan(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']);
const message = (sequence: number, slots: number[], acknowledged = true): SentMessage => ({
  producer: 'p',
  sequence,
  slots,
  acknowledged,
});
const ledger = (...ranges: [number, number][]): LedgerRange[] => ranges.map(([from, to]) => ({ source: 'p', from, to }));

/** The rows of a service that has counted these events, each as often as it stands here. */
function rowsOf(slots: readonly number[], period = 'lifetime'): WindowRow[] {
  const rows = new Map<string, WindowRow & { timings: Sketch }>();
  for (const slot of slots) {
    const { model_id, timing_ms, success } = plan.eventOf(slot);
    let row = rows.get(model_id);
    if (!row) {
      const none = { total: 0, successful: 0, sum_ms: 0, min_ms: Infinity, max_ms: -Infinity, sketch: null, error_types: {} };
      rows.set(model_id, (row = { model_id, period, ...none, timings: new Sketch() }));
    }
    row.total += 1;
    row.sum_ms += timing_ms;
    row.min_ms = Math.min(row.min_ms!, timing_ms);
    row.max_ms = Math.max(row.max_ms!, timing_ms);
    row.timings.add(timing_ms);
    if (success) row.successful += 1;
    const type = plan.errorTypeOf(slot);
    if (type) row.error_types[type] = (row.error_types[type] ?? 0) + 1;
  }
  return [...rows.values()].map(({ timings, ...row }) => ({ ...row, sketch: timings.serialise() }));
}

const both = (slots: readonly number[]): WindowRow[] => [...rowsOf(slots), ...rowsOf(slots, 'minute')];

describe('the plan', () => {
  it('gives every event a cell of its own, and finds it there again', () => {
    const cells = new Set<string>();
    for (let slot = 0; slot < plan.capacity; slot++) {
      const [model_id, bin] = plan.cellOf(slot);
      cells.add(`${model_id} ${bin}`);
      expect(plan.slotAt(model_id, bin)).toBe(slot);
    }
    expect(cells.size).toBe(8 * cellsOfModel);
  });

  it('puts failures of every type and successes into every model', () => {
    for (const model of plan.models) {
      const ofModel = Array.from({ length: plan.capacity }, (_, slot) => slot).filter((slot) => plan.cellOf(slot)[0] === model);
      expect(new Set(ofModel.map((slot) => plan.errorTypeOf(slot))).size).toBe(5);
    }
  });

  it('and the schedule are the same for the same seed, and others for another', () => {
    const drawn = (seed: number) => {
      const random = new Random(seed, 'a name');
      return JSON.stringify([plan.messages(random, 20), schedule(random, ['nats', 'postgres'], 10_000, [100, 900], [50, 500])]);
    };
    expect(drawn(7)).toBe(drawn(7));
    expect(drawn(8)).not.toBe(drawn(7));
  });
});

describe('the checker', () => {
  const sent = [message(0, [0, 1, 2]), message(1, [3, 4]), message(2, [5], false)];

  it('has nothing to say when all that is acknowledged is counted once', () => {
    expect(findings(plan, sent, { windows: both([0, 1, 2, 3, 4]), ledger: ledger([0, 2]) })).toEqual([]);
  });

  it('lets what was sent and not acknowledged be counted or not', () => {
    expect(findings(plan, sent, { windows: both([0, 1, 2, 3, 4, 5]), ledger: ledger([0, 3]) })).toEqual([]);
  });

  it('finds a lost event', () => {
    expect(findings(plan, sent, { windows: both([0, 1, 3, 4]) })).toEqual(['lost: event 2 of p:0 is acknowledged and not counted']);
  });

  it('finds a doubled event, and one that was never acknowledged too', () => {
    expect(findings(plan, sent, { windows: both([0, 1, 1, 2, 3, 4]) })).toEqual(['doubled: event 1 of p:0 is counted 2 times']);
    expect(findings(plan, sent, { windows: both([0, 1, 2, 3, 4, 5, 5]) })).toEqual(['doubled: event 5 of p:2 is counted 2 times']);
  });

  it('finds a phantom, planned or not', () => {
    expect(findings(plan, sent, { windows: both([0, 1, 2, 3, 4, 77]) })).toEqual(['phantom: event 77 is counted and was never sent']);
    const stranger = new Sketch();
    stranger.add(1e7);
    const [row] = rowsOf([0]);
    const windows = [{ ...row!, total: 1, successful: 1, sketch: stranger.serialise() }];
    expect(findings(plan, [message(0, [0])], { windows })).toContainEqual(expect.stringMatching(/^phantom: a has 1 in bin \d+/));
  });

  it('is not deceived by a lost and a doubled event of the same model', () => {
    // 4 apart: the same model, so that its total is right.
    const four = [message(0, [0, 4, 8, 12])];
    expect(findings(plan, four, { windows: both([0, 4, 4, 8]) })).toEqual([
      'doubled: event 4 of p:0 is counted 2 times',
      'lost: event 12 of p:0 is acknowledged and not counted',
    ]);
  });

  it('finds exactly the events that were dropped, doubled and made up, whichever they are', () => {
    const slots = fc.uniqueArray(fc.nat(plan.capacity - 1), { minLength: 3, maxLength: 60 });
    fc.assert(
      fc.property(slots, fc.infiniteStream(fc.constantFrom('once', 'never', 'twice', 'unsent')), (drawn, fates) => {
        const fateOf = new Map(drawn.map((slot) => [slot, fates.next().value as string]));
        const messages = drawn.filter((slot) => fateOf.get(slot) !== 'unsent').map((slot, index) => message(index, [slot]));
        const counted = drawn.flatMap((slot) => ({ once: [slot], never: [], twice: [slot, slot], unsent: [slot] })[fateOf.get(slot)!]!);
        const found = findings(plan, messages, { windows: both(counted) });
        const expected = drawn.flatMap(
          (slot) => ({ once: [], never: [`lost ${slot}`], twice: [`doubled ${slot}`], unsent: [`phantom ${slot}`] })[fateOf.get(slot)!]!,
        );
        expect(found.map((text) => text.replace(/^(\w+): event (\d+) .*/, '$1 $2')).sort()).toEqual(expected.sort());
      }),
    );
  });

  it.each([
    ['total', { total: 99 }],
    ['successful', { successful: 99 }],
    ['sum_ms', { sum_ms: 99 }],
    ['min_ms', { min_ms: 99 }],
    ['max_ms', { max_ms: 1e7 }],
    ['timeout_error', { error_types: { timeout_error: 99 } }],
    ['made_up_error', { error_types: { made_up_error: 1 } }],
  ])('finds a wrong %s', (column, wrong) => {
    const [row] = rowsOf([4, 8]);
    const found = findings(plan, [message(0, [4, 8])], { windows: [{ ...row!, ...wrong }] });
    expect(found).toContainEqual(expect.stringContaining(`${column} of a is`));
  });

  it('finds windows that hold other events than the lifetime, as many or not', () => {
    const four = [message(0, [0, 4, 8, 12])];
    const lifetime = rowsOf([0, 4, 8, 12]);
    for (const minute of [[0, 4, 8], [0, 4, 8, 16], []]) {
      const windows = [...lifetime, ...rowsOf(minute, 'minute'), ...rowsOf([0, 4, 8, 12], 'hour')];
      const wrong = findings(plan, four, { windows });
      if (minute.length) expect(wrong).toEqual([expect.stringContaining("the windows 'minute' of a hold")]);
      // No row of a width at all: such a width is not kept.
      else expect(wrong).toEqual([]);
    }
  });

  it('takes minutes that are not folded for part of their hours and of the lifetime, and others not', () => {
    const four = [message(0, [0, 4, 8, 12])];
    const stored = (slots: number[], period: string, folded: boolean) => rowsOf(slots, period).map((row) => ({ ...row, folded }));
    const rows = [...stored([0, 4], 'lifetime', false), ...stored([0, 4], 'hour', true), ...stored([0, 4], 'minute', true)];
    const unfolded = [...stored([8], 'minute', false), ...stored([12], 'minute', false)];
    expect(findings(plan, four, { windows: asRead([...rows, ...unfolded]) })).toEqual([]);
    expect(findings(plan, four, { windows: asRead([...stored([0, 4], 'minute', false), ...unfolded]) })).toEqual([]);
    expect(findings(plan, four, { windows: asRead([...rows, ...stored([0, 8, 12], 'minute', false)]) })).toContainEqual(
      'doubled: event 0 of p:0 is counted 2 times',
    );
    const late = stored([8, 12], 'minute', true);
    expect(findings(plan, four, { windows: asRead([...rows, ...late]) })).toContainEqual(expect.stringContaining('lost: event 8'));
  });

  it('finds a ledger that says other than the windows', () => {
    const windows = both([0, 1, 2, 3, 4]);
    const wrong = (...ranges: [number, number][]) => findings(plan, sent, { windows, ledger: ledger(...ranges) });
    expect(wrong([0, 1])).toEqual(['p:1 is counted and not in the ledger']);
    expect(wrong([0, 3])).toEqual(['p:2 is not counted and in the ledger']);
    expect(wrong([0, 2], [7, 9])).toEqual(['the ledger has more of p than it sent']);
    expect(findings(plan, sent, { windows: both([0, 1, 3, 4]), ledger: ledger([0, 2]) })).toContain('torn: p:0 is counted in part');
  });

  it('finds a ledger in more pieces than messages that went missing', () => {
    const all = [message(0, [0]), message(1, [1]), message(2, [2]), message(3, [3], false), message(4, [4])];
    const whole = both([0, 1, 2, 4]);
    expect(findings(plan, all, { windows: whole, ledger: ledger([0, 3], [4, 5]) })).toEqual([]);
    expect(findings(plan, all, { windows: whole, ledger: ledger([0, 1], [1, 3], [4, 5]) })).toEqual([
      'the ledger has 3 ranges of p, 1 gaps at most',
    ]);
  });
});

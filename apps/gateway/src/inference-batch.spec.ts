import { readEvent } from '#contracts/inference-event.js';
import { fc } from '#testing/property.js';
import { isRefusal, judgeItems, judgeModels, type Judged, payloadOf, recorded, UnreadableLine } from './inference-batch.js';

const good = { model_id: 'mlb_model_a1b2c3d4', timing_ms: 12.5 };
const judge = (item: unknown): Judged => judgeItems([item])[0]!;
const countable = (item: unknown): boolean => 'event' in readEvent(item, 0);

describe('an item of a batch', () => {
  it.each([
    ['model_id', [undefined, null, '', 'Upper', 'a'.repeat(65), 'a\n', 'a\u0000', 7, ['a']]],
    ['timing_ms', [undefined, null, '12', -0.001, 1e7 + 0.01, 1e308, NaN, Infinity, true]],
    ['success', ['false', 0, null]],
    ['error', [5, { message: 'x' }, 'x'.repeat(4_001), 'a\u0000', '\ud800']],
    ['error_type', [['a'], '', 'x'.repeat(513)]],
    ['occurred_at', [1737387000000, '2025-01-20', '2025-02-30T00:00:00Z', '2025-01-20T15:30:00', new Date()]],
    ['event_id', ['', 'x'.repeat(129), 'a\u0000b', 5]],
    ['flag_key', ['a\tb', null]],
    ['variant', ['\ud800', {}]],
    ['__proto__', [1]],
    ['surprise', [1]],
  ])('is refused by the name of %s', (field, values) => {
    for (const value of values) {
      const item = JSON.parse('{}') as Record<string, unknown>;
      Object.assign(item, good, { success: false });
      Object.defineProperty(item, field, { value, enumerable: true, configurable: true, writable: true });
      expect([value, judge(item)]).toEqual([value, expect.objectContaining({ code: 'INVALID_INPUT', field })]);
    }
  });

  it('is refused as a whole when it is no object, or a line that is not JSON', () => {
    for (const item of [null, 5, 'text', true, [], [good]]) expect(judge(item)).toMatchObject({ code: 'INVALID_INPUT', field: null });
    expect(judge(new UnreadableLine())).toMatchObject({ code: 'INVALID_JSON', field: null });
  });

  it('has an error only when it failed', () => {
    expect(judge({ ...good, error: 'boom' })).toMatchObject({ field: 'error' });
    expect(judge({ ...good, success: true, error: '' })).toEqual({ ...good, success: true, error: '' });
    expect(judge({ ...good, success: false, error: 'boom' })).toEqual({ ...good, success: false, error: 'boom' });
  });

  it('that is taken is one that the metrics service counts', () => {
    const field = fc.constantFrom(
      'model_id',
      'timing_ms',
      'success',
      'error',
      'error_type',
      'occurred_at',
      'event_id',
      'flag_key',
      'variant',
    );
    const value = fc.oneof(
      fc.jsonValue(),
      fc.string(),
      fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
      fc.double(),
    );
    let taken = 0;
    fc.assert(
      fc.property(fc.dictionary(field, value, { maxKeys: 3 }), (rest) => {
        const item = { ...good, success: false, ...rest };
        if (isRefusal(judge(item))) return;
        taken += 1;
        expect(countable(item)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
    expect(taken).toBeGreaterThan(100);
  });
});

describe('a batch', () => {
  const items = judgeItems([good, { ...good, model_id: 'gone' }, { ...good, model_id: 'unsure' }, 7]);

  it('refuses models that are not there, or of which nobody can tell', () => {
    const judged = judgeModels(items, new Map([[good.model_id, 'visible'] as const, ['gone', 'absent'] as const]));
    expect(judged.map((one) => (isRefusal(one) ? one.code : 'taken'))).toEqual([
      'taken',
      'MODEL_NOT_FOUND',
      'SERVICE_UNAVAILABLE',
      'INVALID_INPUT',
    ]);
  });

  it('has the same payload whatever the order of its fields, and another for another value', () => {
    const payload = (...all: unknown[]): string => payloadOf(judgeItems(all));
    expect(payload({ timing_ms: 12.5, model_id: good.model_id })).toBe(payload(good));
    expect(payload({ ...good, timing_ms: 12.6 })).not.toBe(payload(good));
    expect(payload(good, good)).not.toBe(payload(good));
    expect(payload(good, {})).not.toBe(payload(good));
  });

  it('accounts for every item', () => {
    const answer = recorded(judgeItems([good, 7, good, good]), ['yes', 'yes', 'no', 'unknown']);
    expect([answer.accepted, answer.rejected]).toEqual([1, 3]);
    expect(answer.errors.map(({ index, code }) => [index, code])).toEqual([
      [1, 'INVALID_INPUT'],
      [2, 'SERVICE_UNAVAILABLE'],
      [3, 'SERVICE_UNAVAILABLE'],
    ]);
    expect(answer.errors[2]?.accepted).toContain('may count twice without an Idempotency-Key');
  });
});

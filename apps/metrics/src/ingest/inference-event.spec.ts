import { fc } from '#testing/property.js';
import { decodeMessage, maxBodyBytes, maxEvents, type RejectionCode } from './inference-event.js';

const messageMs = Date.parse('2025-01-20T15:30:00Z');
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const decode = (value: unknown): ReturnType<typeof decodeMessage> => decodeMessage(bytes(JSON.stringify(value)), messageMs);
const good = { model_id: 'mlb_model_a1b2c3d4', timing_ms: 12.5 };

/** The only rejection's reason. */
const reasonFor = (value: unknown): string => {
  const { events, rejected } = decode(value);
  expect(events).toEqual([]);
  expect(rejected).toHaveLength(1);
  expect(rejected[0]).toMatchObject({ index: 0, code: 'INVALID_EVENT' });
  return rejected[0]!.reason;
};

describe('decodeMessage', () => {
  it('takes one event, which succeeded and occurred at the time of the message where it says nothing else', () => {
    expect(decode(good)).toEqual({ batch: false, events: [{ ...good, success: true, occurred_at_ms: messageMs }], rejected: [] });
  });

  it('takes every field', () => {
    const event = {
      ...good,
      success: false,
      error: 'boom',
      error_type: 'model_error',
      event_id: 'e-1',
      flag_key: 'mlb_transformer_v2',
      variant: 'canary',
    };
    const { events } = decode({ ...event, occurred_at: '2025-01-20T16:00:00.250+01:00' });
    expect(events).toEqual([{ ...event, occurred_at_ms: Date.parse('2025-01-20T15:00:00.250Z') }]);
  });

  it('takes a batch in its order', () => {
    const { events, rejected } = decode({ events: [good, { ...good, timing_ms: 0 }, { ...good, timing_ms: 1e7 }] });
    expect(events.map(({ timing_ms }) => timing_ms)).toEqual([12.5, 0, 1e7]);
    expect(rejected).toEqual([]);
  });

  it('rejects the bad event of a batch alone, with its position', () => {
    const { events, rejected } = decode({ events: [good, { ...good, timing_ms: -1 }, 7, good] });
    expect(events).toHaveLength(2);
    expect(rejected).toEqual([
      {
        index: 1,
        code: 'INVALID_EVENT',
        reason: 'timing_ms; accepted: a number from 0 to 10000000',
        event: JSON.stringify({ ...good, timing_ms: -1 }),
      },
      {
        index: 2,
        code: 'INVALID_EVENT',
        reason: 'the event is not an object; accepted: an object with model_id and timing_ms',
        event: '7',
      },
    ]);
  });

  it('ignores fields it does not know, however deep, and reads null as absent', () => {
    const optional = { success: null, error: null, error_type: null, occurred_at: null, event_id: null, flag_key: null, variant: null };
    expect(decode({ ...good, ...optional, region: { a: [[[1]]] } }).events).toEqual([
      { ...good, success: true, occurred_at_ms: messageMs },
    ]);
    const deep = `{"model_id":"m","timing_ms":1,"x":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
    expect(decodeMessage(bytes(deep), messageMs).events).toHaveLength(1);
  });

  it.each([
    ['model_id', undefined],
    ['model_id', null],
    ['model_id', ''],
    ['model_id', 'Upper'],
    ['model_id', 'a'.repeat(65)],
    ['model_id', 'a\n'],
    ['model_id', 'a\u0000'],
    ['model_id', 7],
    ['model_id', ['a']],
    ['timing_ms', undefined],
    ['timing_ms', null],
    ['timing_ms', '12'],
    ['timing_ms', -0.001],
    ['timing_ms', 1e7 + 0.01],
    ['timing_ms', 1e308],
    ['timing_ms', true],
    ['success', 'false'],
    ['success', 0],
    ['error', 5],
    ['error', { message: 'x' }],
    ['error_type', ['a']],
    ['occurred_at', 1737387000000],
    ['occurred_at', '2025-01-20'],
    ['occurred_at', '2025-02-30T00:00:00Z'],
    ['occurred_at', '2025-01-20T15:30:00'],
    ['event_id', ''],
    ['event_id', 'x'.repeat(129)],
    ['event_id', 'a\u0000b'],
    ['flag_key', 'a\tb'],
    ['variant', '\ud800'],
  ])('names %s as the reason when it is %j', (field, value) => {
    expect(reasonFor({ ...good, [field]: value })).toMatch(new RegExp(`^${field}; accepted: `));
  });

  it('rejects a number that is too large for a double', () => {
    const { rejected } = decodeMessage(bytes('{"model_id":"m","timing_ms":1e400}'), messageMs);
    expect(rejected[0]?.reason).toMatch(/^timing_ms; /);
  });

  it('takes -0 as 0', () => {
    const { events } = decodeMessage(bytes('{"model_id":"m","timing_ms":-0}'), messageMs);
    expect(events[0]?.timing_ms).toBe(0);
  });

  it('keeps 512 characters of an error, without control characters and half characters', () => {
    const error = (text: string): string | undefined => decode({ ...good, success: false, error: text }).events[0]?.error;
    expect(error('a\u0000b\nc\u0085d')).toBe('a b c d');
    expect(error('x'.repeat(4000))).toBe('x'.repeat(512));
    expect(error(`${'x'.repeat(511)}😀`)).toBe(`${'x'.repeat(511)}\ufffd`);
    expect(error('')).toBe('');
  });

  it('finds nothing in a prototype', () => {
    const { events, rejected } = decodeMessage(bytes('{"__proto__":{"model_id":"m","timing_ms":1}}'), messageMs);
    expect(events).toEqual([]);
    expect(rejected[0]?.reason).toMatch(/^model_id; /);
    const batch = decodeMessage(bytes('{"__proto__":{"events":[{"model_id":"m","timing_ms":1}]}}'), messageMs);
    expect(batch.events).toEqual([]);
    expect(({} as Record<string, unknown>).model_id).toBeUndefined();
  });

  it.each<[string, RejectionCode, string | Uint8Array]>([
    ['nothing', 'INVALID_JSON', ''],
    ['text', 'INVALID_JSON', 'hello'],
    ['truncated JSON', 'INVALID_JSON', '{"model_id":"m","timing_ms":'],
    ['NaN', 'INVALID_JSON', '{"model_id":"m","timing_ms":NaN}'],
    ['a NUL byte', 'INVALID_JSON', '{"model_id":"m","timing_ms":1}\u0000'],
    ['two events one after the other', 'INVALID_JSON', '{"model_id":"m","timing_ms":1}\n{"model_id":"m","timing_ms":1}'],
    ['brackets without end', 'INVALID_JSON', '['.repeat(maxBodyBytes)],
    ['invalid UTF-8', 'INVALID_UTF8', Uint8Array.of(0x22, 0xff, 0xfe, 0x22)],
    ['a surrogate as UTF-8', 'INVALID_UTF8', Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22)],
    ['one byte too many', 'BODY_TOO_LARGE', ' '.repeat(maxBodyBytes + 1)],
    ['no event in a batch', 'INVALID_BATCH', '{"events":[]}'],
    ['an object for a batch', 'INVALID_BATCH', '{"events":{"0":{"model_id":"m","timing_ms":1}}}'],
    ['null for a batch', 'INVALID_BATCH', '{"events":null}'],
    ['501 events', 'INVALID_BATCH', JSON.stringify({ events: Array.from({ length: maxEvents + 1 }, () => good) })],
  ])('refuses a message of %s as a whole: %s', (_, code, body) => {
    const { events, rejected } = decodeMessage(typeof body === 'string' ? bytes(body) : body, messageMs);
    expect(events).toEqual([]);
    expect(rejected).toHaveLength(1);
    expect(rejected[0]).toMatchObject({ index: null, code });
  });

  it.each([null, true, 5, 'text', [], [good], [[[[]]]]])('does not take %j for an event', (value) => {
    expect(reasonFor(value)).toMatch(/^the event is not an object/);
  });

  it('takes 500 events and the largest message there may be', () => {
    expect(decode({ events: Array.from({ length: maxEvents }, () => good) }).events).toHaveLength(maxEvents);
    const event = JSON.stringify(good);
    expect(decodeMessage(bytes(event.padEnd(maxBodyBytes)), messageMs).events).toHaveLength(1);
  });

  it('repeats nothing of the message in a reason', () => {
    for (const body of ['secret', '{"model_id":"SECRET secret","timing_ms":1}', '{"events":"secret"}']) {
      const { rejected } = decodeMessage(bytes(body), messageMs);
      expect(JSON.stringify(rejected.map(({ reason }) => reason)).toLowerCase()).not.toContain('secret');
    }
  });

  it('never throws, and accounts for every event', () => {
    const field = fc.constantFrom(
      'model_id',
      'timing_ms',
      'success',
      'error',
      'error_type',
      'occurred_at',
      'event_id',
      'variant',
      '__proto__',
    );
    const anyEvent = fc.oneof(fc.constant(good), fc.jsonValue(), fc.dictionary(field, fc.jsonValue()));
    fc.assert(
      fc.property(fc.array(anyEvent, { minLength: 1, maxLength: 20 }), (batch) => {
        const { events, rejected } = decode({ events: batch });
        expect(events.length + rejected.length).toBe(batch.length);
      }),
    );
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.json().map(bytes)), (body) => {
        const { events, rejected } = decodeMessage(body, messageMs);
        expect(events.length + rejected.length).toBeGreaterThan(0);
      }),
    );
  });
});

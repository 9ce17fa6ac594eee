import { inferenceStream } from '#contracts/inference.js';
import { maxEvents as acceptedEvents, readEvent } from '#contracts/inference-event.js';
import { fc } from '#testing/property.js';
import { inferenceSubject, maxEvents, producerHeader, sequenceHeader } from './event-contract.js';
import { encodeEvent, type InferenceEvent, InvalidEventError } from './inference-event.js';

const now = new Date('2025-01-20T15:30:00Z');
const good = { model_id: 'mlb_model_a1b2c3d4', timing_ms: 12.5 };

/** What the client says of an event: null when it sends it. */
function refusedField(event: unknown): string | null {
  try {
    encodeEvent(event as InferenceEvent, now);
    return null;
  } catch (error) {
    if (!(error instanceof InvalidEventError)) throw error;
    return error.field ?? '(event)';
  }
}

/** What the suite says of the same. */
function problemField(event: unknown): string | null {
  const read = readEvent(event, now.getTime());
  return 'problem' in read ? (read.problem.field ?? '(event)') : null;
}

const values: unknown[] = [
  ...[
    undefined,
    null,
    '',
    'Upper',
    'a'.repeat(65),
    'a\n',
    'a\u0000',
    '\ud800',
    'x'.repeat(129),
    'x'.repeat(5_000),
    'a\tb',
    'a b',
    'naïve 模型',
  ],
  ...[7, 0, -0, -0.001, 1e7, 1e7 + 0.01, 1e308, NaN, Infinity, true, false, ['a'], {}, { toString: 'x' }],
  ...[
    '2025-01-20',
    '2025-02-30T00:00:00Z',
    '2025-01-20T15:30:00',
    '2025-01-20T24:00:00Z',
    '2025-01-20T15:30:00+01:00',
    '0000-01-01T00:00:00Z',
  ],
];

describe('the client beside the contracts of the suite', () => {
  it('uses the same subject and headers', () => {
    expect({ inferenceSubject, producerHeader, sequenceHeader, maxEvents }).toEqual({
      inferenceSubject: inferenceStream.subject,
      producerHeader: inferenceStream.producerHeader,
      sequenceHeader: inferenceStream.sequenceHeader,
      maxEvents: acceptedEvents,
    });
  });

  const fields = ['model_id', 'timing_ms', 'success', 'error', 'error_type', 'occurred_at', 'event_id', 'flag_key', 'variant'];

  it.each(fields)('judges every value of %s alike', (field) => {
    for (const value of values) {
      const event = { ...good, [field]: value };
      expect([value, refusedField(event)]).toEqual([value, problemField(event)]);
    }
  });

  it('judges whatever there is alike, and sends what is read as the same event', () => {
    const someEvent = fc.oneof(
      fc.jsonValue(),
      fc.dictionary(fc.constantFrom(...fields), fc.oneof(fc.jsonValue(), fc.constantFrom(...values))),
    );
    fc.assert(
      fc.property(someEvent, (rest) => {
        const event = typeof rest === 'object' && rest !== null && !Array.isArray(rest) ? { ...good, ...rest } : rest;
        const refused = refusedField(event);
        expect(refused).toBe(problemField(event));
        if (refused !== null) return;
        const sent = readEvent(JSON.parse(encodeEvent(event as unknown as InferenceEvent, now)), 0);
        const meant = readEvent(JSON.parse(JSON.stringify(event)), now.getTime());
        if (!('event' in sent && 'event' in meant)) throw new Error('refused');
        expect({ ...sent.event, error_type: sent.event.error_type?.slice(0, 512) }).toEqual({
          ...meant.event,
          error_type: meant.event.error_type?.slice(0, 512),
        });
      }),
    );
  });

  it('takes a Date for a time, and refuses one that is none by name', () => {
    expect(JSON.parse(encodeEvent({ ...good, occurred_at: new Date(0) }, now))).toMatchObject({ occurred_at: '1970-01-01T00:00:00.000Z' });
    expect(refusedField({ ...good, occurred_at: new Date(NaN) })).toBe('occurred_at');
  });

  it('sends the present time for a null too', () => {
    const event = { ...good, occurred_at: null } as unknown as InferenceEvent;
    expect(JSON.parse(encodeEvent(event, now))).toMatchObject({ occurred_at: now.toISOString() });
  });
});

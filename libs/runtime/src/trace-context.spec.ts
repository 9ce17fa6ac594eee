import { fc } from '#testing/property.js';
import { placeOf, traceparentOf } from './trace-context.js';

const trace_id = '4bf92f3577b34da6a3ce929d0e0e4736';
const span_id = '00f067aa0ba902b7';

it('reads what the recommendation gives as its example', () => {
  expect(placeOf(`00-${trace_id}-${span_id}-01`)).toEqual({ trace_id, span_id, sampled: true });
  expect(placeOf(`00-${trace_id}-${span_id}-00`)).toEqual({ trace_id, span_id, sampled: false });
});

it('reads later versions, which may have more to say', () => {
  expect(placeOf(`01-${trace_id}-${span_id}-03-what-the-future-will-be-like`)).toEqual({ trace_id, span_id, sampled: true });
});

it.each([
  ['nothing', undefined],
  ['an empty text', ''],
  ['another version', `ff-${trace_id}-${span_id}-01`],
  ['upper case', `00-${trace_id.toUpperCase()}-${span_id}-01`],
  ['a trace of zeros', `00-${'0'.repeat(32)}-${span_id}-01`],
  ['a span of zeros', `00-${trace_id}-${'0'.repeat(16)}-01`],
  ['more than the version has', `00-${trace_id}-${span_id}-01-more`],
  ['a shorter trace', `00-${trace_id.slice(1)}-${span_id}-01`],
  ['several', `00-${trace_id}-${span_id}-01, 00-${trace_id}-${span_id}-01`],
  ['a very long one', `01-${trace_id}-${span_id}-01-${'a'.repeat(10_000)}`],
])('begins anew for %s', (_, header) => {
  expect(placeOf(header)).toBeNull();
});

it('reads what it writes', () => {
  const hex = (length: number): fc.Arbitrary<string> =>
    fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length }).filter((text) => !/^0+$/.test(text));
  fc.assert(
    fc.property(hex(32), hex(16), fc.boolean(), (trace, span, sampled) => {
      const place = { trace_id: trace, span_id: span, sampled };
      expect(placeOf(traceparentOf(place))).toEqual(place);
    }),
  );
});

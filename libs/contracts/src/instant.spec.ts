import { fc } from '#testing/property.js';
import { instantMs } from './instant.js';

/** The rule without its short cut. */
function plainlyMs(text: string): number {
  const match = /^(\d{4})-(\d{2})-(\d{2})T(?!24)(\d{2}):(\d{2}):(\d{2})(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/.exec(text);
  const time = Date.parse(text);
  if (!match || !(time >= Date.parse('0001-01-01T00:00:00Z') && time < Date.parse('+010000-01-01T00:00:00Z'))) return Number.NaN;
  const [, year, month, day] = match;
  return new Date(Date.UTC(Number(year), Number(month) - 1, Number(day))).getUTCDate() === Number(day) ? time : Number.NaN;
}

describe('instantMs', () => {
  it.each([
    ['1970-01-01T00:00:00Z', 0],
    ['2025-01-20T15:30:00.250Z', Date.UTC(2025, 0, 20, 15, 30, 0, 250)],
    ['2025-01-20T16:30:00.25+01:00', Date.UTC(2025, 0, 20, 15, 30, 0, 250)],
    ['2024-02-29T23:59:59.999Z', Date.UTC(2024, 1, 29, 23, 59, 59, 999)],
    ['9999-12-31T23:59:59.999Z', Date.UTC(9999, 11, 31, 23, 59, 59, 999)],
  ])('reads %s', (text, ms) => {
    expect(instantMs(text)).toBe(ms);
  });

  it.each([
    '2025-02-29T00:00:00Z',
    '2100-02-29T00:00:00Z',
    '2025-04-31T00:00:00Z',
    '2025-13-01T00:00:00Z',
    '2025-01-01T24:00:00Z',
    '2025-01-01T23:59:60Z',
    '2025-01-01 00:00:00Z',
    '2025-01-01T00:00:00z',
    '2025-01-01T00:00:00.1 2Z',
    '0000-12-31T00:00:00Z',
    '9999-12-31T23:59:59-01:00',
    '',
    null,
    1737387000000,
  ])('does not take %j', (value) => {
    expect(instantMs(value)).toBeNaN();
  });

  it('reads every time that toISOString writes', () => {
    const years = { min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true };
    fc.assert(
      fc.property(fc.date(years), (date) => {
        expect(instantMs(date.toISOString())).toBe(date.getTime());
      }),
    );
  });

  it('reads every day of a few centuries', () => {
    const misread: string[] = [];
    for (let ms = Date.UTC(1890, 0, 1); ms < Date.UTC(2210, 0, 1); ms += 86_400_000) {
      const text = new Date(ms).toISOString();
      if (instantMs(text) !== ms) misread.push(text);
    }
    expect(misread).toEqual([]);
  });

  it('judges texts that are nearly times as the plain rule does', () => {
    const written = fc.tuple(
      ...([10_000, 14, 33, 26, 62, 62, 1_100] as const).map((end) => fc.integer({ min: 0, max: end })),
      fc.constantFrom('Z', 'z', '+00:00', '-23:59', '+25:00', ''),
      fc.boolean(),
    );
    const nearly = written.map(([year, month, day, hour, minute, second, fraction, zone, whole]) => {
      const two = (number: unknown): string => String(number).padStart(2, '0');
      const rest = whole ? '' : `.${String(fraction).padStart(3, '0')}`;
      return `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}T${two(hour)}:${two(minute)}:${two(second)}${rest}${String(zone)}`;
    });
    const broken = fc
      .tuple(nearly, fc.nat(), fc.constantFrom('x', ' ', '-', ':', '.', '+', '/', '٣', '９', ''))
      .map(([text, at, put]) => text.slice(0, at % text.length) + put + text.slice((at % text.length) + 1));
    fc.assert(
      fc.property(fc.oneof(nearly, broken), (text) => Object.is(instantMs(text), plainlyMs(text))),
      { numRuns: 20_000 },
    );
  });
});

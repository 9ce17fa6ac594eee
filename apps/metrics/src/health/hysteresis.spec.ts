import { type HealthStatus } from '#contracts/metrics.js';
import { fc } from '#testing/property.js';
import { type HeldHealth, hold, recoversAfter, worsensAfter } from './hysteresis.js';

const badness = { healthy: 0, degraded: 1, unhealthy: 2 } as const;

function statuses(found: HealthStatus[]): HealthStatus[] {
  let held: HeldHealth | null = null;
  return found.map((status, tick) => (held = hold(held, status, `t${tick}`)).health_status);
}

const letters = { h: 'healthy', d: 'degraded', u: 'unhealthy', '?': 'unknown' } as const;
const spelled = (text: string): HealthStatus[] => [...text].map((letter) => letters[letter as keyof typeof letters]);

describe('hold', () => {
  it.each([
    ['hhh', 'hhh', 'what stays'],
    ['?h', '?h', 'the first that says something'],
    ['huu', 'hhu', 'worse twice in a row'],
    ['hduh', 'hhdd', 'worse as far as both found it'],
    ['hduuu', 'hhddu', 'and further later'],
    ['huhuhuh', 'hhhhhhh', 'worse now and then'],
    ['uhhh', 'uuuh', 'better three times in a row'],
    ['uhdhh', 'uuudd', 'better as far as all three found it'],
    ['uhhuhhuhh', 'uuuuuuuuu', 'better, but never three times'],
    ['u??h', 'uuuu', 'too little, but not three times'],
    ['u???', 'uuu?', 'too little to tell, three times in a row'],
    ['duhdhh', 'dddddd', 'both sides in turn'],
  ])('of %s is %s: %s', (found, expected) => {
    expect(statuses(spelled(found))).toEqual(spelled(expected));
  });

  it('keeps since when it is so until it changes', () => {
    let held: HeldHealth | null = null;
    const since = spelled('hhuuu').map((status, tick) => (held = hold(held, status, `t${tick}`)).since);
    expect(since).toEqual(['t0', 't0', 't0', 't3', 't3']);
  });

  it('never worsens on fewer than two, nor recovers on fewer than three evaluations in a row that bear it out', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom<HealthStatus>('healthy', 'degraded', 'unhealthy'), { maxLength: 60 }), (found) => {
        const held = statuses(found);
        held.forEach((status, tick) => {
          const before = held[tick - 1];
          if (before === undefined || before === status) return;
          const level = (of: HealthStatus): number => badness[of as keyof typeof badness];
          const worse = level(status) > level(before);
          const streak = found.slice(tick + 1 - (worse ? worsensAfter : recoversAfter), tick + 1);
          expect(streak.every((one) => (worse ? level(one) >= level(status) : level(one) <= level(status)))).toBe(true);
        });
      }),
    );
  });

  it('follows a status that lasts, whatever was before', () => {
    const any = fc.constantFrom<HealthStatus>('healthy', 'degraded', 'unhealthy', 'unknown');
    fc.assert(
      fc.property(fc.array(any, { maxLength: 30 }), any, (found, last) => {
        expect(statuses([...found, ...Array<HealthStatus>(recoversAfter + worsensAfter).fill(last)]).at(-1)).toBe(last);
      }),
    );
  });
});

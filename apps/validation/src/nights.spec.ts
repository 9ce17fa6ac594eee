import { nightsBetween, nightsToHandle } from './nights.js';

const at = (text: string): number => Date.parse(`2026-03-${text}Z`);
const hour = 3_600_000;

describe('nightsBetween', () => {
  it.each<[string, string, string, string[]]>([
    ['the next night is not there yet', '01T02:00:00', '02T01:59:59', []],
    ['a night begins in its second', '01T02:00:00', '02T02:00:00', ['02T02:00:00']],
    ['three nights have passed', '01T02:00:00', '04T12:00:00', ['02T02:00:00', '03T02:00:00', '04T02:00:00']],
    ['the clock was put forward in many countries', '28T12:00:00', '29T12:00:00', ['29T02:00:00']],
    ['half a second after one', '01T02:00:00.500', '02T02:00:00', ['02T02:00:00']],
  ])('when %s', (_, after, until, nights) => {
    expect(nightsBetween('0 2 * * *', at(after), at(until))).toEqual(nights.map(at));
  });

  it('stops after a thousand', () => {
    expect(nightsBetween('* * * * * *', at('01T00:00:00'), at('09T00:00:00'))).toHaveLength(1_000);
  });
});

describe('nightsToHandle', () => {
  const nights = [at('02T02:00:00'), at('03T02:00:00')];

  it.each<[string, number[], string, number, number | null, number]>([
    ['nothing was due', [], '03T10:00:00', 24, null, 0],
    ['the service was down at night', [nights[1]!], '03T10:00:00', 24, nights[1]!, 0],
    ['it was down for two nights', nights, '03T10:00:00', 24, nights[1]!, 1],
    ['it was down for longer than a night is made up for', nights, '04T01:00:00', 12, null, 2],
    ['nights are not made up for', nights, '03T10:00:00', 0, null, 2],
    ['nights are not made up for, and one is due now', nights, '03T02:00:01', 0, nights[1]!, 1],
  ])('when %s', (_, due, now, hours, begin, missed) => {
    const handled = nightsToHandle(due, at(now), hours * hour);
    expect([handled.begin, handled.missed.length]).toEqual([begin, missed]);
  });
});

import { delayAfter, maxAttempts } from './backoff.js';

const all = (target: 'webhook' | 'event', random: number): (number | null)[] =>
  Array.from({ length: maxAttempts + 1 }, (_, index) => delayAfter(index + 1, target, random));

describe('delayAfter', () => {
  it('doubles from a second, and gives a webhook up about an hour after the first attempt', () => {
    const delays = all('webhook', 0.5);
    expect(delays.slice(0, 4)).toEqual([1000, 2000, 4000, 8000]);
    expect(delays.slice(-2)).toEqual([null, null]);
    const minutes = delays.reduce<number>((sum, delay) => sum + (delay ?? 0), 0) / 60_000;
    expect([minutes > 60, minutes < 75]).toEqual([true, true]);
  });

  it('never gives up an event', () => {
    expect(all('event', 0.5).slice(-2)).toEqual([60_000, 60_000]);
    expect(delayAfter(1e6, 'event', 0)).toBe(45_000);
  });

  it('is spread by a quarter to both sides', () => {
    expect([0, 1].map((random) => delayAfter(3, 'webhook', random))).toEqual([3000, 5000]);
  });
});

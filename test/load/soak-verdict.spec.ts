import { type Sample, verdictOf } from './soak-verdict.harness.js';

/** A sample every 10 s, for so many minutes. */
const samples = (minutes: number, of: (minute: number) => Partial<Sample>): Sample[] =>
  Array.from({ length: minutes * 6 }, (_, index) => {
    const steady = { name: 'gateway', at_ms: index * 10_000, memory_bytes: 100 * 1024 ** 2, handles: { nats: 1, postgres: 8 }, lag_ms: 12 };
    return { ...steady, ...of(index / 6) };
  });

describe('the verdict of a soak', () => {
  it('is nothing wrong of a process that grows at first and stays as it is then, though it goes up and down', () => {
    const memory_bytes = (minute: number): number => (90 + 4 * Math.min(5, minute) + 3 * Math.sin(minute * 20)) * 1024 ** 2;
    const { wrong, growth_bytes } = verdictOf(samples(10, (minute) => ({ memory_bytes: memory_bytes(minute) })));
    expect(wrong).toEqual([]);
    expect(Math.abs(growth_bytes!)).toBeLessThan(0.5 * 1024 ** 2);
  });

  it.each<[string, (minute: number) => Partial<Sample>, string]>([
    ['memory', (minute) => ({ memory_bytes: (100 + 2 * minute) * 1024 ** 2 }), 'grows by 2.0 MB a minute'],
    ['a kind of handles', (minute) => ({ handles: { nats: 1, postgres: 8 + Math.round(minute) * 2 } }), 'had 10 postgres, and has 26'],
    ['a new kind', (minute) => ({ handles: { nats: 1, ...(minute >= 5 && { files: 90 }) } }), 'had 0 files, and has 90'],
    ['lag', (minute) => ({ lag_ms: minute < 5 ? 12 : 80 }), 'lagged by 12 ms, and lags by 80 ms'],
  ])('finds that %s grows', (_, of, wrong) => {
    expect(verdictOf(samples(10, of)).wrong).toEqual([wrong]);
  });

  it('says nothing of growth where it lasted too short', () => {
    expect(verdictOf(samples(6, (minute) => ({ memory_bytes: minute * 1024 ** 3 }))).growth_bytes).toBeNull();
  });
});

import { type Sample, verdictOf } from './soak-verdict.harness.js';

/** A sample every 10 s, for so many minutes. */
const samples = (minutes: number, of: (minute: number) => Partial<Sample>): Sample[] =>
  Array.from({ length: minutes * 6 }, (_, index) => {
    const held = { memory_bytes: 100 * 1024 ** 2, live_bytes: 30 * 1024 ** 2, handles: { nats: 1, postgres: 8 } };
    const steady = { name: 'gateway', at_ms: index * 10_000, ...held, lag_ms: 12 };
    return { ...steady, ...of(index / 6) };
  });

describe('the verdict of a soak', () => {
  it('is nothing wrong of a process that grows at first and stays as it is then, though it goes up and down', () => {
    const live_bytes = (minute: number): number => (30 + Math.min(5, minute) + 0.5 * Math.sin(minute * 20)) * 1024 ** 2;
    const memory_bytes = (minute: number): number => (90 + 3 * minute) * 1024 ** 2;
    const { wrong, growth_bytes } = verdictOf(
      samples(10, (minute) => ({ live_bytes: live_bytes(minute), memory_bytes: memory_bytes(minute) })),
    );
    expect(wrong).toEqual([]);
    expect(Math.abs(growth_bytes!)).toBeLessThan(0.1 * 1024 ** 2);
  });

  it.each<[string, (minute: number) => Partial<Sample>, string]>([
    ['what is held', (minute) => ({ live_bytes: (30 + 0.5 * minute) * 1024 ** 2 }), 'holds 0.5 MB more each minute'],
    ['memory', (minute) => ({ memory_bytes: (100 + 20 * minute) * 1024 ** 2 }), 'had 220.0 MB when it was warm, and has 280.0 MB'],
    ['a kind of handles', (minute) => ({ handles: { nats: 1, postgres: 8 + Math.round(minute) * 2 } }), 'had 10 postgres, and has 26'],
    ['a new kind', (minute) => ({ handles: { nats: 1, ...(minute >= 5 && { files: 90 }) } }), 'had 0 files, and has 90'],
    ['lag', (minute) => ({ lag_ms: minute < 5 ? 12 : 80 }), 'lagged by 12 ms, and lags by 80 ms'],
  ])('finds that %s grows', (_, of, wrong) => {
    expect(verdictOf(samples(10, of)).wrong).toEqual([wrong]);
  });

  it('says nothing of growth where it lasted too short', () => {
    expect(verdictOf(samples(6, (minute) => ({ live_bytes: minute * 1024 ** 3 }))).growth_bytes).toBeNull();
  });
});

import { effectiveTicks, noPairedTicks, pairedBounds, pairedHalfWidth, pairedWith } from './paired-ticks.js';
import { type Tick } from './margin-e-process.js';

const tick = (nc: number, yc: number, ns: number, ys: number): Tick => ({
  candidate: { n: nc, events: yc },
  control: { n: ns, events: ys },
});
const after = (ticks: Tick[]): typeof noPairedTicks => ticks.reduce(pairedWith, noPairedTicks);

describe('the confidence sequence over paired ticks', () => {
  it('has the half-width of another computation', () => {
    expect(pairedHalfWidth(0.0012, 60, 0.01)).toBeCloseTo(0.0150049, 7);
  });

  it('is that of the plain differences where all ticks weigh the same', () => {
    const ticks = Array.from({ length: 30 }, (_, index) => tick(100, 5 + (index % 7), 100, 3 + (index % 3)));
    const differences = ticks.map(({ candidate, control }) => candidate.events / 100 - control.events / 100);
    const mean = differences.reduce((sum, d) => sum + d, 0) / 30;
    const variance = differences.reduce((sum, d) => sum + (d - mean) ** 2, 0) / 29;
    const bounds = pairedBounds(after(ticks), 0.01)!;
    expect(bounds.difference).toBeCloseTo(mean, 12);
    // The floor: two independent rates of the pooled size.
    const rate = (after(ticks).events + 1) / (6_000 + 2);
    const half = pairedHalfWidth(Math.max(variance, (rate * (1 - rate)) / 50), 30, 0.01);
    expect(bounds.lower).toBeCloseTo(mean - half, 10);
    expect(bounds.upper).toBeCloseTo(mean + half, 10);
  });

  it('weighs ticks by what they know, and counts as many as they are worth', () => {
    const light = Array.from({ length: 20 }, () => tick(3, 0, 300, 9));
    const sums = after([...light, tick(150, 15, 150, 5)]);
    expect(effectiveTicks(after(light))).toBeCloseTo(20, 9);
    expect(effectiveTicks(sums)).toBeLessThan(4);
    expect(pairedBounds(sums, 0.01)!.difference).toBeGreaterThan(0);
  });

  it('does not take the absence of all events for certainty', () => {
    const sums = after(Array.from({ length: 20 }, () => tick(3, 0, 300, 0)));
    expect(pairedBounds(sums, 0.025, 0.02)!.upper).toBeGreaterThan(0.02);
  });

  it('says nothing of one tick, or of an arm without requests', () => {
    expect(pairedBounds(noPairedTicks, 0.01)).toBeNull();
    expect(pairedBounds(after([tick(1, 0, 1, 0)]), 0.01)).toBeNull();
    expect(after([tick(0, 0, 5, 1)])).toEqual(noPairedTicks);
  });
});

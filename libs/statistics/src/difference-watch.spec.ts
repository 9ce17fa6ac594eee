import { newWatch, readWatch, type Watch, watchWith } from './difference-watch.js';
import { type MarginTest, type Tick } from './margin-e-process.js';

const tick = (nc: number, yc: number, ns: number, ys: number): Tick => ({
  candidate: { n: nc, events: yc },
  control: { n: ns, events: ys },
});
const harm: MarginTest = { direction: 'above', margin: 0 };
const notInferior: MarginTest = { direction: 'below', margin: 0.02 };
const after = (count: number, each: Tick, test: MarginTest): Watch => {
  let watch = newWatch;
  for (let at = 0; at < count; at++) watch = watchWith(watch, each, test, 1);
  return watch;
};

describe('a watch over a difference', () => {
  it('decides by the e-process at half of alpha, and by paired ticks once there are twenty with enough events', () => {
    const failing = tick(30, 6, 270, 10);
    const early = readWatch(after(3, failing, harm), harm, 0.01);
    expect(early).toMatchObject({ method: 'e_process', refuted: true, log_threshold: Math.log(200) });
    expect(early.log_e).toBeGreaterThan(early.log_threshold);
    expect(readWatch(after(19, failing, harm), harm, 0.01).method).toBe('e_process');
    const late = readWatch(after(20, failing, harm), harm, 0.01);
    expect(late).toMatchObject({ method: 'paired_ticks', refuted: true });
    expect(late.lower).toBeGreaterThan(0);
    // One event a tick: the bounds of so few are not to be trusted.
    expect(readWatch(after(29, tick(30, 1, 270, 9), harm), harm, 0.01).method).toBe('e_process');
  });

  it('finds neither harm nor its absence where there is too little', () => {
    expect(readWatch(newWatch, harm, 0.01)).toMatchObject({ method: 'e_process', refuted: false, log_e: 0, difference: null });
    expect(readWatch(after(5, tick(3, 0, 27, 1), notInferior), notInferior, 0.05).refuted).toBe(false);
  });

  it('shows that a candidate is not inferior', () => {
    const equal = tick(150, 6, 150, 6);
    expect(readWatch(after(19, equal, notInferior), notInferior, 0.05)).toMatchObject({ method: 'e_process', refuted: true });
    const late = readWatch(after(60, equal, notInferior), notInferior, 0.05);
    expect(late).toMatchObject({ method: 'paired_ticks', refuted: true, difference: 0 });
    expect(late.upper).toBeLessThan(0.02);
    expect(readWatch(after(60, equal, harm), harm, 0.01).refuted).toBe(false);
  });
});

import { binomialProbability } from './distributions.js';
import { logEvidence, type MarginEvidence, type MarginTest, noEvidence, type Tick, withTick } from './margin-e-process.js';

const tick = (nc: number, yc: number, ns: number, ys: number): Tick => ({
  candidate: { n: nc, events: yc },
  control: { n: ns, events: ys },
});

// An independent computation of the same six ticks.
const ticks = [
  tick(30, 1, 270, 10),
  tick(30, 4, 270, 11),
  tick(30, 3, 270, 9),
  tick(30, 5, 270, 10),
  tick(30, 4, 270, 12),
  tick(30, 6, 270, 8),
];
const harm: MarginTest = { direction: 'above', margin: 0 };
const notInferior: MarginTest = { direction: 'below', margin: 0.02 };

function course(test: MarginTest, designEffect = 1): number[] {
  let evidence = noEvidence;
  return ticks.map((next) => logEvidence((evidence = withTick(evidence, next, test, designEffect))));
}

describe('the blocked margin e-process', () => {
  it.each([
    [harm, [-0.516359, 0.372148, 1.120024, 3.403268, 4.812177, 8.92159]],
    [notInferior, [-0.209762, -1.203063, -1.414844, -1.79242, -1.986395, -2.331188]],
  ])('has the evidence of another computation for %j', (test, expected) => {
    for (const [index, logE] of course(test).entries()) expect(logE).toBeCloseTo(expected[index]!, 5);
  });

  it('is worth at most 1 on average where the hypothesis holds: all outcomes of small ticks', () => {
    const priors: MarginEvidence[] = [noEvidence, { ...noEvidence, events: 40, n: 60 }, { ...noEvidence, events: 0, n: 5_000 }];
    let worst = 0;
    for (const [nc, ns] of [
      [1, 1],
      [3, 9],
      [8, 2],
    ] as const) {
      for (const evidence of priors) {
        for (const direction of ['above', 'below'] as const) {
          for (const margin of [-0.1, 0, 0.02, 0.2]) {
            for (let percent = 0; percent <= 100; percent += 10) {
              const [control, candidate] = [percent / 100, percent / 100 + margin];
              if (candidate < 0 || candidate > 1) continue;
              let mean = 0;
              for (let yc = 0; yc <= nc; yc++) {
                for (let ys = 0; ys <= ns; ys++) {
                  const chance = binomialProbability(yc, nc, candidate) * binomialProbability(ys, ns, control);
                  mean += chance * Math.exp(logEvidence(withTick(evidence, tick(nc, yc, ns, ys), { direction, margin })));
                }
              }
              worst = Math.max(worst, mean);
            }
          }
        }
      }
    }
    expect(worst).toBeLessThanOrEqual(1 + 1e-12);
    expect(worst).toBeGreaterThan(0.99);
  });

  it('says less where requests depend on each other', () => {
    const [plain, deflated] = [course(harm).at(-1)!, course(harm, 2).at(-1)!];
    expect(deflated).toBeLessThan(plain);
    expect(deflated).toBeGreaterThan(0);
  });

  it('learns nothing of the difference from a tick without one of the arms', () => {
    const before = withTick(noEvidence, ticks[0]!, harm);
    const after = withTick(before, tick(0, 0, 100, 100), harm);
    expect(after).toEqual({ log_e: before.log_e, events: before.events + 100, n: before.n + 100 });
  });

  it('stays finite whatever comes', () => {
    let evidence = noEvidence;
    for (const next of [tick(1e9, 1e9, 1, 0), tick(1, 0, 1e9, 1e9), tick(1e9, 0, 1e9, 0), tick(5, 5, 5, 5)]) {
      evidence = withTick(evidence, next, harm);
      expect(evidence.log_e.every(Number.isFinite)).toBe(true);
    }
  });

  it.each([
    [tick(1, 2, 1, 0), 1],
    [tick(1, 0, 1, -1), 1],
    [tick(1, 0, 1, 0), 0.5],
    [tick(Number.NaN, 0, 1, 0), 1],
  ])('refuses %j at a design effect of %d', (next, effect) => {
    expect(() => withTick(noEvidence, next, harm, effect)).toThrow(RangeError);
  });
});

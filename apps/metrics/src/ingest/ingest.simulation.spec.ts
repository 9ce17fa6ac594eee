import { Simulation } from './ingest.simulation.harness.js';

const seeds = Number(process.env.SIMULATION_SEEDS ?? 1_000);
const first = Number(process.env.SIMULATION_FIRST_SEED ?? 1);

describe('the ingest core, over a simulated clock, bus and store', () => {
  it(`counts every acknowledged event exactly once, whatever is dropped, doubled, delayed or killed (${seeds} seeds)`, async () => {
    const faults = new Map<string, number>();
    for (let seed = first; seed < first + seeds; seed++) {
      const simulation = new Simulation(seed);
      const wrong = await simulation.run();
      // Found one? Type: SIMULATION_FIRST_SEED=<seed> SIMULATION_SEEDS=1 npm test -- ingest.simulation
      if (wrong.length) throw new Error(`Seed ${seed}: ${wrong.join('; ')}\n${simulation.history.join('\n')}`);
      for (const [fault, count] of simulation.faults) faults.set(fault, (faults.get(fault) ?? 0) + count);
    }
    // A simulation in which nothing goes wrong shows nothing.
    const wanted = ['crash', 'lost ack', 'redelivery', 'doubled', 'failed commit', 'lost commit answer', 'unsure model', 'poison'];
    for (const fault of [...wanted, 'fold', 'late event']) {
      expect([fault, faults.get(fault) ?? 0]).toEqual([fault, expect.any(Number)]);
      expect(faults.get(fault) ?? 0).toBeGreaterThan(seeds / 20);
    }
  }, 240_000);

  it.each([
    ['acknowledges before it has committed', 'early ack'],
    ['forgets its ledger', 'no ledger'],
    ['does not ask for event ids', 'no event ids'],
    ['adds late events to folded minutes alone', 'blind to folds'],
    ['folds minutes without locking them', 'folds unlocked'],
  ] as const)('finds out a core that %s', async (_, flaw) => {
    let found = 0;
    for (let seed = 1; seed <= 100; seed++) if ((await new Simulation(seed, flaw).run()).length) found += 1;
    expect(found).toBeGreaterThan(10);
  });
});

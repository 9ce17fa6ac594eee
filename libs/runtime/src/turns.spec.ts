import { Turns } from './turns.js';

/** Resolves once `turns` has so many entries. */
async function reached(turns: unknown[], count: number): Promise<void> {
  while (turns.length < count) await new Promise((resolve) => setImmediate(resolve));
}

describe('turns', () => {
  it('follow one another at once while there is more to do', async () => {
    const taken: number[] = [];
    const turns = new Turns(async () => taken.push(performance.now()) < 3, fail);
    turns.start();
    await reached(taken, 3);
    await turns.stop();
    expect(taken[2]! - taken[0]!).toBeLessThan(500);
    expect(taken).toHaveLength(3);
  });

  it('are taken at once when woken, also while one is under way', async () => {
    const taken: string[] = [];
    let finish: (more: boolean) => void = () => undefined;
    const turns = new Turns(() => {
      taken.push('turn');
      return new Promise((resolve) => (finish = resolve));
    }, fail);
    turns.start();
    turns.wake();
    finish(false);
    await reached(taken, 2);
    finish(false);
    await new Promise((resolve) => setImmediate(resolve));
    turns.wake();
    await reached(taken, 3);
    finish(true);
    await turns.stop();
    expect(taken).toHaveLength(3);
  });

  it('go on after one that failed', async () => {
    const failures: unknown[] = [];
    const taken: string[] = [];
    const turns = new Turns(
      async () => {
        if (taken.push('turn') === 1) throw new Error('the first');
        return false;
      },
      (error) => failures.push(error),
    );
    turns.start();
    await reached(failures, 1);
    turns.wake();
    await reached(taken, 2);
    await turns.stop();
    expect(failures).toEqual([new Error('the first')]);
  });

  it('end when stopped, after the one that is under way', async () => {
    const log: string[] = [];
    const turns = new Turns(async () => {
      log.push('begun');
      await new Promise((resolve) => setTimeout(resolve, 20));
      log.push('over');
      return true;
    }, fail);
    turns.start();
    await turns.stop();
    log.push('stopped');
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(log).toEqual(['begun', 'over', 'stopped']);
  });
});

function fail(error: unknown): never {
  throw error;
}

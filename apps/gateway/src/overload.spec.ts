import { Overload } from './overload.js';

/** An event loop whose clock stands still but for what requests, answers and rests take. */
class Loop {
  private now_ms = 1_000;
  private idle_ms = 0;
  private ended: (() => void)[] = [];
  readonly overload: Overload;

  constructor(budget_ms = 50) {
    this.overload = new Overload(budget_ms, 0, {
      now: () => this.now_ms,
      idle: () => this.idle_ms,
      afterPass: (ended) => void this.ended.push(ended),
    });
  }

  rest(ms: number): void {
    this.now_ms += ms;
    this.idle_ms += ms;
  }

  /** Work that is no request: what services answered. */
  work(ms: number): void {
    this.now_ms += ms;
  }

  /** Reads so many requests that take `each_ms`, 0.1 ms where they are refused; answers with how many were accepted. */
  pass(requests: number, each_ms: number): number {
    let accepted = 0;
    for (let request = 0; request < requests; request++) {
      const refused = this.overload.refuses();
      if (!refused) accepted += 1;
      this.now_ms += refused ? 0.1 : each_ms;
    }
    for (const end of this.ended.splice(0)) end();
    return accepted;
  }
}

describe('overload', () => {
  it('is none while every pass ends in time, whatever comes in the long run', () => {
    const loop = new Loop();
    for (let passes = 0; passes < 1_000; passes++) expect(loop.pass(49, 1)).toBe(49);
  });

  it('is none for one long pass, also the first after a rest', () => {
    const loop = new Loop();
    loop.pass(1, 1);
    expect(loop.pass(4, 150)).toBe(4);
    loop.rest(60_000);
    expect(loop.pass(4, 150)).toBe(4);
  });

  it('is none where every long pass comes after a rest', () => {
    const loop = new Loop();
    for (let passes = 0; passes < 100; passes++) {
      loop.rest(10);
      expect(loop.pass(4, 150)).toBe(4);
    }
  });

  it('is none for one pause, however long', () => {
    const loop = new Loop();
    loop.pass(1, 1);
    loop.work(5_000);
    expect(loop.pass(40, 1)).toBe(40);
    expect(loop.pass(40, 1)).toBe(40);
  });

  it('is told of also where the answers of services take the time between passes', () => {
    const loop = new Loop();
    loop.pass(1, 1);
    for (let passes = 0; passes < 20; passes++) {
      loop.work(60);
      loop.pass(10, 1);
    }
    loop.work(60);
    expect(loop.pass(10, 1)).toBe(0);
    loop.work(10);
    loop.pass(10, 1);
    loop.work(60);
    expect(loop.pass(10, 1)).toBe(10);
  });

  it('lets only as many in as can be answered in the budget once passes have been too long for half a second', () => {
    const loop = new Loop();
    loop.pass(1, 1);
    for (let passes = 0; passes < 4; passes++) loop.pass(150, 1);
    for (let passes = 0; passes < 20; passes++) expect(loop.pass(500, 1)).toBe(51);
  });

  it('ends with the first pass that ends in time', () => {
    const loop = new Loop();
    for (let passes = 0; passes < 10; passes++) loop.pass(150, 1);
    expect(loop.pass(150, 1)).toBe(51);
    loop.pass(10, 1);
    expect(loop.pass(150, 1)).toBe(150);
  });

  it('is never told of with a budget of 0', () => {
    const loop = new Loop(0);
    for (let passes = 0; passes < 100; passes++) expect(loop.pass(500, 10)).toBe(500);
  });

  it('is told of while too many requests are under way, and no longer', () => {
    const overload = new Overload(0, 2);
    const [one, another] = [{}, {}];
    overload.entered(one);
    expect(overload.refuses()).toBe(false);
    overload.entered(another);
    expect(overload.refuses()).toBe(true);
    overload.left(one);
    expect(overload.refuses()).toBe(false);
  });

  it('counts what was under way of a connection that is gone no more, whatever is still made of it', () => {
    const overload = new Overload(0, 2);
    const [one, another] = [{}, {}];
    overload.entered(one);
    overload.entered(one);
    expect(overload.refuses()).toBe(true);
    overload.gone(one);
    expect(overload.refuses()).toBe(false);
    overload.left(one);
    overload.left(one);
    overload.entered(another);
    overload.entered(another);
    expect(overload.refuses()).toBe(true);
  });
});

import { fc } from '#testing/property.js';
import { RateLimit } from './rate-limit.js';

/** Whether a request may go on; if so it is counted. */
function passes(limit: RateLimit, subject: string, now_ms: number): boolean {
  if (limit.waitSeconds(subject, now_ms) > 0) return false;
  limit.spend(subject, now_ms);
  return true;
}

describe('a rate limit', () => {
  it('lets as many through as it says in a second, and tells the others to wait', () => {
    const limit = new RateLimit(3);
    expect([0, 0, 0, 0].map((now) => passes(limit, 'a', now))).toEqual([true, true, true, false]);
    expect(limit.waitSeconds('a', 0)).toBe(1);
    expect(passes(limit, 'b', 0)).toBe(true);
    expect(passes(limit, 'a', 334)).toBe(true);
    expect(passes(limit, 'a', 335)).toBe(false);
  });

  it('tells how long a slow bucket takes to have one more', () => {
    const limit = new RateLimit(0.1, 2);
    for (let count = 0; count < 2; count++) limit.spend('a', 0);
    expect([0, 1_000, 9_999, 10_000].map((now) => limit.waitSeconds('a', now))).toEqual([10, 9, 1, 0]);
  });

  const steps = fc.array(fc.nat(700), { minLength: 1, maxLength: 200 });

  it('never lets more through than one burst and its rate', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), steps, (perSecond, pauses) => {
        const limit = new RateLimit(perSecond);
        let now = 0;
        let passed = 0;
        for (const pause of pauses) {
          now += pause;
          if (passes(limit, 'a', now)) passed += 1;
        }
        expect(passed).toBeLessThanOrEqual(perSecond + (now / 1000) * perSecond);
      }),
    );
  });

  it('of several gateways that tell each other lets no more through together than their bursts and one rate', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 2, max: 4 }), steps, (perSecond, count, pauses) => {
        const gateways = Array.from({ length: count }, () => new RateLimit(perSecond));
        const tellEveryMs = 200;
        let [now, told, passed] = [0, 0, 0];
        for (const [index, pause] of pauses.entries()) {
          now += pause;
          if (now - told >= tellEveryMs) {
            told = now;
            const spent = gateways.map((gateway) => gateway.takeUntold());
            gateways.forEach((gateway, at) => spent.forEach((of, from) => from !== at && gateway.spentElsewhere(of, now)));
          }
          for (let tries = 0; tries < 3; tries++) if (passes(gateways[(index + tries) % count]!, 'a', now)) passed += 1;
        }
        expect(passed).toBeLessThanOrEqual(perSecond * count + (now / 1000) * perSecond + 1e-6);
      }),
    );
  });

  it('tells each thing that was spent once', () => {
    const limit = new RateLimit(10);
    for (const subject of ['a', 'b', 'a']) limit.spend(subject, 0);
    expect(limit.takeUntold()).toEqual([
      ['a', 2],
      ['b', 1],
    ]);
    limit.spend('a', 0);
    limit.spentElsewhere([['b', 5]], 0);
    expect([limit.takeUntold(), limit.takeUntold()]).toEqual([[['a', 1]], []]);
  });

  it('of 0 is none, and remembers nobody', () => {
    const limit = new RateLimit(0);
    for (let count = 0; count < 1_000; count++) expect(passes(limit, 'a', 0)).toBe(true);
    limit.spentElsewhere([['a', 1_000]], 0);
    expect([limit.isIdle, limit.takeUntold()]).toEqual([true, []]);
  });

  it('remembers the latest 10,000 alone', () => {
    const limit = new RateLimit(1);
    for (let count = 0; count <= 10_000; count++) limit.spend(`address ${count}`, 0);
    expect([limit.waitSeconds('address 0', 0), limit.waitSeconds('address 1', 0)]).toEqual([0, 1]);
  });
});

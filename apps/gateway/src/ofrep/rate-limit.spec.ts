import { fc } from '#testing/property.js';
import { RateLimit } from './rate-limit.js';

describe('a rate limit', () => {
  it('lets as many through as it says in a second, and tells the others to wait', () => {
    const limit = new RateLimit(3);
    expect([0, 0, 0, 0].map((now) => limit.waitSeconds('a', now))).toEqual([0, 0, 0, 1]);
    expect(limit.waitSeconds('b', 0)).toBe(0);
    expect(limit.waitSeconds('a', 334)).toBe(0);
    expect(limit.waitSeconds('a', 335)).toBe(1);
  });

  it('never lets more through than one burst and its rate', () => {
    const steps = fc.array(fc.nat(700), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), steps, (perSecond, pauses) => {
        const limit = new RateLimit(perSecond);
        let now = 0;
        let passed = 0;
        for (const pause of pauses) {
          now += pause;
          if (limit.waitSeconds('a', now) === 0) passed += 1;
        }
        expect(passed).toBeLessThanOrEqual(perSecond + (now / 1000) * perSecond);
      }),
    );
  });

  it('of 0 is none', () => {
    const limit = new RateLimit(0);
    for (let count = 0; count < 1_000; count++) expect(limit.waitSeconds('a', 0)).toBe(0);
  });
});

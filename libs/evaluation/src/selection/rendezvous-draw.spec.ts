import { fc } from '#testing/property.js';
import { Draw, type Lot, sharesOf } from './rendezvous-draw.js';

const keys = Array.from({ length: 20_000 }, (_, index) => `user-${index}`);
const first = (key: string, lots: Lot[]): string => new Draw('salt', lots).first(key)!;

it('draws each lot as often as its weight says', () => {
  const lots: Lot[] = [
    ['a', 90],
    ['b', 10],
    ['c', 0],
  ];
  const drawn = new Map<string, number>();
  for (const key of keys) drawn.set(first(key, lots), (drawn.get(first(key, lots)) ?? 0) + 1);
  expect(drawn.get('c')).toBeUndefined();
  expect(drawn.get('b')! / keys.length).toBeCloseTo(0.1, 1);
  expect([...sharesOf(lots)]).toEqual([
    ['a', 0.9],
    ['b', 0.1],
    ['c', 0],
  ]);
});

it('draws evenly where nothing has a weight', () => {
  const share =
    keys.filter(
      (key) =>
        first(key, [
          ['a', 0],
          ['b', 0],
        ]) === 'a',
    ).length / keys.length;
  expect(share).toBeGreaterThan(0.48);
  expect(share).toBeLessThan(0.52);
  expect([
    ...sharesOf([
      ['a', 0],
      ['b', 0],
    ]),
  ]).toEqual([
    ['a', 0.5],
    ['b', 0.5],
  ]);
});

const lotsOf = fc.uniqueArray(fc.tuple(fc.string({ minLength: 1, maxLength: 8 }), fc.nat(100)), {
  minLength: 2,
  maxLength: 6,
  selector: ([id]) => id,
});

it('moves the keys of a lot that is taken away and no others', () => {
  fc.assert(
    fc.property(lotsOf, fc.string(), (lots, key) => {
      const order = new Draw('salt', lots).order(key);
      expect(order[0]).toBe(first(key, lots));
      expect([...order].sort()).toEqual(lots.map(([id]) => id).sort());
      for (const gone of order.slice(1)) {
        const left = lots.filter(([id]) => id !== gone);
        // Where no weight is left all are alike, which is another draw.
        if (left.some(([, weight]) => weight > 0) === lots.some(([, weight]) => weight > 0)) expect(first(key, left)).toBe(order[0]);
      }
    }),
  );
});

it('moves keys to a lot that becomes heavier alone', () => {
  fc.assert(
    fc.property(lotsOf, fc.string(), fc.integer({ min: 1, max: 100 }), (lots, key, more) => {
      const [[heavier, weight], ...others] = lots as unknown as [Lot, ...Lot[]];
      if (!others.some(([, other]) => other > 0)) return;
      const [before, after] = [first(key, lots), first(key, [[heavier, weight + more], ...others])];
      if (after !== before) expect(after).toBe(heavier);
    }),
  );
});

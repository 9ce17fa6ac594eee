import { fc } from '#testing/property.js';
import { SortedRecords } from './sorted-records.js';

const change = fc.record({ adds: fc.boolean(), value: fc.nat(60) });

describe('sorted records', () => {
  it('give what sorting all of them gives, from any place, in both directions, however they came and went', () => {
    const many = fc.array(change, { maxLength: 120 });
    fc.assert(
      fc.property(many, fc.option(fc.nat(60), { nil: undefined }), fc.boolean(), fc.nat(20), (changes, place, descending, count) => {
        const sorted = new SortedRecords<{ value: number }>((a, b) => a.value - b.value);
        const held = new Map<number, { value: number }>();
        for (const { adds, value } of changes) {
          const before = held.get(value);
          if (before) sorted.remove(before);
          held.delete(value);
          if (!adds) continue;
          const record = { value };
          held.set(value, record);
          sorted.add(record);
        }
        const isEven = ({ value }: { value: number }): boolean => value % 2 === 0;
        const after = place === undefined ? undefined : (record: { value: number }) => record.value - place;
        const beyond = (value: number): boolean => place === undefined || (descending ? value < place : value > place);
        const expected = [...held.keys()].sort((a, b) => (descending ? b - a : a - b)).filter((value) => value % 2 === 0 && beyond(value));
        const found = sorted.take(count, isEven, { after, descending });
        expect(found.map(({ value }) => value)).toEqual(expected.slice(0, count));
      }),
    );
  });
});

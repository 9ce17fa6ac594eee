import { fc } from '#testing/property.js';
import { lastCsvEnd } from './csv.js';
import { BadRow, lastRowEnd, readRows, type RowsRead } from './rows.js';

const start = { bytes: 0, rows: 0, columns: null };
const csv = (text: string | Buffer): RowsRead => readRows('csv', Buffer.from(text as string), start);
const ndjson = (text: string | Buffer): RowsRead => readRows('ndjson', Buffer.from(text as string), start);

function problemOf(read: () => unknown): { field: string; value?: unknown; accepted: string } {
  try {
    read();
  } catch (error) {
    if (error instanceof BadRow) return error.problem;
    throw error;
  }
  throw new Error('it was read');
}

describe('a CSV', () => {
  it('has a header and values of the types that JSON would give them', () => {
    const { rows, columns } = csv('name,at_bats,out,note\r\n"Ruth, ""Babe""",4.5e1,true,\r\n007,-0.5,"true","12"\n');
    expect(columns).toEqual(['name', 'at_bats', 'out', 'note']);
    expect(rows).toEqual([
      { name: 'Ruth, "Babe"', at_bats: 45, out: true, note: null },
      { name: '007', at_bats: -0.5, out: 'true', note: '12' },
    ]);
  });

  it('may have lines inside quotes, a byte order mark, one column, and no line break at its end', () => {
    expect(csv('\ufeffa\n"two\r\nlines"\n\n1').rows).toEqual([{ a: 'two\r\nlines' }, { a: null }, { a: 1 }]);
  });

  it.each<[string | Buffer, string]>([
    ['a,b\n1,2\n3\n', 'row 2'],
    ['a,b\n1,2,3\n', 'row 1'],
    ['a,b\n\n', 'row 1'],
    ['a\nx"y\n', 'row 1'],
    ['a\n"x"y\n', 'row 1'],
    ['a\n"x\n', 'row 1'],
    ['a\nx\ry\n', 'row 1'],
    ['a\n1\nx\0y\n', 'row 2'],
    [Buffer.from([0x61, 0x0a, 0xff, 0x0a]), 'row 1'],
    ['a,a\n1,2\n', 'header'],
    ['a,\n1,2\n', 'header'],
    ['"a\n', 'header'],
    ['__proto__\n1\n', 'header'],
    [`${'x'.repeat(201)}\n1\n`, 'header'],
    [`${Array.from({ length: 1001 }, (_, index) => `c${index}`).join(',')}\n`, 'header'],
  ])('%j is refused by its %s', (text, field) => {
    const problem = problemOf(() => csv(text));
    expect(problem.field).toBe(field);
    expect(problem.accepted).not.toBe('');
  });
});

describe('NDJSON', () => {
  it('is an object a line, blank lines aside', () => {
    expect(ndjson('{"a":1}\r\n\n {"b":[null]} \n{"c":"é"}')).toEqual({ rows: [{ a: 1 }, { b: [null] }, { c: 'é' }], columns: ['a'] });
  });

  it.each<[string | Buffer, string]>([
    ['{"a":1}\n{"a":\n', 'row 2'],
    ['[1]\n', 'row 1'],
    ['null\n', 'row 1'],
    ['{"a":1e999}\n', 'row 1'],
    ['{"a":"\\u0000"}\n', 'row 1'],
    ['{"a":"\\ud800"}\n', 'row 1'],
    [`${'['.repeat(50_000)}\n`, 'row 1'],
    [`{"a":${'['.repeat(40)}${']'.repeat(40)}}\n`, 'row 1'],
    ['{"__proto__":{"admin":true}}\n', 'row 1'],
    [Buffer.from([0x22, 0xff, 0x22]), 'row 1'],
  ])('%j is refused by its %s', (text, field) => {
    expect(problemOf(() => ndjson(text)).field).toBe(field);
  });
});

describe('rows in pieces', () => {
  const cell = fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('"', '\r\n', '\n', ',', '""', '7', 'true', ''));
  const escaped = (text: string): string => `"${text.replaceAll('"', '""')}"`;

  it('are the same rows wherever the bytes are cut', () => {
    const rows = fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(rows, fc.array(fc.nat(200), { maxLength: 6 }), (values, cuts) => {
        const clean = values.map((row) => row.map((text) => text.replaceAll('\0', '')));
        const bytes = Buffer.from(['a,b', ...clean.map((row) => row.map(escaped).join(','))].join('\r\n'));
        const places = [0, ...cuts.map((cut) => cut % bytes.length).sort((a, b) => a - b), bytes.length];
        let before: { bytes: number; rows: number; columns: string[] | null } = start;
        let left: Buffer = Buffer.alloc(0);
        const read: unknown[] = [];
        const take = (piece: Buffer): void => {
          const { rows: found, columns } = readRows('csv', piece, before);
          read.push(...found);
          before = { bytes: before.bytes + piece.length, rows: before.rows + found.length, columns };
        };
        for (let index = 1; index < places.length; index++) {
          const all = Buffer.concat([left, bytes.subarray(places[index - 1], places[index])]);
          const end = lastRowEnd('csv', all);
          take(all.subarray(0, end));
          left = all.subarray(end);
        }
        take(left);
        expect(read).toEqual(clean.map(([a, b]) => ({ a, b })));
      }),
    );
  });

  it('end where no quote is open', () => {
    expect(lastCsvEnd(Buffer.from('a\n"b\nc'))).toBe(2);
    expect(lastRowEnd('ndjson', Buffer.from('{}\n{'))).toBe(3);
    expect(lastRowEnd('ndjson', Buffer.from('{'))).toBe(0);
  });
});

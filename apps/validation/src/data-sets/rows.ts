import { isUtf8 } from 'node:buffer';
import { type DataSetFormat } from '#contracts/data-set.js';
import { type FieldProblem } from '#contracts/errors.js';
import { isPlainJson } from '#contracts/fields.js';
import { type Cell, csvRecords, lastCsvEnd, valueOf } from './csv.js';
import { RowError } from './row-error.js';

export type Row = Record<string, unknown>;

export const maxRowBytes = 256_000;
const maxColumns = 1_000;
const maxColumnLength = 200;

const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

/** A row that a data set cannot have, as a field of INVALID_INPUT. */
export class BadRow extends Error {
  constructor(readonly problem: FieldProblem) {
    super(problem.accepted);
  }
}

/** Where the last whole row of these bytes ends, which begin with one; 0 when none does. */
export const lastRowEnd = (format: DataSetFormat, bytes: Buffer): number =>
  format === 'csv' ? lastCsvEnd(bytes) : bytes.lastIndexOf(0x0a) + 1;

/** Decoded as a whole, which is much faster; where that is no UTF-8, up to the line at fault. */
function* linesOf(bytes: Buffer): Generator<Row> {
  const isText = isUtf8(bytes);
  const text = isText ? bytes.toString('utf8') : '';
  const find = (from: number): number => (isText ? text.indexOf('\n', from) : bytes.indexOf(0x0a, from));
  for (let start = 0, end = 0; end >= 0; start = end + 1) {
    end = find(start);
    const line = isText ? text.slice(start, end < 0 ? undefined : end) : lineOf(bytes.subarray(start, end < 0 ? undefined : end));
    if (line.trim() !== '') yield objectOf(line);
  }
}

function lineOf(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new RowError('is not UTF-8', 'text in UTF-8');
  return bytes.toString('utf8');
}

function objectOf(text: string): Row {
  const accepted = 'a JSON object of at most 32 levels, without NUL, on a line of its own';
  let row: unknown;
  try {
    row = JSON.parse(text);
  } catch {
    throw new RowError('is not JSON', accepted);
  }
  if (typeof row !== 'object' || row === null || Array.isArray(row)) throw new RowError('is no object', accepted);
  if (!isPlainJson(row)) throw new RowError('is nested too deeply, or holds a NUL, a lone surrogate or a number out of range', accepted);
  if (Object.hasOwn(row, '__proto__')) throw new RowError('has the key __proto__', 'other keys');
  return row as Row;
}

function headerOf(cells: Cell[]): string[] {
  const names = cells.map(({ text }) => text);
  const accepted = `1 to ${maxColumns} different names of 1 to ${maxColumnLength} characters`;
  const isName = (name: string): boolean => name !== '' && name.length <= maxColumnLength && !name.includes('\0') && name !== '__proto__';
  if (names.length > maxColumns || !names.every(isName) || new Set(names).size < names.length)
    throw new BadRow({ field: 'header', value: names.join(',').slice(0, 100), accepted });
  return names;
}

function rowOf(columns: string[], cells: Cell[]): Row {
  if (cells.length !== columns.length) throw new RowError(`has ${cells.length} values`, `${columns.length} values, as many as the header`);
  if (cells.some(({ text }) => text.includes('\0'))) throw new RowError('holds a NUL', 'text without NUL');
  return Object.fromEntries(cells.map((cell, index) => [columns[index]!, valueOf(cell)]));
}

export interface RowsRead {
  rows: Row[];
  /** Of a CSV, or the keys of the first row; null as long as there was neither. */
  columns: string[] | null;
}

/**
 * The rows of bytes that hold whole ones. `before`: what the bytes before held; with 0 bytes before, a byte order mark is left out and a CSV's first
 * record is its header. Throws BadRow, whose row is counted from 1 in the whole data set.
 */
export function readRows(
  format: DataSetFormat,
  bytes: Buffer,
  before: { bytes: number; rows: number; columns: string[] | null },
): RowsRead {
  const content = before.bytes === 0 && bytes.subarray(0, 3).equals(byteOrderMark) ? bytes.subarray(3) : bytes;
  const rows: Row[] = [];
  let { columns } = before;
  try {
    if (format === 'csv') {
      for (const cells of csvRecords(content)) {
        if (columns === null) columns = headerOf(cells);
        else rows.push(rowOf(columns, cells));
      }
    } else {
      for (const row of linesOf(content)) {
        columns ??= Object.keys(row)
          .filter((name) => name.length <= maxColumnLength)
          .slice(0, maxColumns);
        rows.push(row);
      }
    }
  } catch (error) {
    if (!(error instanceof RowError)) throw error;
    const isHeader = format === 'csv' && columns === null;
    const field = isHeader ? 'header' : `row ${before.rows + rows.length + 1}`;
    throw new BadRow({ field, value: `(${error.problem})`, accepted: error.accepted });
  }
  return { rows, columns };
}

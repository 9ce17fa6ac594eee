import { isUtf8 } from 'node:buffer';
import { RowError } from './row-error.js';

/** One value of a CSV record; what is quoted is always text. */
export interface Cell {
  text: string;
  quoted: boolean;
}

const quote = 0x22;
const lineFeed = 0x0a;

/** Where the last whole record of these bytes ends, which begin with a record; 0 when none does. */
export function lastCsvEnd(bytes: Buffer): number {
  let end = 0;
  let quoted = false;
  for (let at = 0; at < bytes.length; at++) {
    // An escaped quote, "", closes and opens again.
    if (bytes[at] === quote) quoted = !quoted;
    else if (bytes[at] === lineFeed && !quoted) end = at + 1;
  }
  return end;
}

/** The cells of one record's text. Throws RowError with the place. */
function cellsOf(text: string): Cell[] {
  const cells: Cell[] = [];
  for (let at = 0; ;) {
    const { cell, end } = text[at] === '"' ? quotedCell(text, at) : plainCell(text, at);
    cells.push(cell);
    if (end === text.length) return cells;
    if (text[end] !== ',')
      throw new RowError(`has ${JSON.stringify(text[end])} after the closing quote of value ${cells.length}`, 'a comma there');
    at = end + 1;
  }
}

function plainCell(text: string, from: number): { cell: Cell; end: number } {
  const comma = text.indexOf(',', from);
  const end = comma < 0 ? text.length : comma;
  const value = text.slice(from, end);
  if (value.includes('"'))
    throw new RowError('has a quote inside a value that is not quoted', 'such a value in quotes, its quotes doubled');
  if (value.includes('\r')) throw new RowError('has a carriage return inside a value that is not quoted', 'such a value in quotes');
  return { cell: { text: value, quoted: false }, end };
}

function quotedCell(text: string, from: number): { cell: Cell; end: number } {
  for (let at = from + 1; ; at += 2) {
    at = text.indexOf('"', at);
    if (at < 0) throw new RowError('has a quote that is not closed', 'a closing quote');
    if (text[at + 1] !== '"') return { cell: { text: text.slice(from + 1, at).replaceAll('""', '"'), quoted: true }, end: at + 1 };
  }
}

/** The records of bytes that hold whole ones (RFC 4180; lines end with CRLF or LF, the last one may end without). Throws RowError. */
export function* csvRecords(bytes: Buffer): Generator<Cell[]> {
  let start = 0;
  while (start < bytes.length) {
    const end = recordEnd(bytes, start);
    const record = bytes.subarray(start, end);
    if (!isUtf8(record)) throw new RowError('is not UTF-8', 'text in UTF-8');
    yield cellsOf(record.toString('utf8').replace(/\r?\n$/, ''));
    start = end;
  }
}

function recordEnd(bytes: Buffer, start: number): number {
  let quoted = false;
  for (let at = start; at < bytes.length; at++) {
    if (bytes[at] === quote) quoted = !quoted;
    else if (bytes[at] === lineFeed && !quoted) return at + 1;
  }
  return bytes.length;
}

const jsonNumber = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;

/** Numbers as JSON writes them, true and false are what they say, nothing is null; all else, and all that is quoted, is text. */
export function valueOf({ text, quoted }: Cell): string | number | boolean | null {
  if (quoted) return text;
  if (text === '') return null;
  if (text === 'true' || text === 'false') return text === 'true';
  return jsonNumber.test(text) && Number.isFinite(Number(text)) ? Number(text) : text;
}

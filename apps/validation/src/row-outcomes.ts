import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { type RowOutcome } from './judging/rows.js';

const compressed = promisify(gzip);
const uncompressed = promisify(gunzip);

/** Column by column: what is alike stands together and takes little room once it is compressed. */
interface Columns {
  row: number[];
  label: RowOutcome['label'][];
  prediction: RowOutcome['prediction'][];
  /** Null: the case has no scores. */
  score: number[] | null;
}

/** Outcomes as they are stored: compressed JSON of their columns, a few bytes a row. */
export async function packed(outcomes: RowOutcome[]): Promise<Buffer> {
  const columns: Columns = {
    row: outcomes.map(({ row }) => row),
    label: outcomes.map(({ label }) => label),
    prediction: outcomes.map(({ prediction }) => prediction),
    score: outcomes.some(({ score }) => score !== undefined) ? outcomes.map(({ score }) => score ?? 0) : null,
  };
  await setImmediate();
  return compressed(JSON.stringify(columns));
}

export async function unpacked(stored: Buffer): Promise<RowOutcome[]> {
  const { row, label, prediction, score } = JSON.parse((await uncompressed(stored)).toString()) as Columns;
  await setImmediate();
  return row.map((number, index) => ({
    row: number,
    label: label[index]!,
    prediction: prediction[index]!,
    ...(score && { score: score[index]! }),
  }));
}

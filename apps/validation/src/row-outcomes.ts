import { gunzipSync, gzipSync } from 'node:zlib';
import { type RowOutcome } from './judging/rows.js';

/** Column by column: what is alike stands together and takes little room once it is compressed. */
interface Columns {
  row: number[];
  label: RowOutcome['label'][];
  prediction: RowOutcome['prediction'][];
  /** Null: the case has no scores. */
  score: number[] | null;
}

/** Outcomes as they are stored: compressed JSON of their columns, a few bytes a row. */
export function packed(outcomes: RowOutcome[]): Buffer {
  const columns: Columns = {
    row: outcomes.map(({ row }) => row),
    label: outcomes.map(({ label }) => label),
    prediction: outcomes.map(({ prediction }) => prediction),
    score: outcomes.some(({ score }) => score !== undefined) ? outcomes.map(({ score }) => score ?? 0) : null,
  };
  return gzipSync(JSON.stringify(columns));
}

export function unpacked(stored: Buffer): RowOutcome[] {
  const { row, label, prediction, score } = JSON.parse(gunzipSync(stored).toString()) as Columns;
  return row.map((number, index) => ({
    row: number,
    label: label[index]!,
    prediction: prediction[index]!,
    ...(score && { score: score[index]! }),
  }));
}

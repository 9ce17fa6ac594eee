import { type RowsJudged } from '#contracts/case-result.js';
import { type JsonValue } from '#contracts/fields.js';
import { parsePath, valueAt } from '#contracts/json-path.js';
import { type CaseData } from '#contracts/test-case.js';
import { filled, TemplateError } from '#contracts/template.js';
import { InvokeError } from '../calling/invoke-error.js';
import { type Invoker } from '../calling/invoker.js';

const defaultConcurrency = 8;
/** After so many rows that could not be judged the rest would not make a judgement either. */
const maxErrors = 50;

export interface NumberedRow {
  /** From 1. */
  row: number;
  values: Record<string, unknown>;
}

type Value = string | number | boolean;

/** What is right of a row, and what the model said. */
export interface RowOutcome {
  row: number;
  label: Value;
  prediction: Value;
  /** The probability that it gave; absent where the case has no path to one. */
  score?: number;
}

const isValue = (value: unknown): value is Value => ['string', 'number', 'boolean'].includes(typeof value);

/** The row, not the model, is at fault. */
class RowProblem extends Error {}

export interface JudgedRows {
  /** Of the rows that could be judged, in their order. */
  outcomes: RowOutcome[];
  rows_judged: RowsJudged;
  /** Says of the first row that could not be judged why; null when all could. */
  firstError: string | null;
}

/**
 * Asks the model about rows, some at a time, and holds nothing of them but labels and predictions. Stops after 50 that cannot be judged. Throws the
 * InvokeError CANCELLED when it is called off.
 */
export async function judgeRows(
  { test_case_id, input, data }: { test_case_id: string; input: JsonValue | null; data: CaseData },
  rows: AsyncGenerator<NumberedRow>,
  invoker: Invoker,
  signal: AbortSignal,
): Promise<JudgedRows> {
  const [labelPath, predictionPath, scorePath] = [data.label_path, data.prediction_path, data.score_path ?? null].map((path) =>
    path === null ? null : (parsePath(path) ?? []),
  );
  const outcomes: RowOutcome[] = [];
  const error_codes: Record<string, number> = {};
  const failures: { row: number; reason: string }[] = [];
  let asked = 0;

  function requestOf(values: NumberedRow['values']): { label: Value; request: JsonValue } {
    const label = valueAt(values, labelPath!);
    if (!isValue(label)) throw new RowProblem(`there is no text, number, true or false at ${data.label_path}`);
    try {
      return { label, request: filled(input, { row: values }) };
    } catch (error) {
      throw error instanceof TemplateError ? new RowProblem(error.message) : error;
    }
  }

  async function judgeRow({ row, values }: NumberedRow): Promise<RowOutcome> {
    const { label, request } = requestOf(values);
    const { answer, status } = await invoker.call(request, `${test_case_id}.${row}`, signal);
    const prediction = valueAt(answer, predictionPath!);
    const invalid = (what: string, path: string): InvokeError =>
      new InvokeError('INVALID_ANSWER', `The answer has no ${what} at ${path}`, status);
    if (!isValue(prediction)) throw invalid('text, number, true or false', data.prediction_path);
    if (!scorePath) return { row, label, prediction };
    const score = valueAt(answer, scorePath);
    if (typeof score !== 'number') throw invalid('number', data.score_path ?? '');
    return { row, label, prediction, score };
  }

  function failed(row: number, code: string, message: string): void {
    error_codes[code] = (error_codes[code] ?? 0) + 1;
    failures.push({ row, reason: `row ${row}: ${code}: ${message}` });
  }

  const asker = async (): Promise<void> => {
    while (!signal.aborted && failures.length < maxErrors) {
      // Calls of next() on one generator are answered one after the other.
      const next = await rows.next();
      if (next.done) return;
      asked += 1;
      try {
        outcomes.push(await judgeRow(next.value));
      } catch (error) {
        if (error instanceof RowProblem) failed(next.value.row, 'INVALID_ROW', error.message);
        else if (error instanceof InvokeError) failed(next.value.row, error.code, error.message);
        else throw error;
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: data.concurrency ?? defaultConcurrency }, asker));
  } finally {
    await rows.return(undefined);
  }
  if (signal.aborted) throw new InvokeError('CANCELLED', 'The case was called off');
  outcomes.sort((a, b) => a.row - b.row);
  failures.sort((a, b) => a.row - b.row);
  const rows_judged = { data_set_id: data.data_set_id, rows: asked, errors: failures.length, error_codes };
  return { outcomes, rows_judged, firstError: failures[0]?.reason ?? null };
}

import { setMaxListeners } from 'node:events';
import { type CaseResult } from '#contracts/case-result.js';
import { type Check } from '#contracts/expectation.js';
import { type JsonValue } from '#contracts/fields.js';
import { parsePath, valueAt } from '#contracts/json-path.js';
import { type TestCase, type TestCaseType } from '#contracts/test-case.js';
import { filled, TemplateError } from '#contracts/template.js';
import { InvokeError } from '../calling/invoke-error.js';
import { type Invoker } from '../calling/invoker.js';
import { figuresSteps } from '../comparing/metrics.js';
import { inTurns } from '../comparing/turns.js';
import { judge } from './expectation.js';
import { limitChecks, measure } from './load.js';
import { judgeRows, type NumberedRow, type RowOutcome } from './rows.js';

/** A case as its judging needs it. */
export type JudgedCase = Pick<
  TestCase,
  'test_case_id' | 'type' | 'input' | 'expectations' | 'max_duration_ms' | 'steps' | 'load' | 'data'
> & {
  revision: number;
};

type Judged = Omit<CaseResult, 'test_case_id' | 'type' | 'revision'>;
/** What cases are judged with. */
export interface Means {
  invoker: Invoker;
  /** At most so many rows of a data set, always the same ones. */
  rows: (data_set_id: string, max_rows: number) => AsyncGenerator<NumberedRow>;
  /** Stores what the rows of a regression case came to, in the order of the rows. */
  keep: (test_case_id: string, data_set_id: string, outcomes: RowOutcome[]) => Promise<void>;
}

type Judge = (testCase: JudgedCase, means: Means, signal: AbortSignal) => Promise<Judged>;

const maxReason = 1_000;

const defaultMaxRows = 10_000;

/** How long one case may take, whatever it is made of. */
export const maxCaseMs = 300_000;

/** Passed when no check failed; the first that did is the reason. */
function judged(checks: Check[], duration_ms: number | null): Judged {
  const failed = checks.find(({ passed }) => !passed);
  if (!failed) return { outcome: 'passed', duration_ms, reason: '', checks };
  const where = failed.step === undefined ? failed.path : `step ${failed.step}, ${failed.path}`;
  return { outcome: 'failed', duration_ms, reason: `${where}: ${failed.reason}`.slice(0, maxReason), checks };
}

const unjudged = (reason: string, checks: Check[] = [], duration_ms: number | null = null): Judged => ({
  outcome: 'error',
  duration_ms,
  reason: reason.slice(0, maxReason),
  checks,
});

const said = ({ code, message }: InvokeError): string => `${code}: ${message}`;

/** The values that a step's answer gives to later steps; a check that failed for each that is not there. */
function carriedFrom(
  answer: JsonValue,
  carry: TestCase['steps'][number]['carry'] = [],
): { values: Record<string, JsonValue>; missing: Check[] } {
  const found = carry.map(({ name, path }) => ({ name, path, value: valueAt(answer, parsePath(path) ?? []) as JsonValue | undefined }));
  return {
    values: Object.fromEntries(found.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]]))),
    missing: found
      .filter(({ value }) => value === undefined)
      .map(({ name, path }) => {
        const reason = `there is no value at this path to carry on as ${name}`;
        return { path, op: 'carry', passed: false, expected: name, actual: null, reason };
      }),
  };
}

const judges: Record<TestCaseType, Judge> = {
  async unit({ test_case_id, input, expectations, max_duration_ms }, { invoker }, signal) {
    const { answer, duration_ms } = await invoker.call(input, test_case_id, signal);
    return judged(judge({ expectations, max_duration_ms }, answer, duration_ms).checks, duration_ms);
  },

  /** Ends with the first step that fails: what comes after rests on it. */
  async integration({ test_case_id, steps }, { invoker }, signal) {
    const carried: Record<string, JsonValue> = {};
    const checks: Check[] = [];
    let total_ms = 0;
    for (const [index, { input, expectations = [], max_duration_ms, carry }] of steps.entries()) {
      const step = index + 1;
      try {
        const { answer, duration_ms } = await invoker.call(filled(input, carried), `${test_case_id}.${step}`, signal);
        total_ms += duration_ms;
        const { values, missing } = carriedFrom(answer, carry);
        const made = [...judge({ expectations, max_duration_ms }, answer, duration_ms).checks, ...missing];
        checks.push(...made.map((check) => ({ step, ...check })));
        if (made.some(({ passed }) => !passed)) break;
        Object.assign(carried, values);
      } catch (error) {
        if (error instanceof InvokeError) return unjudged(`step ${step}: ${said(error)}`, checks, total_ms);
        if (error instanceof TemplateError) return unjudged(`step ${step}: INVALID_INPUT: ${error.message}`, checks, total_ms);
        throw error;
      }
    }
    return judged(checks, total_ms);
  },

  async smoke({ test_case_id, input, expectations, max_duration_ms }, { invoker }, signal) {
    const looks = await invoker.look(signal);
    const checks = looks.map(({ path, problem }) => {
      const passed = problem === null;
      return { path, op: 'smoke', passed, expected: 'well', actual: passed ? 'well' : 'not well', reason: problem ?? '' };
    });
    if (input === null) return checks.length ? judged(checks, null) : unjudged(noLook);
    // A server that says it is not ready is not asked for a prediction too.
    if (checks.some(({ passed }) => !passed)) return judged(checks, null);
    const { answer, duration_ms } = await invoker.call(input, test_case_id, signal);
    return judged([...checks, ...judge({ expectations, max_duration_ms }, answer, duration_ms).checks], duration_ms);
  },

  async performance({ test_case_id, input, expectations, load }, { invoker }, signal) {
    if (!load) return unjudged('INVALID_INPUT: the case has no load');
    const { measured, answered, firstError } = await measure(load, signal, async (number) => {
      const { answer, duration_ms } = await invoker.call(input, `${test_case_id}.${number}`, signal);
      return { duration_ms, good: judge({ expectations }, answer, duration_ms).checks.every(({ passed }) => passed) };
    });
    if (answered === 0) return { ...unjudged(`no request was answered: ${firstError ? said(firstError) : 'none was made'}`), measured };
    const result = judged(limitChecks(measured, load.limits ?? {}), measured.duration_ms);
    return { ...result, measured };
  },

  /** Passed when every row could be judged: what they say of the model is told by the metrics, against a baseline. */
  async regression({ test_case_id, input, data }, { invoker, rows, keep }, signal) {
    if (!data) return unjudged('INVALID_INPUT: the case has no data');
    const started = performance.now();
    const asked = rows(data.data_set_id, data.max_rows ?? defaultMaxRows);
    const { outcomes, rows_judged, firstError } = await judgeRows({ test_case_id, input, data }, asked, invoker, signal);
    await keep(test_case_id, data.data_set_id, outcomes);
    const duration_ms = performance.now() - started;
    if (firstError === null) return { ...judged([], duration_ms), rows_judged, ...(await inTurns(figuresSteps(data.metrics, outcomes))) };
    const { errors, rows: all } = rows_judged;
    return { ...unjudged(`${errors} of ${all} rows could not be judged; ${firstError}`, [], duration_ms), rows_judged };
  },
};

const noLook = 'INVALID_INPUT: http_json and nats have neither health nor metadata; a smoke case needs an input for them';

/**
 * Judges one case by its type. An InvokeError is an outcome, `error`; anything else that is thrown is a bug. `signal` calls it off: the result
 * is an `error` then.
 */
export async function judgeCase(testCase: JudgedCase, means: Means, signal: AbortSignal): Promise<CaseResult> {
  const { test_case_id, type, revision } = testCase;
  const timeLimit = AbortSignal.timeout(maxCaseMs);
  const either = AbortSignal.any([signal, timeLimit]);
  // Every call that is under way listens to it, up to fifty.
  setMaxListeners(0, either);
  try {
    const result = await judges[type](testCase, means, either);
    return { test_case_id, type, revision, ...result };
  } catch (error) {
    if (!(error instanceof InvokeError)) throw error;
    const late = timeLimit.aborted && !signal.aborted;
    const reason = late ? `TIMEOUT: the case took longer than ${maxCaseMs / 1000} s` : said(error);
    return { test_case_id, type, revision, ...unjudged(reason) };
  }
}

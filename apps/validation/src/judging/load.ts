import { type Measured } from '#contracts/case-result.js';
import { type Check } from '#contracts/expectation.js';
import { type Limits, type Load } from '#contracts/test-case.js';
import { maxValue, Sketch } from '#statistics/sketch.js';
import { InvokeError, type InvokeErrorCode } from '../calling/invoke-error.js';

/** Nothing was sent, and nothing would be by trying again: not the model's doing. */
const notSent = new Set<InvokeErrorCode>(['INVALID_INPUT', 'UNKNOWN_SECRET', 'INVALID_ADDRESS', 'ADDRESS_NOT_ALLOWED', 'CANCELLED']);

/** How one request went that was answered; `good`: as expected. */
export interface Answered {
  duration_ms: number;
  good: boolean;
}

const rounded = (value: number): number => Math.round(value * 1_000) / 1_000;

/**
 * Calls under load until its requests or its time are over, `concurrency` at a time; `call` is given the number of the request, from 1. Throws the
 * InvokeError of a call that could not be sent; other InvokeErrors are counted, the first of them is handed back.
 */
export async function measure(
  { concurrency, requests, duration_ms }: Load,
  signal: AbortSignal,
  call: (number: number) => Promise<Answered>,
): Promise<{ measured: Measured; answered: number; firstError: InvokeError | null }> {
  const sketch = new Sketch();
  const error_codes: Record<string, number> = {};
  const count = (code: string): number => (error_codes[code] = (error_codes[code] ?? 0) + 1);
  const started = performance.now();
  let [made, good, min_ms, max_ms] = [0, 0, Infinity, 0];
  let firstError: InvokeError | null = null;
  let fatal: { error: unknown } | null = null;

  const mayBegin = (): boolean =>
    !fatal && !signal.aborted && made < (requests ?? Infinity) && performance.now() - started < (duration_ms ?? Infinity);

  const caller = async (): Promise<void> => {
    while (mayBegin()) {
      try {
        const answered = await call(++made);
        const took = Math.min(answered.duration_ms, maxValue);
        sketch.add(took);
        min_ms = Math.min(min_ms, took);
        max_ms = Math.max(max_ms, took);
        if (answered.good) good += 1;
        else count('UNEXPECTED');
      } catch (error) {
        if (error instanceof InvokeError && !notSent.has(error.code)) {
          count(error.code);
          firstError ??= error;
        } else {
          fatal ??= { error };
        }
      }
    }
  };
  await Promise.all(Array.from({ length: concurrency }, caller));
  if (fatal) throw (fatal as { error: unknown }).error;
  if (signal.aborted) throw new InvokeError('CANCELLED', 'The case was called off');

  const took_ms = performance.now() - started;
  const quantile = (q: number): number => (sketch.count ? rounded(sketch.quantile(q, min_ms, max_ms)) : 0);
  const measured: Measured = {
    requests: made,
    errors: made - good,
    error_rate: made ? rounded((100 * (made - good)) / made) : 0,
    error_codes,
    duration_ms: rounded(took_ms),
    throughput: took_ms > 0 ? rounded((1_000 * good) / took_ms) : 0,
    p50_ms: quantile(0.5),
    p95_ms: quantile(0.95),
    p99_ms: quantile(0.99),
    min_ms: sketch.count ? rounded(min_ms) : 0,
    max_ms: rounded(max_ms),
    sketch: Buffer.from(sketch.serialise()).toString('base64'),
  };
  return { measured, answered: sketch.count, firstError };
}

/** One check for each limit; bad answers have one always, by default none are accepted. */
export function limitChecks(measured: Measured, { p50_ms, p95_ms, p99_ms, min_throughput, max_error_rate }: Limits): Check[] {
  const check = (
    path: keyof Measured & ('p50_ms' | 'p95_ms' | 'p99_ms' | 'throughput' | 'error_rate'),
    op: 'max' | 'min',
    limit: number,
  ): Check => {
    const actual = measured[path];
    const passed = op === 'max' ? actual <= limit : actual >= limit;
    return {
      path,
      op,
      passed,
      expected: limit,
      actual,
      reason: passed ? '' : `${actual} is ${op === 'max' ? 'more' : 'less'} than ${limit}`,
    };
  };
  return [
    check('error_rate', 'max', max_error_rate ?? 0),
    ...(typeof p50_ms === 'number' ? [check('p50_ms', 'max', p50_ms)] : []),
    ...(typeof p95_ms === 'number' ? [check('p95_ms', 'max', p95_ms)] : []),
    ...(typeof p99_ms === 'number' ? [check('p99_ms', 'max', p99_ms)] : []),
    ...(typeof min_throughput === 'number' ? [check('throughput', 'min', min_throughput)] : []),
  ];
}

/** One request of the trace, with what is derived of it. */
export interface TracedRequest {
  /** Milliseconds after the first request. */
  at_ms: number;
  /** Derived, not measured: see examples/trace/README.md. */
  timing_ms: number;
  /** Begins with the type it is counted under. */
  error: string | null;
}

const timeoutMs = 20_000;

/** 35 + 0.22 × context tokens + 28 × generated tokens, in milliseconds, to two decimals. */
export const derivedTiming = (contextTokens: number, generatedTokens: number): number =>
  Math.round((35 + 0.22 * contextTokens + 28 * generatedTokens) * 100) / 100;

function derivedError(generatedTokens: number, timing_ms: number): string | null {
  if (generatedTokens === 0) return 'model_error: no token was generated';
  return timing_ms > timeoutMs ? `timeout_error: no answer within ${timeoutMs} ms` : null;
}

const linePattern = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d\.\d{3})\d*,(\d{1,9}),(\d{1,9})$/;

/**
 * Reads lines `TIMESTAMP,ContextTokens,GeneratedTokens` in the order of time, below a header. Throws on a line of another form, naming it.
 */
export function parseTrace(csv: string): TracedRequest[] {
  const lines = csv.split(/\r?\n/).slice(1).filter(Boolean);
  let first: number | undefined;
  return lines.map((line, index) => {
    const [, day = '', time = '', context = '', generated = ''] = linePattern.exec(line) ?? [];
    const at = Date.parse(`${day}T${time}Z`);
    if (Number.isNaN(at)) throw new Error(`Line ${index + 2} of the trace is not TIMESTAMP,ContextTokens,GeneratedTokens`);
    first ??= at;
    const generatedTokens = Number(generated);
    const timing_ms = derivedTiming(Number(context), generatedTokens);
    return { at_ms: at - first, timing_ms, error: derivedError(generatedTokens, timing_ms) };
  });
}

/** The exact nearest-rank quantile, the ⌈q·n⌉-th smallest of the values; `q` 0..1. 0 without values. */
export function nearestRank(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? 0;
}

/** One request of the trace, with what is derived of it. */
export interface TracedRequest {
  /** Milliseconds after the first request. */
  at_ms: number;
  /** Derived, not measured: see examples/trace/README.md. */
  timing_ms: number;
  error: string | null;
}

const timeoutMs = 20_000;

/** 35 + 0.22 × context tokens + 28 × generated tokens, in milliseconds, to two decimals. */
export const derivedTiming = (contextTokens: number, generatedTokens: number): number =>
  Math.round((35 + 0.22 * contextTokens + 28 * generatedTokens) * 100) / 100;

function derivedError(generatedTokens: number, timing_ms: number): string | null {
  if (generatedTokens === 0) return 'model generated nothing';
  return timing_ms > timeoutMs ? `timeout after ${timeoutMs} ms` : null;
}

/** Reads `TIMESTAMP,ContextTokens,GeneratedTokens` lines under a header. Throws on a line that is not of that form. */
export function parseTrace(csv: string): TracedRequest[] {
  const lines = csv.split(/\r?\n/).slice(1).filter(Boolean);
  let first: number | undefined;
  return lines.map((line, index) => {
    const [timestamp = '', context = '', generated = ''] = line.split(',');
    const at = Date.parse(`${timestamp.slice(0, 23).replace(' ', 'T')}Z`);
    const [contextTokens, generatedTokens] = [Number(context), Number(generated)];
    if (Number.isNaN(at) || !Number.isSafeInteger(contextTokens) || !Number.isSafeInteger(generatedTokens) || generated === '') {
      throw new Error(`Line ${index + 2} of the trace is not TIMESTAMP,ContextTokens,GeneratedTokens`);
    }
    first ??= at;
    const timing_ms = derivedTiming(contextTokens, generatedTokens);
    return { at_ms: at - first, timing_ms, error: derivedError(generatedTokens, timing_ms) };
  });
}

/** The exact nearest-rank quantile of the values; `q` 0..1. */
export function nearestRank(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? 0;
}

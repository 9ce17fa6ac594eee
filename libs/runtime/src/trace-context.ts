/** A span, as it is named to others: W3C Trace Context, level 1. */
export interface SpanPlace {
  /** 32 hex digits, not all zero. */
  trace_id: string;
  /** 16 hex digits, not all zero. */
  span_id: string;
  /** Whether what belongs to it is to be recorded. */
  sampled: boolean;
}

export const traceHeader = 'traceparent';

const pattern = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** Null for what is no `traceparent`: anyone may send one, and whatever is wrong with it a new trace begins. */
export function placeOf(header: string | undefined): SpanPlace | null {
  // Later versions may be longer.
  const [, version, trace_id, span_id, flags, rest] = (header && header.length <= 100 && pattern.exec(header)) || [];
  if (!trace_id || !span_id || version === 'ff' || (version === '00' && rest !== undefined)) return null;
  if (/^0+$/.test(trace_id) || /^0+$/.test(span_id)) return null;
  return { trace_id, span_id, sampled: (parseInt(flags!, 16) & 1) === 1 };
}

export const traceparentOf = ({ trace_id, span_id, sampled }: SpanPlace): string => `00-${trace_id}-${span_id}-${sampled ? '01' : '00'}`;

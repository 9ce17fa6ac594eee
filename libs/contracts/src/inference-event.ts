import { instantMs } from './instant.js';

/** Of one message. */
export const maxEvents = 500;
const maxTimingMs = 1e7;
const maxErrorLength = 512;

/** One inference, checked. */
export interface InferenceEvent {
  model_id: string;
  /** 0..1e7 */
  timing_ms: number;
  success: boolean;
  /** At most 512 characters, control characters replaced by spaces. */
  error?: string;
  /** As the producer gave it: any text. */
  error_type?: string;
  /** Epoch milliseconds; the time of the message where the producer gave none. Producers' clocks may be wrong by any amount. */
  occurred_at_ms: number;
  event_id?: string;
  flag_key?: string;
  variant?: string;
}

/** Why something is no event. `field` is null when it is not even an object. */
export interface EventProblem {
  field: string | null;
  accepted: string;
}

const maxModelIdLength = 64;
const controlCharacter = /\p{Cc}/u;
const controlCharacters = /\p{Cc}/gu;

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** 1 to 64 of a-z, 0-9 and _. */
function isModelId(value: unknown): value is string {
  if (typeof value !== 'string' || value.length === 0 || value.length > maxModelIdLength) return false;
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at);
    if (!((code >= 97 && code <= 122) || (code >= 48 && code <= 57) || code === 95)) return false;
  }
  return true;
}

const isName = (value: unknown): value is string =>
  typeof value === 'string' && value.length >= 1 && value.length <= 128 && value.isWellFormed() && !controlCharacter.test(value);

const nameAccepted = 'a string of 1 to 128 characters without control characters';

/**
 * Reads parsed JSON as `{model_id, timing_ms, success?, error?, error_type?, occurred_at?, event_id?, flag_key?, variant?}`; null stands for an
 * absent optional field, unknown fields are ignored. `now_ms` (epoch milliseconds) is when it occurred if it does not say so itself. Never
 * throws. By hand, because this runs for every inference there is: a validator over decorators is a hundred times slower.
 */
export function readEvent(value: unknown, now_ms: number): { event: InferenceEvent } | { problem: EventProblem } {
  if (!isObject(value)) return { problem: { field: null, accepted: 'an object with model_id and timing_ms' } };
  const { model_id, timing_ms } = value;
  const success = value.success ?? true;
  const error = value.error ?? undefined;
  const error_type = value.error_type ?? undefined;
  const occurred_at_ms = (value.occurred_at ?? undefined) === undefined ? now_ms : instantMs(value.occurred_at);
  const event_id = value.event_id ?? undefined;
  const flag_key = value.flag_key ?? undefined;
  const variant = value.variant ?? undefined;

  if (!isModelId(model_id)) return problem('model_id', '1 to 64 of a-z, 0-9 and _');
  if (typeof timing_ms !== 'number' || !(timing_ms >= 0 && timing_ms <= maxTimingMs)) {
    return problem('timing_ms', `a number from 0 to ${maxTimingMs}`);
  }
  if (typeof success !== 'boolean') return problem('success', 'true or false');
  if (error !== undefined && typeof error !== 'string') return problem('error', 'a string');
  if (error_type !== undefined && typeof error_type !== 'string') return problem('error_type', 'a string');
  if (Number.isNaN(occurred_at_ms)) return problem('occurred_at', 'an RFC 3339 time such as 2025-01-20T15:30:00Z');
  if (event_id !== undefined && !isName(event_id)) return problem('event_id', nameAccepted);
  if (flag_key !== undefined && !isName(flag_key)) return problem('flag_key', nameAccepted);
  if (variant !== undefined && !isName(variant)) return problem('variant', nameAccepted);
  return {
    event: {
      model_id,
      // JSON knows -0, which would be shown as a minimum of "-0".
      timing_ms: timing_ms + 0,
      success,
      error: error?.slice(0, maxErrorLength).toWellFormed().replace(controlCharacters, ' '),
      error_type,
      occurred_at_ms,
      event_id,
      flag_key,
      variant,
    },
  };
}

const problem = (field: string, accepted: string): { problem: EventProblem } => ({ problem: { field, accepted } });

/** One inference as a service reports it. */
export interface InferenceEvent {
  /** 1 to 64 of a-z, 0-9 and _. */
  model_id: string;
  /** 0..10,000,000 */
  timing_ms: number;
  /** Default true. */
  success?: boolean;
  /** Its first 512 characters are sent. */
  error?: string;
  /** A snake_case name for the kind of error, where you know it; else it is told from `error`. */
  error_type?: string;
  /** RFC 3339 or a Date. Default: now. */
  occurred_at?: string | Date;
  /** Your own name for it; this one, `flag_key` and `variant` are of 1 to 128 characters without control characters. */
  event_id?: string;
  /** The feature flag that directed the request to this model, and the variant it chose. */
  flag_key?: string;
  variant?: string;
}

/** An event that the metrics service would not count. */
export class InvalidEventError extends TypeError {
  override readonly name = 'InvalidEventError';

  constructor(
    /** Null: the event is not even an object. */
    readonly field: keyof InferenceEvent | null,
    readonly accepted: string,
  ) {
    super(`${field ?? 'event'}; accepted: ${accepted}`);
  }
}

const maxTimingMs = 1e7;
const maxTextLength = 512;
const modelIdPattern = /^[a-z0-9_]{1,64}$/;
const controlCharacter = /\p{Cc}/u;
const instantPattern = /^(\d{4})-(\d{2})-(\d{2})T(?!24)(\d{2}):(\d{2}):(\d{2})(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/;
const earliest = Date.parse('0001-01-01T00:00:00Z');
const endOfTime = Date.parse('+010000-01-01T00:00:00Z');

const isText = (value: unknown): value is string => typeof value === 'string';

const isName = (value: unknown): boolean =>
  isText(value) && value.length >= 1 && value.length <= 128 && value.isWellFormed() && !controlCharacter.test(value);

function isInstant(value: unknown): boolean {
  const match = isText(value) ? instantPattern.exec(value) : null;
  if (!match) return false;
  const time = Date.parse(match[0]);
  if (!(time >= earliest && time < endOfTime)) return false;
  const [, year, month, day] = match;
  return new Date(Date.UTC(Number(year), Number(month) - 1, Number(day))).getUTCDate() === Number(day);
}

const name = { accepted: 'a string of 1 to 128 characters without control characters', check: isName };

/** What each field accepts, as the metrics service does; a null stands for an absent optional field. */
const rules: Record<keyof InferenceEvent, { accepted: string; check: (value: unknown) => boolean; required?: true }> = {
  model_id: {
    accepted: '1 to 64 of a-z, 0-9 and _',
    check: (value) => isText(value) && modelIdPattern.test(value),
    required: true,
  },
  timing_ms: {
    accepted: `a number from 0 to ${maxTimingMs}`,
    check: (value) => typeof value === 'number' && value >= 0 && value <= maxTimingMs,
    required: true,
  },
  success: { accepted: 'true or false', check: (value) => typeof value === 'boolean' },
  error: { accepted: 'a string', check: isText },
  error_type: { accepted: 'a string', check: isText },
  occurred_at: { accepted: 'an RFC 3339 time such as 2025-01-20T15:30:00Z', check: isInstant },
  event_id: name,
  flag_key: name,
  variant: name,
};
const fields = Object.entries(rules) as [keyof InferenceEvent, (typeof rules)[keyof InferenceEvent]][];

/** The event as JSON. Unknown fields stay behind. Throws InvalidEventError. */
export function encodeEvent(event: InferenceEvent, now: Date): string {
  if (typeof event !== 'object' || event === null || Array.isArray(event)) {
    throw new InvalidEventError(null, 'an object with model_id and timing_ms');
  }
  const { error, error_type } = event;
  const occurred_at = event.occurred_at ?? now;
  const texts: Record<keyof InferenceEvent, unknown> = {
    model_id: event.model_id,
    timing_ms: event.timing_ms,
    success: event.success,
    error: isText(error) ? error.slice(0, maxTextLength) : error,
    error_type: isText(error_type) ? error_type.slice(0, maxTextLength) : error_type,
    occurred_at: occurred_at instanceof Date ? textOf(occurred_at) : occurred_at,
    event_id: event.event_id,
    flag_key: event.flag_key,
    variant: event.variant,
  };
  for (const [field, { accepted, check, required }] of fields) {
    const value = texts[field] ?? undefined;
    if (value === undefined ? required : !check(value)) throw new InvalidEventError(field, accepted);
  }
  return JSON.stringify(texts);
}

/** A Date that is none has no ISO text; it is refused by the field's own rule. */
const textOf = (date: Date): string => (Number.isNaN(date.getTime()) ? 'Invalid Date' : date.toISOString());

import { isInstant } from '#contracts/fields.js';

/** Larger messages are refused unread; producers keep theirs to an eighth of it. */
export const maxBodyBytes = 512 * 1024;
export const maxEvents = 500;
export const maxTimingMs = 1e7;
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

export type RejectionCode = 'BODY_TOO_LARGE' | 'INVALID_UTF8' | 'INVALID_JSON' | 'INVALID_BATCH' | 'INVALID_EVENT' | 'NOT_COUNTED';

/** Something that is not counted. `reason` names the field and what is accepted, and repeats nothing of the message. */
export interface Rejection {
  /** Position of the event in its message; null when the message as a whole is refused. */
  index: number | null;
  code: RejectionCode;
  reason: string;
  /** The refused event as JSON, its beginning at least. */
  event?: string;
}

export interface DecodedMessage {
  events: InferenceEvent[];
  rejected: Rejection[];
}

const modelIdPattern = /^[a-z0-9_]{1,64}$/;
const controlCharacter = /\p{Cc}/u;
const controlCharacters = /\p{Cc}/gu;
const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Decodes the body of a message of the inference stream: UTF-8 JSON, one event or `{"events": [1..500 events]}`, an event being
 * `{model_id, timing_ms, success?, error?, error_type?, occurred_at?, event_id?, flag_key?, variant?}`; null stands for an absent optional
 * field. `message_ms` is the message's own time in epoch milliseconds. A bad event of a batch is rejected by itself; the others count.
 *
 * Never throws, whatever the bytes. Unlike on the REST surface unknown fields are ignored: a producer may be newer than this service, and a
 * refusal here would reach nobody who could correct it. Decoded by hand, because this runs for every inference there is.
 */
export function decodeMessage(body: Uint8Array, message_ms: number): DecodedMessage {
  if (body.length > maxBodyBytes)
    return refused('BODY_TOO_LARGE', `the message has ${body.length} bytes; accepted: at most ${maxBodyBytes}`);
  let text: string;
  try {
    text = utf8.decode(body);
  } catch {
    return refused('INVALID_UTF8', 'the message is not UTF-8; accepted: JSON in UTF-8');
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refused('INVALID_JSON', 'the message is not JSON; accepted: one event or {"events": [1 to 500 events]}');
  }
  const decoded: DecodedMessage = { events: [], rejected: [] };
  const batch = isObject(value) && Object.hasOwn(value, 'events') ? value.events : [value];
  if (!Array.isArray(batch) || batch.length < 1 || batch.length > maxEvents) {
    return refused('INVALID_BATCH', `events; accepted: a list of 1 to ${maxEvents} events`);
  }
  batch.forEach((candidate: unknown, index) => {
    const event = decodeEvent(candidate, message_ms);
    if (typeof event === 'string') decoded.rejected.push({ index, code: 'INVALID_EVENT', reason: event, event: shown(candidate) });
    else decoded.events.push(event);
  });
  return decoded;
}

/** The places of a message's events in it, those of refused ones left out. */
export function positionsOf({ events, rejected }: DecodedMessage): number[] {
  const refusedAt = new Set(rejected.map(({ index }) => index));
  return Array.from({ length: events.length + rejected.length }, (_, place) => place).filter((place) => !refusedAt.has(place));
}

/** The event as a message of its own: what `decodeMessage` reads as the same event. */
export const encodeEvent = ({ occurred_at_ms, ...event }: InferenceEvent): string =>
  JSON.stringify({ ...event, occurred_at: new Date(occurred_at_ms).toISOString() });

function shown(candidate: unknown): string {
  try {
    return JSON.stringify(candidate);
  } catch {
    return '(nested too deeply)';
  }
}

const refused = (code: RejectionCode, reason: string): DecodedMessage => ({ events: [], rejected: [{ index: null, code, reason }] });

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

const isName = (value: unknown): value is string =>
  typeof value === 'string' && value.length >= 1 && value.length <= 128 && value.isWellFormed() && !controlCharacter.test(value);

/** The event, or the reason why it is none. */
function decodeEvent(value: unknown, message_ms: number): InferenceEvent | string {
  if (!isObject(value)) return 'the event is not an object; accepted: an object with model_id and timing_ms';
  const { model_id, timing_ms } = value;
  const success = value.success ?? true;
  const error = value.error ?? undefined;
  const error_type = value.error_type ?? undefined;
  const occurred_at = value.occurred_at ?? undefined;
  const event_id = value.event_id ?? undefined;
  const flag_key = value.flag_key ?? undefined;
  const variant = value.variant ?? undefined;

  if (typeof model_id !== 'string' || !modelIdPattern.test(model_id)) return 'model_id; accepted: 1 to 64 of a-z, 0-9 and _';
  if (typeof timing_ms !== 'number' || !(timing_ms >= 0 && timing_ms <= maxTimingMs)) {
    return `timing_ms; accepted: a number from 0 to ${maxTimingMs}`;
  }
  if (typeof success !== 'boolean') return 'success; accepted: true or false';
  if (error !== undefined && typeof error !== 'string') return 'error; accepted: a string';
  if (error_type !== undefined && typeof error_type !== 'string') return 'error_type; accepted: a string';
  if (occurred_at !== undefined && !isInstant(occurred_at)) return 'occurred_at; accepted: an RFC 3339 time such as 2025-01-20T15:30:00Z';
  if (event_id !== undefined && !isName(event_id)) return nameAccepted('event_id');
  if (flag_key !== undefined && !isName(flag_key)) return nameAccepted('flag_key');
  if (variant !== undefined && !isName(variant)) return nameAccepted('variant');
  return {
    model_id,
    // JSON knows -0, which would be shown as a minimum of "-0".
    timing_ms: timing_ms + 0,
    success,
    error: error?.slice(0, maxErrorLength).toWellFormed().replace(controlCharacters, ' '),
    error_type,
    occurred_at_ms: occurred_at === undefined ? message_ms : Date.parse(occurred_at),
    event_id,
    flag_key,
    variant,
  };
}

const nameAccepted = (field: string): string => `${field}; accepted: a string of 1 to 128 characters without control characters`;

import { type EventProblem, type InferenceEvent, maxEvents, readEvent } from '#contracts/inference-event.js';

export { type InferenceEvent, maxEvents } from '#contracts/inference-event.js';

/** Larger messages are refused unread; producers keep theirs to an eighth of it. */
export const maxBodyBytes = 512 * 1024;

export type RejectionCode = 'BODY_TOO_LARGE' | 'INVALID_UTF8' | 'INVALID_JSON' | 'INVALID_BATCH' | 'INVALID_EVENT' | 'NOT_COUNTED';

/** Something that is not counted. `reason` names the field and what is accepted, and repeats nothing of the message. */
export interface Rejection {
  /** Position of the event in its message; null when the message as a whole is refused. */
  index: number | null;
  code: RejectionCode;
  reason: string;
  /** The refused event of a batch as JSON. */
  event?: string;
}

export interface DecodedMessage {
  /** Whether it is a list of events, or one alone. */
  batch: boolean;
  events: InferenceEvent[];
  rejected: Rejection[];
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Decodes the body of a message of the inference stream: UTF-8 JSON, one event or `{"events": [1..500 events]}`, an event being
 * `{model_id, timing_ms, success?, error?, error_type?, occurred_at?, event_id?, flag_key?, variant?}`; null stands for an absent optional
 * field. `message_ms` is the message's own time in epoch milliseconds. A bad event of a batch is rejected by itself; the others count.
 *
 * Never throws, whatever the bytes. Unlike on the REST surface unknown fields are ignored: a producer may be newer than this service, and a
 * refusal here would reach nobody who could correct it.
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
  const list = isObject(value) && Object.hasOwn(value, 'events') ? value.events : undefined;
  const isBatch = list !== undefined;
  const decoded: DecodedMessage = { batch: isBatch, events: [], rejected: [] };
  const batch = isBatch ? list : [value];
  if (!Array.isArray(batch) || batch.length < 1 || batch.length > maxEvents) {
    return refused('INVALID_BATCH', `events; accepted: a list of 1 to ${maxEvents} events`);
  }
  batch.forEach((candidate: unknown, index) => {
    const read = readEvent(candidate, message_ms);
    if ('event' in read) decoded.events.push(read.event);
    else
      decoded.rejected.push({ index, code: 'INVALID_EVENT', reason: reasonOf(read.problem), ...(isBatch && { event: shown(candidate) }) });
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

/** Undefined where it is nested too deeply to be written; its message is shown instead. */
function shown(candidate: unknown): string | undefined {
  try {
    return JSON.stringify(candidate);
  } catch {
    return undefined;
  }
}

const refused = (code: RejectionCode, reason: string): DecodedMessage => ({
  batch: false,
  events: [],
  rejected: [{ index: null, code, reason }],
});

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

const reasonOf = ({ field, accepted }: EventProblem): string => `${field ?? 'the event is not an object'}; accepted: ${accepted}`;

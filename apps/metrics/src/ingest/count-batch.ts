import { sumsOf, Tally, type WindowSum } from '../windows/tally.js';
import { type AppliedRange } from './applied-range.js';
import { type ErrorTypes } from './error-types.js';
import { type DecodedMessage, encodeEvent, type InferenceEvent, positionsOf } from './inference-event.js';

/** A message that may be counted, decoded. */
export interface NumberedMessage extends DecodedMessage {
  /** Who numbered it: a message is counted once per source and sequence. */
  source: string;
  sequence: number;
  body: Uint8Array;
}

/** A message of the stream. */
export interface IngestMessage extends NumberedMessage {
  place: StreamPlace;
}

/** Where a message stands on the stream: numbered from 1; epoch milliseconds. A stream that has lost its end gives a number out again. */
export interface StreamPlace {
  sequence: number;
  stored_ms: number;
}

/** Whether there is a model; `unsure` when nobody can tell now. */
export type Existence = 'known' | 'unknown' | 'unsure';

/** Something that cannot be counted. `event` is its place in the message; -1: the message as a whole. */
export interface Letter {
  source: string;
  sequence: number;
  event: number;
  model_id: string | null;
  reason: string;
  /** The event, or the beginning of a message that is refused as a whole. */
  body: Uint8Array;
}

export interface EventId {
  model_id: string;
  event_id: string;
}

export interface LedgerEntry {
  applied: AppliedRange;
  /** Of the source's newest message. */
  place: StreamPlace;
}

/** One database transaction, as counting needs it. Whatever it locks, it locks in one order, so that replicas wait and do not deadlock. */
export interface IngestTransaction {
  /** Locks the ledger rows of these sources, made where they are missing. Resolves to those of all, or throws. */
  lockLedger(sources: string[]): Promise<Map<string, AppliedRange>>;
  saveLedger(ledger: Map<string, LedgerEntry>): Promise<void>;
  /** The keys (see `eventIdKey`) of those that were not there before; they are from now on. */
  claimEventIds(ids: EventId[]): Promise<Set<string>>;
  /** The arms of these models that are counted already, as `armKey`s by model. */
  armsOf(model_ids: string[]): Promise<Map<string, Set<string>>>;
  addWindows(sums: WindowSum[]): Promise<void>;
  writeLetters(letters: Letter[]): Promise<void>;
}

export interface BatchOutcome {
  counted: number;
  /** Of the counted, those whose time could not be right. */
  clamped: number;
  letters: number;
  /** Messages that had been applied before. */
  repeated_messages: number;
  /** Events whose event_id had been counted before. */
  repeated_events: number;
  /** Whose figures have changed. */
  model_ids: string[];
  /** What was added to the minutes of models and arms. */
  sums: WindowSum[];
}

/** At most this many arms are kept for a model; what comes after counts in the arm `other` of its flag. */
export const maxArms = 50;
const maxLetterBytes = 4_096;

export const armKey = (flag_key: string, variant: string): string => `${flag_key}\u0000${variant}`;
export const eventIdKey = ({ model_id, event_id }: EventId): string => `${model_id} ${event_id}`;

/**
 * Counts messages, each once, within one transaction: locks the ledger rows of their sources, drops what these have applied already, adds
 * the rest to the windows and writes down what cannot be counted. Nothing of it stays unless the transaction commits. No model of the
 * messages may be `unsure`. `now_ms` is in epoch milliseconds.
 */
export async function countBatch(
  transaction: IngestTransaction,
  messages: readonly IngestMessage[],
  existence: ReadonlyMap<string, Existence>,
  types: ErrorTypes,
  now_ms: number,
): Promise<BatchOutcome> {
  const newest = newestPlaces(messages);
  const ledger = await transaction.lockLedger([...newest.keys()]);
  const fresh = messages.filter(({ source, sequence }) => ledger.get(source)!.add(sequence));
  const outcome = await countEvents(transaction, fresh, existence, types, now_ms);
  await transaction.saveLedger(new Map([...ledger].map(([source, applied]) => [source, { applied, place: newest.get(source)! }])));
  return { ...outcome, repeated_messages: messages.length - fresh.length };
}

function newestPlaces(messages: readonly IngestMessage[]): Map<string, StreamPlace> {
  const newest = new Map<string, StreamPlace>();
  for (const { source, place } of messages) {
    const known = newest.get(source);
    if (!known || place.stored_ms >= known.stored_ms) newest.set(source, place);
  }
  return newest;
}

/** Counts the events of messages of which it is known that they are new. */
export async function countEvents(
  transaction: Pick<IngestTransaction, 'claimEventIds' | 'armsOf' | 'addWindows' | 'writeLetters'>,
  fresh: readonly NumberedMessage[],
  existence: ReadonlyMap<string, Existence>,
  types: ErrorTypes,
  now_ms: number,
): Promise<Omit<BatchOutcome, 'repeated_messages'>> {
  const isKnown = ({ model_id }: InferenceEvent): boolean => existence.get(model_id) === 'known';

  const unclaimed = await claim(transaction, fresh, isKnown);
  const boundArm = await armBound(transaction, fresh, isKnown);
  const tally = new Tally(types);
  const letters: Letter[] = [];
  let repeated_events = 0;
  for (const message of fresh) {
    letters.push(...rejectionsOf(message));
    for (const [index, event] of message.events.entries()) {
      if (!isKnown(event)) letters.push(unknownModel(message, index, event));
      // Taken out of the set by the first of its kind: the same id twice in one batch is a repeat too.
      else if (event.event_id !== undefined && !unclaimed?.delete(eventIdKey(event as EventId))) repeated_events += 1;
      else tally.add(boundArm(event), now_ms);
    }
  }
  const sums = sumsOf(tally);
  if (sums.length) await transaction.addWindows(sums);
  if (letters.length) await transaction.writeLetters(letters);
  return {
    counted: tally.total,
    clamped: tally.clamped,
    letters: letters.length,
    repeated_events,
    model_ids: [...new Set(sums.map(({ model_id }) => model_id))],
    sums,
  };
}

async function claim(
  transaction: Pick<IngestTransaction, 'claimEventIds'>,
  messages: readonly NumberedMessage[],
  isKnown: (event: InferenceEvent) => boolean,
): Promise<Set<string> | null> {
  const ids = new Map<string, EventId>();
  for (const { events } of messages) {
    for (const event of events) {
      if (event.event_id !== undefined && isKnown(event)) ids.set(eventIdKey(event as EventId), event as EventId);
    }
  }
  return ids.size ? transaction.claimEventIds([...ids.values()]) : null;
}

/** Moves events of a model's arms beyond the bound into `other`. */
async function armBound(
  transaction: Pick<IngestTransaction, 'armsOf'>,
  messages: readonly NumberedMessage[],
  isKnown: (event: InferenceEvent) => boolean,
): Promise<(event: InferenceEvent) => InferenceEvent> {
  const armed = new Set<string>();
  for (const { events } of messages)
    for (const event of events) if (event.flag_key !== undefined && isKnown(event)) armed.add(event.model_id);
  if (armed.size === 0) return (event) => event;
  const arms = await transaction.armsOf([...armed]);
  return (event) => {
    const { flag_key, variant, model_id } = event;
    if (flag_key === undefined || variant === undefined) return event;
    const known = arms.get(model_id) ?? new Set();
    arms.set(model_id, known);
    const key = armKey(flag_key, variant);
    if (known.has(key)) return event;
    if (known.size >= maxArms) return { ...event, flag_key: 'other', variant: 'other' };
    known.add(key);
    return event;
  };
}

function rejectionsOf({ source, sequence, rejected, body }: NumberedMessage): Letter[] {
  return rejected.map(({ index, reason, event }) => ({
    source,
    sequence,
    event: index ?? -1,
    model_id: null,
    reason,
    body: event === undefined ? body.slice(0, maxLetterBytes) : Buffer.from(event).subarray(0, maxLetterBytes),
  }));
}

function unknownModel(message: NumberedMessage, index: number, event: InferenceEvent): Letter {
  const { source, sequence, batch } = message;
  // As it was published, where it is short enough to be read again.
  const body = batch || message.body.length > maxLetterBytes ? Buffer.from(encodeEvent(event)) : message.body;
  const reason = `model_id; there is no model ${event.model_id}`;
  return { source, sequence, event: positionsOf(message)[index]!, model_id: event.model_id, reason, body };
}

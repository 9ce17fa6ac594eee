import { relativeAccuracy, Sketch } from '#statistics/sketch.js';
import { type Random } from './seed.harness.js';

/** An event as it stands in a message. */
export interface PlannedEvent {
  model_id: string;
  timing_ms: number;
  success: boolean;
  occurred_at: string;
  error?: string;
  error_type?: string;
}

const gamma = (1 + relativeAccuracy) / (1 - relativeAccuracy);
const firstBin = -220;
/** Bins of the sketch that are used: timings from about 0.012 ms to 800 s. */
export const cellsOfModel = 900;
/** So many models are filled at the same time, so that a transaction has several rows to lock. */
export const modelsTogether = 4;
/** So many events of a model occurred in one minute, and the next ones so much earlier: minutes are folded again and again while some still come. */
const eventsOfMinute = 30;
const minuteStepMs = 7 * 60_000;
/** Timings are multiples of this, so that their sums are exact whatever the order. */
const quantum = 2 ** -16;

const failures: readonly (Pick<PlannedEvent, 'error' | 'error_type'> & { type: string })[] = [
  { error: 'Request timed out after 30 s', type: 'timeout_error' },
  { error: 'RuntimeError: CUDA out of memory', type: 'resource_error' },
  { error: 'connect ECONNREFUSED 127.0.0.1:8080', type: 'connection_error' },
  { error: 'anything', error_type: 'feature_store_down', type: 'feature_store_down' },
];

/**
 * Gives every event a cell of its own: a model and one bin of that model's sketch. A sketch counts each bin exactly, so the stored sketches
 * tell of each single event how often it was counted, and a lost event can never be made up for by a doubled one. Events are numbered by
 * `slot`, 0..capacity − 1.
 */
export class EventPlan {
  private readonly slots = new Map<string, number>();

  /** `models` are registered and used by nobody else; their number is a multiple of `modelsTogether`. The newest events occur at `now_ms`. */
  constructor(
    readonly models: readonly string[],
    private readonly now_ms = Date.now(),
  ) {
    if (models.length % modelsTogether !== 0) throw new Error(`Models come in groups of ${modelsTogether}`);
    for (let slot = 0; slot < this.capacity; slot++) this.slots.set(this.cellOf(slot).join(' '), slot);
  }

  static modelsFor(events: number): number {
    return Math.ceil(events / (cellsOfModel * modelsTogether)) * modelsTogether;
  }

  get capacity(): number {
    return this.models.length * cellsOfModel;
  }

  cellOf(slot: number): [model_id: string, bin: number] {
    const ofGroup = cellsOfModel * modelsTogether;
    const model = Math.floor(slot / ofGroup) * modelsTogether + (slot % modelsTogether);
    return [this.models[model]!, firstBin + Math.floor((slot % ofGroup) / modelsTogether)];
  }

  /** The event that is counted in this bin; undefined where none is planned. */
  slotAt(model_id: string, bin: number): number | undefined {
    return this.slots.get(`${model_id} ${bin}`);
  }

  eventOf(slot: number): PlannedEvent {
    const [model_id, bin] = this.cellOf(slot);
    const timing_ms = timingIn(bin);
    const occurred_at = new Date(this.now_ms - Math.floor((bin - firstBin) / eventsOfMinute) * minuteStepMs).toISOString();
    const failure = this.failureOf(slot);
    if (!failure) return { model_id, timing_ms, success: true, occurred_at };
    const { error, error_type } = failure;
    return { model_id, timing_ms, success: false, occurred_at, error, ...(error_type && { error_type }) };
  }

  /** The type under which its error is to be counted; undefined for a success. */
  errorTypeOf(slot: number): string | undefined {
    return this.failureOf(slot)?.type;
  }

  /** All slots in messages of 1..`most` events. */
  messages(random: Random, most: number): number[][] {
    const messages: number[][] = [];
    for (let slot = 0; slot < this.capacity;) {
      const length = Math.min(random.whole(1, most), this.capacity - slot);
      messages.push(Array.from({ length }, (_, index) => slot + index));
      slot += length;
    }
    return messages;
  }

  /** The JSON of a message; a single event now stands alone, now in a list of one. */
  body(slots: readonly number[]): string {
    const events = slots.map((slot) => this.eventOf(slot));
    return JSON.stringify(events.length === 1 && slots[0]! % 2 === 0 ? events[0] : { events });
  }

  private failureOf(slot: number): (typeof failures)[number] | undefined {
    // Scattered: events that follow one another would otherwise all fail in one model and none in the next.
    const scattered = Math.imul(slot + 1, 0x9e3779b1) >>> 8;
    return scattered % 5 === 0 ? failures[Math.floor(scattered / 5) % failures.length] : undefined;
  }
}

const timings = new Map<number, number>();

function timingIn(bin: number): number {
  let timing = timings.get(bin);
  if (timing === undefined) {
    timing = Math.round(gamma ** (bin - 0.5) / quantum) * quantum;
    const sketch = new Sketch();
    sketch.add(timing);
    if (sketch.bins()[0]?.[0] !== bin) throw new Error(`${timing} ms is not counted in bin ${bin}`);
    timings.set(bin, timing);
  }
  return timing;
}

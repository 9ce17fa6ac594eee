const medianMs = 1_156;
const sigma = 0.6;
const failing = 0.03;
const errors = [
  'TimeoutError: no answer from the odds feed within 5 s',
  'ConnectionError: connect ECONNREFUSED 10.2.0.17:8001',
  'ValueError: input contains NaN',
  'CUDA out of memory',
];

export interface PlannedEvent {
  model_id: string;
  timing_ms: number;
  success: boolean;
  error?: string;
}

/** Numbered events over these models. */
export interface Plan {
  models: string[];
  first: number;
  events: number;
}

/**
 * The event of a number, always the same: so the process that sends it and the one that checks what was counted need not tell each other.
 * Timings are log-normal around the API document's median, in eighths of a millisecond, whose sums binary numbers hold exactly.
 */
export function plannedEvent(number: number, models: string[]): PlannedEvent {
  const draw = (use: number): number => (scrambled(number * 8 + use) + 0.5) / 2 ** 32;
  const normal = Math.sqrt(-2 * Math.log(draw(0))) * Math.cos(2 * Math.PI * draw(1));
  const model_id = models[Math.floor(draw(2) * models.length)]!;
  const timing_ms = Math.max(1, Math.round(medianMs * Math.exp(sigma * normal) * 8)) / 8;
  if (draw(3) >= failing) return { model_id, timing_ms, success: true };
  return { model_id, timing_ms, success: false, error: errors[Math.floor(draw(4) * errors.length)]! };
}

export function* plannedEvents({ models, first, events }: Plan): Generator<PlannedEvent> {
  for (let number = first; number < first + events; number++) yield plannedEvent(number, models);
}

/** Bodies of messages of so many events each, as docs/events.md has them. All occurred at one time. */
export function messageBodies(plan: Plan, per_message: number, occurred_at: string): Uint8Array[] {
  const bodies: Uint8Array[] = [];
  let events: string[] = [];
  for (const event of plannedEvents(plan)) {
    events.push(JSON.stringify({ ...event, occurred_at }));
    if (events.length < per_message) continue;
    bodies.push(Buffer.from(per_message === 1 ? events[0]! : `{"events":[${events.join(',')}]}`));
    events = [];
  }
  return bodies;
}

/** A finaliser of murmur3: 32 bits of which each depends on all of the number's. */
function scrambled(number: number): number {
  let bits = (number ^ Math.floor(number / 2 ** 32)) >>> 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

import { type Plan, type PlannedEvent, plannedEvents } from './planned-event.js';

/** What one model was sent. */
export interface SentToModel {
  timings: number[];
  failed: number;
  sum_ms: number;
}

/** What GET metrics is to say; its percentiles, by nearest rank here, may be 1 % away. */
export interface Exact {
  total: number;
  failed: number;
  average_ms: number;
  min_ms: number;
  max_ms: number;
  percentiles: { p50: number; p95: number; p99: number };
}

/** Everything that was sent and acknowledged, by model: what the suite's answers are held against. */
export class Sent {
  readonly models = new Map<string, SentToModel>();

  add({ model_id, timing_ms, success }: PlannedEvent, times = 1): void {
    let model = this.models.get(model_id);
    if (!model) this.models.set(model_id, (model = { timings: [], failed: 0, sum_ms: 0 }));
    for (let time = 0; time < times; time++) model.timings.push(timing_ms);
    model.sum_ms += timing_ms * times;
    if (!success) model.failed += times;
  }

  /** The events of the first so many messages of a plan that is sent over and over. */
  addPlan(plan: Plan, per_message: number, messages: number): void {
    let event = 0;
    const ofPlan = Math.floor(plan.events / per_message);
    for (const planned of plannedEvents(plan)) {
      const place = Math.floor(event++ / per_message);
      if (place < ofPlan) this.add(planned, Math.floor(messages / ofPlan) + (place < messages % ofPlan ? 1 : 0));
    }
  }

  total(model_id: string): number {
    return this.models.get(model_id)?.timings.length ?? 0;
  }

  exact(model_id: string): Exact {
    const { timings, failed, sum_ms } = this.models.get(model_id) ?? { timings: [], failed: 0, sum_ms: 0 };
    const sorted = Float64Array.from(timings).sort();
    const atRank = (q: number): number => sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? 0;
    return {
      total: sorted.length,
      failed,
      average_ms: sorted.length ? sum_ms / sorted.length : 0,
      min_ms: sorted[0] ?? 0,
      max_ms: sorted.at(-1) ?? 0,
      percentiles: { p50: atRank(0.5), p95: atRank(0.95), p99: atRank(0.99) },
    };
  }
}

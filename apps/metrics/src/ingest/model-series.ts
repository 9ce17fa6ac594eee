import { binOf } from '#statistics/sketch.js';
import { type Counted } from '../windows/tally.js';

/** Models that have series of their own; all others share one. With twelve lines of time and two of counts each: about 1,500 lines a replica. */
export const maxNamed = 100;
/** Upper bounds of inference times, in milliseconds. A value within 2 % above a bound may count as below it. */
export const inferenceBounds = [1, 5, 10, 25, 50, 100, 250, 500, 1_000, 5_000] as const;
const boundBins = inferenceBounds.map(binOf);
const reviewEveryMs = 60_000;
/** One that comes in must be used this much more than the one that goes, so that two of a kind do not take turns. */
const clearly = 2;

/** What one process has counted of a model since it got a series. */
export class ModelSeries {
  successful = 0;
  failed = 0;
  sum_ms = 0;
  /** By bucket, not cumulative; the last is beyond all bounds. */
  private readonly buckets = new Float64Array(inferenceBounds.length + 1);
  /** Inferences of late: halved at each review. */
  usage = 0;

  add({ total, successful, failed, sum_ms, sketch }: Counted): void {
    this.successful += successful;
    this.failed += failed;
    this.sum_ms += sum_ms;
    this.usage += total;
    let rest = sketch.count;
    for (const [bin, count] of sketch.bins()) {
      let bucket = 0;
      while (bucket < boundBins.length && bin > boundBins[bucket]!) bucket += 1;
      this.buckets[bucket]! += count;
      rest -= count;
    }
    // Those that the sketch takes for zero.
    this.buckets[0]! += rest;
  }

  /** Of the inferences up to each bound, in the order of the bounds. */
  cumulative(): number[] {
    let count = 0;
    return Array.from(this.buckets.subarray(0, inferenceBounds.length), (one) => (count += one));
  }
}

/**
 * Series of the most used models, and one of all others. Who is most used is looked at once a minute: a model that gets a series begins at zero,
 * one that loses it is gone, and goes on in `other` from there. So each series only ever grows, as Prometheus wants it, and rates of them add up.
 */
export class ModelSeriesSet {
  readonly named = new Map<string, ModelSeries>();
  readonly other = new ModelSeries();
  /** Usage of models without a series of their own. */
  private readonly others = new Map<string, number>();
  private reviewed_ms: number;

  constructor(
    now_ms: number,
    private readonly max = maxNamed,
  ) {
    this.reviewed_ms = now_ms;
  }

  /** `now_ms` in epoch milliseconds. */
  add(model_id: string, counted: Counted, now_ms: number): void {
    if (now_ms - this.reviewed_ms >= reviewEveryMs) this.review(now_ms);
    this.seriesOf(model_id, counted.total).add(counted);
  }

  private seriesOf(model_id: string, total: number): ModelSeries {
    const named = this.named.get(model_id);
    if (named) return named;
    if (this.named.size < this.max) return this.name(model_id, 0);
    this.others.set(model_id, (this.others.get(model_id) ?? 0) + total);
    return this.other;
  }

  private name(model_id: string, usage: number): ModelSeries {
    const series = new ModelSeries();
    series.usage = usage;
    this.named.set(model_id, series);
    return series;
  }

  private review(now_ms: number): void {
    this.reviewed_ms = now_ms;
    const least = [...this.named].sort(([, a], [, b]) => a.usage - b.usage).values();
    for (const [model_id, usage] of [...this.others].sort(([, a], [, b]) => b - a)) {
      const next = least.next().value;
      if (!next || usage <= clearly * next[1].usage) break;
      this.named.delete(next[0]);
      this.others.delete(model_id);
      this.others.set(next[0], next[1].usage);
      this.name(model_id, usage);
    }
    for (const series of this.named.values()) series.usage /= 2;
    for (const [model_id, usage] of this.others) {
      if (usage < 1) this.others.delete(model_id);
      else this.others.set(model_id, usage / 2);
    }
  }
}

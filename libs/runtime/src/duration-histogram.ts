/** Upper bounds in seconds. */
export const durationBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;

type LabelValue = string | number;

/** What Prometheus reads of a histogram: cumulative counts by upper bound, their sum, and how many there are. */
export interface HistogramReading {
  labels: Record<string, LabelValue>;
  /** Of the values up to each bound, in the order of the bounds. */
  cumulative: number[];
  count: number;
  sum: number;
}

interface Value {
  metricName: string;
  labels: Record<string, LabelValue>;
  value: number;
}

/** The lines of a histogram, as prom-client's registry prints them. */
export function histogramValues(name: string, bounds: readonly number[], readings: HistogramReading[]): Value[] {
  return readings.flatMap(({ labels, cumulative, count, sum }) => [
    ...bounds.map((bound, at) => ({ metricName: `${name}_bucket`, labels: { ...labels, le: bound }, value: cumulative[at]! })),
    { metricName: `${name}_bucket`, labels: { ...labels, le: '+Inf' }, value: count },
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: count },
  ]);
}

class Series {
  /** By bucket, not cumulative; the last is beyond all bounds. */
  private readonly counts = new Float64Array(durationBuckets.length + 1);
  private sum = 0;

  constructor(readonly labels: Record<string, LabelValue>) {}

  observe(seconds: number): void {
    let bucket = 0;
    while (bucket < durationBuckets.length && seconds > durationBuckets[bucket]!) bucket += 1;
    this.counts[bucket]! += 1;
    this.sum += seconds;
  }

  read(): HistogramReading {
    let count = 0;
    const cumulative = Array.from(this.counts, (one) => (count += one));
    return { labels: this.labels, cumulative, count, sum: this.sum };
  }
}

type Branch = Map<LabelValue, Branch | Series>;

/**
 * How long things took, by labels whose values are few. Made for what is observed with every request: prom-client's own histogram makes an object
 * and a sorted text of the labels each time, which cost the gateway a twentieth of a request.
 */
export class DurationHistogram {
  private readonly root: Branch = new Map();
  private readonly all: Series[] = [];

  constructor(
    readonly name: string,
    readonly help: string,
    private readonly labelNames: readonly string[],
  ) {}

  /** `labels`: one value for each of the label names, in their order. */
  observe(seconds: number, ...labels: LabelValue[]): void {
    let at = this.root;
    for (let depth = 0; depth < labels.length - 1; depth++) {
      let next = at.get(labels[depth]!);
      if (!next) at.set(labels[depth]!, (next = new Map()));
      at = next as Branch;
    }
    const last = labels[labels.length - 1]!;
    let series = at.get(last) as Series | undefined;
    if (!series) {
      series = new Series(Object.fromEntries(this.labelNames.map((name, index) => [name, labels[index]!])));
      at.set(last, series);
      this.all.push(series);
    }
    series.observe(seconds);
  }

  read(): HistogramReading[] {
    return this.all.map((series) => series.read());
  }
}

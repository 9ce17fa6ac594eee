import type { Measured, Reason } from './comparison.js';

/**
 * A figure of a data set that is a function of sums over its rows. So rows can be streamed, parts of a data set merged by adding up their
 * sums, and rows resampled (`paired-bootstrap`), all in the memory of the sums.
 */
export interface Metric<Row> {
  /** How many sums. */
  readonly size: number;
  /** Adds what one row contributes to `sums`; or says why the row cannot be judged, and adds nothing. */
  add(row: Row, sums: Float64Array): Reason | undefined;
  /** The figure. No row that cannot be judged is among the sums. */
  of(sums: Float64Array): Measured;
}

/** The sums of the rows seen so far. */
export class MetricSums<Row> {
  readonly #sums: Float64Array;
  #rows = 0;
  #fault: Reason | undefined;

  constructor(private readonly metric: Metric<Row>) {
    this.#sums = new Float64Array(metric.size);
  }

  get rows(): number {
    return this.#rows;
  }

  add(row: Row): void {
    this.#rows += 1;
    this.#fault ??= this.metric.add(row, this.#sums);
  }

  /** Adds what `other`, of the same metric, has seen; it is unchanged. */
  merge(other: MetricSums<Row>): void {
    for (let i = 0; i < this.#sums.length; i++) this.#sums[i]! += other.#sums[i]!;
    this.#rows += other.#rows;
    this.#fault ??= other.#fault;
  }

  /** The figure of all rows, or why there is none: a single row that cannot be judged is enough. */
  value(): Measured {
    if (this.#rows === 0) return { reason: 'no_rows' };
    return this.#fault === undefined ? this.metric.of(this.#sums) : { reason: this.#fault };
  }
}

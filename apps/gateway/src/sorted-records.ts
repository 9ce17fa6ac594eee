/** Above so many, sorting all is cheaper than finding the place of each. */
const placedOneByOne = 32;

/** Records in an order that tells any two of them apart. What is added is put into its place when somebody looks. */
export class SortedRecords<Record> {
  private records: Record[] = [];
  private waiting: Record[] = [];

  constructor(private readonly compare: (a: Record, b: Record) => number) {}

  add(record: Record): void {
    this.waiting.push(record);
  }

  /** The very object that was added. */
  remove(record: Record): void {
    this.settle();
    const at = this.placeOf(record);
    if (this.records[at] === record) this.records.splice(at, 1);
  }

  /**
   * Up to `count` of those that `accepts`, from the first that comes after a place on: `after` says how a record lies to it, negative before
   * it and 0 at it. From the last one backwards where `descending`.
   */
  take(
    count: number,
    accepts: (record: Record) => boolean,
    { after, descending }: { after?: (record: Record) => number; descending: boolean },
  ): Record[] {
    this.settle();
    const found: Record[] = [];
    const step = descending ? -1 : 1;
    let at = descending ? this.records.length - 1 : 0;
    if (after) at = descending ? this.first((record) => after(record) >= 0) - 1 : this.first((record) => after(record) > 0);
    for (; at >= 0 && at < this.records.length && found.length < count; at += step) {
      const record = this.records[at]!;
      if (accepts(record)) found.push(record);
    }
    return found;
  }

  private settle(): void {
    if (this.waiting.length > placedOneByOne) {
      this.records = [...this.records, ...this.waiting].sort(this.compare);
    } else {
      for (const record of this.waiting) this.records.splice(this.placeOf(record), 0, record);
    }
    this.waiting = [];
  }

  private placeOf(record: Record): number {
    return this.first((other) => this.compare(other, record) >= 0);
  }

  /** Where the records begin for which it holds; it must hold for all after the first one. */
  private first(holds: (record: Record) => boolean): number {
    let [low, high] = [0, this.records.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (holds(this.records[middle]!)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

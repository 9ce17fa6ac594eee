/** A quantile differs from the exact nearest-rank value by at most this fraction of it. */
export const relativeAccuracy = 0.01;

/** Values below this are counted as zero, in the unit of the values (milliseconds for timings). */
export const zeroBelow = 0.001;

/** The largest value a sketch takes. */
export const maxValue = 1e7;

/** The ends of a bin stand in this ratio: 1.0202. */
export const gamma = (1 + relativeAccuracy) / (1 - relativeAccuracy);
const indexPerLog = 1 / Math.log(gamma);
const lowestIndex = Math.ceil(Math.log(zeroBelow) * indexPerLog);
const highestIndex = Math.ceil(Math.log(maxValue) * indexPerLog);
/** Bins between the two ends of the range: 1,152, so bins never have to be collapsed and the accuracy always holds. */
export const binCount = highestIndex - lowestIndex + 1;

const formatVersion = 2;
/** Of bins as pairs of varints, distance and count: read, and not written any more. */
const pairsVersion = 1;
/** Flags of a bin's first byte, which has the lowest bits of the count below them. */
const moreCount = 128;
const skipsBins = 64;
const countsInFirst = 64;
const chunk = 64;
const maxVarintBytes = 8;
const emptyBytes = Uint8Array.of(formatVersion, 0, 0);
/** Where bytes are written before their number is known. */
const head = new Uint8Array(1 + 2 * maxVarintBytes);
const scratch = new Uint8Array(binCount * 2 * maxVarintBytes);

/** Bytes that are not a sketch as `serialise` writes it. */
export class SketchFormatError extends Error {
  constructor(reason: string) {
    super(`Not a serialised sketch: ${reason}`);
    this.name = 'SketchFormatError';
  }
}

/**
 * A mergeable quantile sketch of values in 0..1e7: DDSketch with the logarithmic mapping. With γ = (1 + α) / (1 − α) and α = 0.01, a value x
 * is counted in bin ⌈log_γ x⌉, which covers (γ^(i−1), γ^i]; its estimate 2γ^i / (γ + 1) is within α of every value of the bin.
 * Source: Masson, Rim, Lee, "DDSketch: A fast and fully-mergeable quantile sketch with relative-error guarantees", PVLDB 12 (12), 2019.
 * Merging is addition: any order of any parts gives the same sketch.
 */
export class Sketch {
  /** Counts of the bins from #first on; no typed array, which costs ten times as much to make, and most sketches live for a batch. */
  #counts: number[] = [];
  #first = 0;
  #zeros = 0;
  #count = 0;

  /** How many values were added. */
  get count(): number {
    return this.#count;
  }

  /**
   * Counts `value` (0..1e7) `count` times (a whole number ≥ 1). Throws RangeError for anything else, and once the sketch would hold more than
   * 2^53 − 1 values; the sketch is unchanged then.
   */
  add(value: number, count = 1): void {
    if (!(value >= 0 && value <= maxValue)) throw new RangeError(`A sketch takes values from 0 to ${maxValue}, not ${value}`);
    if (!(Number.isSafeInteger(count) && count >= 1)) throw new RangeError(`A count is a whole number of at least 1, not ${count}`);
    this.#grow(count);
    if (value < zeroBelow) {
      this.#zeros += count;
      return;
    }
    const bin = Math.ceil(Math.log(value) * indexPerLog) - lowestIndex;
    if (bin < this.#first || bin >= this.#first + this.#counts.length) this.#cover(bin, bin);
    this.#counts[bin - this.#first]! += count;
  }

  /** Adds all that `other` has counted; `other` is unchanged. Throws RangeError past 2^53 − 1 values. */
  merge(other: Sketch): void {
    this.#grow(other.#count);
    this.#zeros += other.#zeros;
    const counts = other.#counts;
    if (counts.length === 0) return;
    const end = other.#first + counts.length;
    if (other.#first < this.#first || end > this.#first + this.#counts.length) this.#cover(other.#first, end - 1);
    const shift = other.#first - this.#first;
    for (let i = 0; i < counts.length; i++) this.#counts[i + shift]! += counts[i]!;
  }

  /**
   * What this one has counted and `earlier` has not: the values that came in between, where this one grew out of `earlier`. Throws RangeError
   * where it did not.
   */
  minus(earlier: Sketch): Sketch {
    const difference = new Sketch();
    const before = new Map(earlier.bins());
    difference.#zeros = this.#zeros - earlier.#zeros;
    difference.#count = this.#count - earlier.#count;
    for (const [index, count] of this.bins()) {
      const added = count - (before.get(index) ?? 0);
      before.delete(index);
      if (added < 0) throw notGrown();
      if (added === 0) continue;
      const bin = index - lowestIndex;
      difference.#cover(bin, bin);
      difference.#counts[bin - difference.#first]! += added;
    }
    if (before.size || difference.#zeros < 0) throw notGrown();
    return difference;
  }

  /**
   * The nearest-rank quantile, the ⌈q·n⌉-th smallest value, for q in 0..1, within 1 % of the exact one (values below 0.001 count as 0).
   * `min` and `max` are the exact extremes where the caller knows them: the estimate is clamped to them. 0 for an empty sketch.
   */
  quantile(q: number, min = 0, max = maxValue): number {
    if (!(q >= 0 && q <= 1)) throw new RangeError(`A quantile is from 0 to 1, not ${q}`);
    if (this.#count === 0) return 0;
    return Math.min(Math.max(this.#estimate(q), min), max);
  }

  /**
   * How many values are above `value` (≥ 0) for certain: those in bins that begin at or after it. One that is up to 2 % above may lie in the
   * same bin as `value`, and is then not counted.
   */
  countAbove(value: number): number {
    let above = 0;
    for (let i = 0; i < this.#counts.length; i++) {
      if (gamma ** (i + this.#first + lowestIndex - 1) >= value) above += this.#counts[i]!;
    }
    return above;
  }

  /** How many values are in bins above bin `index`: exactly those above γ^index. */
  countAboveBin(index: number): number {
    let above = 0;
    for (let i = Math.max(0, index + 1 - lowestIndex - this.#first); i < this.#counts.length; i++) above += this.#counts[i]!;
    return above;
  }

  /** The bins that hold something, ascending: [i, count], bin i covering (γ^(i−1), γ^i]. The zero bucket is not among them. */
  bins(): [index: number, count: number][] {
    const bins: [number, number][] = [];
    for (let i = 0; i < this.#counts.length; i++) {
      const count = this.#counts[i]!;
      if (count > 0) bins.push([i + this.#first + lowestIndex, count]);
    }
    return bins;
  }

  /**
   * Compact bytes, the same for equal sketches: version 2, then the count of zeros and the number of bins that hold something, both as varints
   * (LEB128), and each of these bins, ascending. Of a bin the first byte has the lowest 6 bits of its count; 128 in it: a varint follows with the
   * higher bits; 64: the bin before holds nothing, and after the count follows a varint with how many more do not. So a bin next to
   * another, as most are, costs its count alone. A few hundred bytes as a rule.
   */
  serialise(): Uint8Array {
    return this.#written(new BinReader(emptyBytes));
  }

  /**
   * The bytes of a sketch of all that `stored`, which is as `serialise` wrote it, and this one have counted: what parsing, merging and
   * serialising come to, without a sketch being made. Throws SketchFormatError as `parse` does, and RangeError past 2^53 − 1 values.
   */
  addedTo(stored: Uint8Array): Uint8Array {
    return this.#written(new BinReader(stored));
  }

  /** Reads what `serialise` wrote. Throws SketchFormatError for all else; work and memory stay bounded by the range, whatever the bytes say. */
  static parse(bytes: Uint8Array): Sketch {
    const reader = new BinReader(bytes);
    const sketch = new Sketch();
    while (reader.next()) {
      // Each of those that are left is a bin further at the least.
      if (reader.bin >= sketch.#first + sketch.#counts.length) sketch.#cover(reader.bin, Math.min(reader.bin + reader.left, binCount - 1));
      sketch.#counts[reader.bin - sketch.#first] = reader.count;
    }
    sketch.#zeros = reader.zeros;
    sketch.#count = reader.total;
    return sketch;
  }

  #written(stored: BinReader): Uint8Array {
    let at = 0;
    let bins = 0;
    let previous = -1;
    const write = (bin: number, count: number): void => {
      at = writeBin(scratch, at, bin - previous - 1, count);
      previous = bin;
      bins += 1;
    };
    let more = stored.next();
    for (let i = 0; i < this.#counts.length; i++) {
      const own = this.#counts[i]!;
      if (own === 0) continue;
      const bin = i + this.#first;
      while (more && stored.bin < bin) {
        write(stored.bin, stored.count);
        more = stored.next();
      }
      const both = more && stored.bin === bin;
      write(bin, both ? own + stored.count : own);
      if (both) more = stored.next();
    }
    while (more) {
      write(stored.bin, stored.count);
      more = stored.next();
    }
    if (stored.total + this.#count > Number.MAX_SAFE_INTEGER) throw new RangeError('A sketch holds at most 2^53 − 1 values');
    head[0] = formatVersion;
    const headEnd = writeVarint(head, writeVarint(head, 1, stored.zeros + this.#zeros), bins);
    const bytes = new Uint8Array(headEnd + at);
    bytes.set(head.subarray(0, headEnd));
    bytes.set(scratch.subarray(0, at), headEnd);
    return bytes;
  }

  #estimate(q: number): number {
    // 0.07 × 100 is 7.000000000000001 in binary: without the shave the rank would be one too high.
    const rank = Math.max(1, Math.ceil(q * this.#count * (1 - 4 * Number.EPSILON)));
    let seen = this.#zeros;
    if (seen >= rank) return 0;
    for (let i = 0; i < this.#counts.length; i++) {
      seen += this.#counts[i]!;
      if (seen >= rank) return (2 * gamma ** (i + this.#first + lowestIndex)) / (gamma + 1);
    }
    return maxValue;
  }

  #grow(count: number): void {
    const total = this.#count + count;
    if (total > Number.MAX_SAFE_INTEGER) throw new RangeError('A sketch holds at most 2^53 − 1 values');
    this.#count = total;
  }

  /** Makes room for the bins low..high. Real latencies span a few hundred bins, so most sketches stay far below the full 9 kB. */
  #cover(low: number, high: number): void {
    const length = this.#counts.length;
    const first = Math.floor((length ? Math.min(low, this.#first) : low) / chunk) * chunk;
    const end = Math.ceil((Math.max(high, length ? this.#first + length - 1 : high) + 1) / chunk) * chunk;
    if (length && first === this.#first && end === first + length) return;
    const counts = new Array<number>(end - first).fill(0);
    for (let i = 0, shift = this.#first - first; i < length; i++) counts[i + shift] = this.#counts[i]!;
    this.#counts = counts;
    this.#first = first;
  }
}

const notGrown = (): RangeError => new RangeError('This sketch has not grown out of the earlier one');

/** The bin that holds a value of at least 0.001: ⌈log_γ value⌉. The zero bucket counts as the bin below all others. */
export const binOf = (value: number): number => (value < zeroBelow ? lowestIndex - 1 : Math.ceil(Math.log(value) * indexPerLog));

function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value;
  // Not bit shifts: they would cut the number to 32 bits.
  while (rest >= 128) {
    bytes[at++] = 128 + (rest % 128);
    rest = Math.floor(rest / 128);
  }
  bytes[at++] = rest;
  return at;
}

function writeBin(bytes: Uint8Array, at: number, skipped: number, count: number): number {
  const rest = Math.floor(count / countsInFirst);
  bytes[at++] = (count % countsInFirst) + (skipped > 0 ? skipsBins : 0) + (rest > 0 ? moreCount : 0);
  if (rest > 0) at = writeVarint(bytes, at, rest);
  return skipped > 0 ? writeVarint(bytes, at, skipped - 1) : at;
}

/** Reads a serialised sketch bin by bin. Throws SketchFormatError where it is none. */
class BinReader {
  readonly zeros: number;
  /** Bins that are still to come. */
  left: number;
  /** Place and count of the latest bin. */
  bin = -1;
  count = 0;
  /** Of all values so far, zeros included. */
  total: number;
  private readonly numbers: VarintReader;
  private readonly inPairs: boolean;

  constructor(bytes: Uint8Array) {
    this.inPairs = bytes[0] === pairsVersion;
    if (!this.inPairs && bytes[0] !== formatVersion)
      throw new SketchFormatError(`version ${bytes[0] ?? '(no bytes)'} instead of ${formatVersion}`);
    this.numbers = new VarintReader(bytes, 1);
    this.zeros = this.numbers.next();
    this.total = this.zeros;
    this.left = this.numbers.next();
  }

  /** Moves to the next bin; false at the end. */
  next(): boolean {
    if (this.left === 0) {
      if (!this.numbers.atEnd) throw new SketchFormatError('bytes after the last bin');
      return false;
    }
    if (this.inPairs) this.readPair();
    else this.readBin();
    if (this.bin >= binCount) throw new SketchFormatError('a bin beyond the range');
    if (this.count === 0) throw new SketchFormatError('an empty bin');
    this.total += this.count;
    if (this.total > Number.MAX_SAFE_INTEGER) throw new SketchFormatError('a total beyond 2^53 − 1');
    this.left -= 1;
    return true;
  }

  private readBin(): void {
    const first = this.numbers.byte();
    const rest = first >= moreCount ? this.numbers.next() : 0;
    if (first >= moreCount && rest === 0) throw new SketchFormatError('a number longer than it has to be');
    this.count = (first % countsInFirst) + rest * countsInFirst;
    this.bin += (first & skipsBins) === 0 ? 1 : this.numbers.next() + 2;
  }

  /** The distance of the first is from the lowest bin. */
  private readPair(): void {
    const distance = this.numbers.next();
    if (distance === 0 && this.bin >= 0) throw new SketchFormatError('the same bin twice');
    this.bin = Math.max(this.bin, 0) + distance;
    this.count = this.numbers.next();
  }
}

class VarintReader {
  constructor(
    private readonly bytes: Uint8Array,
    private at: number,
  ) {}

  get atEnd(): boolean {
    return this.at === this.bytes.length;
  }

  byte(): number {
    const byte = this.bytes[this.at++];
    if (byte === undefined) throw new SketchFormatError('it ends too early');
    return byte;
  }

  next(): number {
    let value = 0;
    for (let i = 0, factor = 1; i < maxVarintBytes; i++, factor *= 128) {
      const byte = this.byte();
      value += (byte & 127) * factor;
      if (byte < 128) {
        if (byte === 0 && i > 0) throw new SketchFormatError('a number longer than it has to be');
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
    }
    throw new SketchFormatError('a number beyond 2^53 − 1');
  }
}

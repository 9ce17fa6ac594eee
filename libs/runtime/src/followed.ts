import { isDeepStrictEqual } from 'node:util';
import { type ViewContract } from '#contracts/view.js';

/** An owner says every second that its view is current: whoever has missed that three times has lost touch. */
const lostTouchMs = 3_000;
/** So long a removal that the owner answered with is held against what the view says late. */
const removalHeldMs = 5_000;

interface Change {
  sequence: number;
  /** Epoch milliseconds, by the clock of NATS. */
  at_ms: number;
}

/** Told of every change of a followed view, whether the view brought it or the owner answered with it. */
interface ChangeListener<Record> {
  put: (record: Record, before: Record | undefined) => void;
  removed: (before: Record) => void;
}

/**
 * A view held in memory: complete once `ready`, then kept up to date. While NATS or the owner is away it answers with what it last knew, and
 * tells how old that is.
 */
export class Followed<Record extends object> {
  private readonly records = new Map<string, Record>();
  /** What the owner answered and the view has not brought round yet. */
  private readonly ahead = new Map<string, Record>();
  /** What the owner removed and the view may still say something late of: when, in epoch milliseconds. */
  private readonly gone = new Map<string, number>();
  private readonly listeners: ChangeListener<Record>[] = [];
  ready = false;
  /** The latest change that the view brought: its number in the bucket's stream and when it was made; the same at every follower. */
  latest: Change = { sequence: 0, at_ms: 0 };
  /** When the view was last known to be what its owner has, in epoch milliseconds. */
  private current_ms = 0;

  constructor(
    private readonly contract: ViewContract<Record>,
    private readonly isConnected: () => boolean = () => true,
  ) {}

  /** How old what is answered may be, in milliseconds; null while the owner is heard. */
  ageMs(now: number): number | null {
    const age = this.silenceMs(now);
    return age > lostTouchMs || !this.isConnected() ? age : null;
  }

  /** How long ago the owner was heard last, in milliseconds. */
  silenceMs(now: number): number {
    return Math.max(0, now - this.current_ms);
  }

  /** Everything that was changed until then has come round. */
  isCurrentAs(of_ms: number): void {
    this.current_ms = Math.max(this.current_ms, of_ms);
  }

  onChange(listener: ChangeListener<Record>): void {
    this.listeners.push(listener);
    for (const record of this.records.values()) listener.put(record, undefined);
  }

  get(key: string): Record | undefined {
    return this.records.get(key);
  }

  values(): IterableIterator<Record> {
    return this.records.values();
  }

  /** What the owner just answered, so that whoever made a change sees it before it has come round. */
  learn(record: Record & { revision: number }): void {
    const key = this.contract.keyOf(record);
    if (revisionOf(this.records.get(key)) >= record.revision) return;
    this.gone.delete(key);
    this.ahead.set(key, record);
    this.put(key, record);
  }

  /** What the view says now, unless the owner has already answered with something newer. */
  apply(record: Record): void {
    const key = this.contract.keyOf(record);
    const answered = this.ahead.get(key);
    if (revisionOf(answered) > revisionOf(record) || this.isGone(key)) return;
    this.ahead.delete(key);
    // Spelt as it was answered, so that reading it again gives the same bytes.
    if (answered && isDeepStrictEqual(answered, record)) return;
    this.put(key, record);
  }

  /** The owner just answered that it has removed this: what the view says late does not bring it back. */
  unlearn(key: string): void {
    this.remove(key);
    this.gone.set(key, Date.now());
  }

  forget(key: string): void {
    this.gone.delete(key);
    this.remove(key);
  }

  /** From here on the view says everything anew. */
  restart(): void {
    this.ahead.clear();
    this.gone.clear();
  }

  keys(): IterableIterator<string> {
    return this.records.keys();
  }

  get size(): number {
    return this.records.size;
  }

  /** What the view does not say yet, as a text that differs whenever that does; empty as a rule. */
  get unheard(): string {
    if (this.ahead.size + this.gone.size === 0) return '';
    return JSON.stringify([[...this.ahead].map(([key, record]) => [key, revisionOf(record)]), [...this.gone]]);
  }

  private put(key: string, record: Record): void {
    const before = this.records.get(key);
    this.records.set(key, record);
    for (const listener of this.listeners) listener.put(record, before);
  }

  private remove(key: string): void {
    this.ahead.delete(key);
    const before = this.records.get(key);
    if (!before) return;
    this.records.delete(key);
    for (const listener of this.listeners) listener.removed(before);
  }

  private isGone(key: string): boolean {
    const gone_ms = this.gone.get(key);
    if (gone_ms === undefined) return false;
    if (Date.now() - gone_ms < removalHeldMs) return true;
    this.gone.delete(key);
    return false;
  }
}

const revisionOf = (record: object | undefined): number => (record && 'revision' in record ? Number(record.revision) : 0);

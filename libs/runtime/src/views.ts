import { Kvm, type KvWatchEntry } from '@nats-io/kv';
import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { completeMarker, type ViewContract } from '#contracts/view.js';
import { Logger } from './logger.js';
import { Nats } from './nats.js';
import { Readiness } from './probes.js';

const retryMs = 250;
const leftoversEveryMs = 10 * 60_000;

/** A view held in memory: complete once `ready`, then kept up to date. While NATS is away it answers with what it last knew. */
export class Followed<Record extends object> {
  private readonly records = new Map<string, Record>();
  /** What the owner answered and the view has not brought round yet. */
  private readonly ahead = new Map<string, Record>();
  ready = false;

  constructor(private readonly contract: ViewContract<Record>) {}

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
    this.records.set(key, record);
    this.ahead.set(key, record);
  }

  /** What the view says now, unless the owner has already answered with something newer. */
  apply(record: Record): void {
    const key = this.contract.keyOf(record);
    if (revisionOf(this.ahead.get(key)) > revisionOf(record)) return;
    this.ahead.delete(key);
    this.records.set(key, record);
  }

  /** What may have been changed along with something else: its owner is asked until the view brings it. */
  doubt(key: string): void {
    this.records.delete(key);
  }

  forget(key: string): void {
    this.ahead.delete(key);
    this.records.delete(key);
  }

  /** From here on the view says everything anew. */
  restart(): void {
    this.ahead.clear();
  }

  keys(): IterableIterator<string> {
    return this.records.keys();
  }
}

const revisionOf = (record: object | undefined): number => (record && 'revision' in record ? Number(record.revision) : 0);

interface Follower<Record> {
  /** Called for each removal, also for those before this process started. Must be idempotent; retried until it succeeds. */
  removed?: (key: string) => Promise<void>;
  changed?: (record: Record) => void;
  leftovers?: Leftovers;
}

/** How to find what no removal was heard for: NATS may have lost the marker, or a write was under way while the removal was carried out. */
interface Leftovers {
  /** The keys that this service keeps something of. */
  held: () => Promise<string[]>;
  /** Whether the owner says that there is no such thing; false when it cannot be asked. */
  isGone: (key: string) => Promise<boolean>;
}

/** Follows views from their KV buckets: first everything there is, then each change. */
@Injectable()
export class Views implements OnModuleDestroy {
  private stopped = false;
  private readonly stops: (() => void)[] = [];
  private readonly timers: NodeJS.Timeout[] = [];

  constructor(
    private readonly nats: Nats,
    private readonly logger: Logger,
    private readonly readiness: Readiness,
  ) {
    nats.onReconnect(() => this.stopWatching());
  }

  follow<Record extends object>(contract: ViewContract<Record>, follower: Follower<Record> = {}): Followed<Record> {
    const followed = new Followed(contract);
    this.readiness.add(contract.bucket, () => {
      if (!followed.ready) throw new Error('not complete yet');
    });
    void this.run(contract, followed, follower);
    if (follower.leftovers) this.timers.push(setInterval(() => void this.removeLeftovers(followed, follower), leftoversEveryMs));
    return followed;
  }

  onModuleDestroy(): void {
    this.stopped = true;
    for (const timer of this.timers) clearInterval(timer);
    this.stopWatching();
  }

  private stopWatching(): void {
    for (const stop of [...this.stops]) stop();
  }

  private async run<Record extends object>(
    contract: ViewContract<Record>,
    followed: Followed<Record>,
    follower: Follower<Record>,
  ): Promise<void> {
    while (!this.stopped) {
      try {
        await this.watch(contract, followed, follower);
      } catch (error) {
        if (!this.stopped && this.nats.connected) this.logger.debug(`View ${contract.bucket} is not there yet: ${String(error)}`, 'views');
      }
      if (!this.stopped) await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  }

  private async watch<Record extends object>(
    contract: ViewContract<Record>,
    followed: Followed<Record>,
    follower: Follower<Record>,
  ): Promise<void> {
    const kv = await new Kvm(this.nats.js).open(contract.bucket);
    followed.restart();
    const entries = await kv.watch();
    const stop = (): void => entries.stop();
    this.stops.push(stop);
    const unseen = new Set(followed.keys());
    let filled = false;
    let complete = false;
    for await (const entry of entries) {
      unseen.delete(entry.key);
      if (entry.key === completeMarker) filled = true;
      else await this.take(entry, followed, follower);
      if (!filled || !entry.isUpdate) continue;
      followed.ready = true;
      if (complete) continue;
      complete = true;
      // What was removed leaves no marker when NATS lost its store: whatever the whole snapshot lacks is gone.
      for (const key of unseen) await this.remove(key, followed, follower);
      void this.removeLeftovers(followed, follower);
    }
    this.stops.splice(this.stops.indexOf(stop), 1);
  }

  private async take<Record extends object>(entry: KvWatchEntry, followed: Followed<Record>, follower: Follower<Record>): Promise<void> {
    if (entry.operation === 'PUT') {
      const record = entry.json<Record>();
      followed.apply(record);
      follower.changed?.(record);
      return;
    }
    await this.remove(entry.key, followed, follower);
  }

  private async remove<Record extends object>(key: string, followed: Followed<Record>, follower: Follower<Record>): Promise<void> {
    followed.forget(key);
    while (follower.removed && !this.stopped) {
      try {
        await follower.removed(key);
        return;
      } catch (error) {
        this.logger.failure('Could not carry out a removal; trying again', error, { key });
        await new Promise((resolve) => setTimeout(resolve, retryMs * 4));
      }
    }
  }

  /** Removes what is kept of things that the view lacks and the owner does not know. */
  private async removeLeftovers<Record extends object>(followed: Followed<Record>, follower: Follower<Record>): Promise<void> {
    const { leftovers } = follower;
    if (!leftovers || !followed.ready) return;
    try {
      for (const key of await leftovers.held()) {
        if (this.stopped) return;
        if (!followed.get(key) && (await leftovers.isGone(key))) await this.remove(key, followed, follower);
      }
    } catch (error) {
      this.logger.failure('Could not look for leftovers; trying again later', error);
    }
  }
}

import { type KV, Kvm, type KvWatchEntry } from '@nats-io/kv';
import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { completeMarker, type ViewContract } from '#contracts/view.js';
import { Followed } from './followed.js';
import { Logger } from './logger.js';
import { Nats } from './nats.js';
import { Readiness } from './probes.js';
import { Telemetry } from './telemetry.js';

const retryMs = 250;
const leftoversEveryMs = 10 * 60_000;
/** A watch of which nothing was heard for so long is looked after; twice in a row behind its bucket, it is given up. */
const lookAfterMs = 3_000;

/** What is known of a watch, by the number of the last change that it said. */
interface Watched {
  bucket: string;
  heard: () => number;
  /** Whether what it said waits to be carried out. */
  isBusy: () => boolean;
  giveUp: () => void;
}

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
  private readonly measured = new Set<string>();

  constructor(
    private readonly nats: Nats,
    private readonly logger: Logger,
    private readonly readiness: Readiness,
    private readonly telemetry: Telemetry,
  ) {
    nats.onReconnect(() => this.stopWatching());
  }

  follow<Record extends object>(contract: ViewContract<Record>, follower: Follower<Record> = {}): Followed<Record> {
    const followed = new Followed(contract, () => this.nats.connected);
    this.readiness.add(contract.bucket, () => {
      if (!followed.ready) throw new Error('not complete yet');
    });
    this.measure(contract.bucket, followed);
    void this.run(contract, followed, follower);
    if (follower.leftovers) this.timers.push(setInterval(() => void this.removeLeftovers(followed, follower), leftoversEveryMs));
    return followed;
  }

  /** Of one follower: what another part of the same process follows is fed by the same. */
  private measure(bucket: string, followed: Pick<Followed<object>, 'size' | 'ready' | 'ageMs'>): void {
    if (this.measured.has(bucket)) return;
    this.measured.add(bucket);
    const labels = { view: bucket };
    this.telemetry.gauge('emr_view_records', 'Records of a view that this process follows.', () => [{ labels, value: followed.size }]);
    this.telemetry.gauge('emr_view_age_seconds', 'How old what this process knows of a view may be; 0 while its owner is heard.', () =>
      followed.ready ? [{ labels, value: (followed.ageMs(Date.now()) ?? 0) / 1000 }] : [],
    );
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
    let latest = followed.latest;
    let heard = 0;
    const stopLooking = this.lookAfter(kv, {
      bucket: contract.bucket,
      heard: () => heard,
      isBusy: () => entries.getPending() > 0,
      giveUp: stop,
    });
    for await (const entry of entries) {
      heard = entry.revision;
      unseen.delete(entry.key);
      if (entry.key === completeMarker) {
        filled = true;
        // What was said before this process listened is as old as it is.
        followed.isCurrentAs(complete ? Date.now() : Math.min(Date.now(), entry.created.getTime()));
      } else {
        await this.take(entry, followed, follower);
        latest = { sequence: entry.revision, at_ms: entry.created.getTime() };
      }
      // A snapshot comes in the order in which its parts were made: before its end this would go back.
      if (complete) followed.latest = latest;
      if (!filled || !entry.isUpdate) continue;
      followed.ready = true;
      if (complete) continue;
      complete = true;
      followed.latest = latest;
      // What was removed leaves no marker when NATS lost its store: whatever the whole snapshot lacks is gone.
      for (const key of unseen) await this.remove(key, followed, follower);
      void this.removeLeftovers(followed, follower);
    }
    stopLooking();
    this.stops.splice(this.stops.indexOf(stop), 1);
  }

  /**
   * A server may forget the consumer of a watch, or not see that somebody listens to it: then nothing comes, and the client takes a minute to notice,
   * in which a process that starts is not ready. What the bucket has and the watch has not said twice in a row is a reason to begin anew.
   */
  private lookAfter(kv: KV, { bucket, heard, isBusy, giveUp }: Watched): () => void {
    let before = 0;
    let behind = 0;
    const look = async (): Promise<void> => {
      const since = heard();
      if (since === before && !isBusy() && this.nats.connected) {
        const { streamInfo } = await kv.status();
        behind = streamInfo.state.last_seq > since && heard() === since ? behind + 1 : 0;
      } else {
        behind = 0;
      }
      before = since;
      if (behind < 2) return;
      this.logger.warn(`The watch of ${bucket} says nothing although there is more; watching anew`, 'views');
      giveUp();
    };
    let looking = false;
    const timer = setInterval(() => {
      if (looking) return;
      looking = true;
      // A bucket that is away is no reason: the watch is told.
      void look()
        .catch(() => undefined)
        .finally(() => (looking = false));
    }, lookAfterMs);
    return () => clearInterval(timer);
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

import { type ServerResponse } from 'node:http';
import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { AppError } from '#contracts/errors.js';
import { KeyGuard } from '../key.guard.js';
import { KnownFlags } from '../known-flags.store.js';
import { hasReached, type Position, positionText } from './position.js';

const heartbeatMs = 15_000;
/** Changes that come together are told of once. */
const gatherMs = 50;
const maxStreams = 5_000;
const maxStreamsOfKey = 1_000;
/** A reader that lets so much wait unread is given up: it catches up when it comes back. */
const maxUnreadBytes = 64 * 1024;
const pollMs = 5;

/** Tells clients that hold a stream open when to ask for all flags anew. An event's id is the position of the changes that it tells of. */
@Injectable()
export class FlagStreams implements OnModuleDestroy {
  /** By key. */
  private readonly streams = new Map<string, Set<ServerResponse>>();
  private count = 0;
  private readonly heartbeat = setInterval(() => this.beat(), heartbeatMs);
  private gathering: NodeJS.Timeout | undefined;
  private told: Position = { flags: 0, evaluators: 0 };

  constructor(
    private readonly known: KnownFlags,
    private readonly guard: KeyGuard,
  ) {
    const changed = (): void => this.gather();
    for (const followed of [known.flags, known.evaluators]) followed.onChange({ put: changed, removed: changed });
    guard.onChange((key_id) => this.endIfDead(key_id));
  }

  get position(): Position {
    return { flags: this.known.flags.latest.sequence, evaluators: this.known.evaluators.latest.sequence };
  }

  /** Waits until this gateway has heard of what another one told its client of, but not for long: then what is here is answered. */
  async untilReached(position: Position, within_ms: number): Promise<void> {
    const deadline = performance.now() + within_ms;
    while (!hasReached(this.position, position) && performance.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, pollMs));
  }

  /**
   * Goes on until the client leaves, its key ends or the gateway stops. `last` is the event that the client saw last: it is told at once of what
   * it missed. Throws TOO_MANY_REQUESTS.
   */
  open(response: ServerResponse, headers: Record<string, string>, key_id: string, last: Position | null): void {
    const ofKey = this.streams.get(key_id) ?? new Set();
    if (this.count >= maxStreams || ofKey.size >= maxStreamsOfKey)
      throw new AppError('TOO_MANY_REQUESTS', 'There are too many open streams', { accepted: `${maxStreamsOfKey} streams of a key` });
    this.streams.set(key_id, ofKey.add(response));
    this.count += 1;
    response.on('close', () => {
      this.count -= 1;
      ofKey.delete(response);
      if (ofKey.size === 0 && this.streams.get(key_id) === ofKey) this.streams.delete(key_id);
    });
    response.writeHead(200, { ...headers, 'content-type': 'text/event-stream', 'cache-control': 'no-store', connection: 'keep-alive' });
    const here = this.position;
    const missed = last !== null && (last.flags !== here.flags || last.evaluators !== here.evaluators);
    response.write(`retry: 1000\n\n${missed ? this.event(here) : ''}`);
  }

  onModuleDestroy(): void {
    clearInterval(this.heartbeat);
    clearTimeout(this.gathering);
    for (const response of this.all()) response.end();
  }

  private gather(): void {
    this.gathering ??= setTimeout(() => this.tell(), gatherMs);
  }

  private tell(): void {
    this.gathering = undefined;
    // What this gateway knows first has no place among the changes yet.
    if (this.known.flags.unheard || this.known.evaluators.unheard) this.gather();
    const here = this.position;
    if (positionText(here) === positionText(this.told)) return;
    this.told = here;
    this.write(this.event(here));
  }

  private event(position: Position): string {
    const id = positionText(position);
    const at_ms = Math.max(this.known.flags.latest.at_ms, this.known.evaluators.latest.at_ms);
    const data = JSON.stringify({ type: 'refetchEvaluation', etag: `"${id}"`, lastModified: Math.floor(at_ms / 1000) });
    return `id: ${id}\nevent: message\ndata: ${data}\n\n`;
  }

  private beat(): void {
    // A key may have expired.
    for (const key_id of this.streams.keys()) this.endIfDead(key_id);
    this.write(':\n\n');
  }

  private endIfDead(key_id: string): void {
    if (!this.guard.isLive(key_id)) for (const response of this.streams.get(key_id) ?? []) response.end();
  }

  private *all(): Iterable<ServerResponse> {
    for (const ofKey of this.streams.values()) yield* ofKey;
  }

  private write(text: string): void {
    for (const response of this.all()) {
      if (response.writableLength > maxUnreadBytes) response.destroy();
      else if (!response.writableEnded) response.write(text);
    }
  }
}

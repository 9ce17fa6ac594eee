import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { type Subscription } from '@nats-io/transport-node';
import { type RunRef, runOverNotice } from '#contracts/validation.js';
import { Nats, traced } from '#runtime/nats.js';

/** Word between replicas that a run is over. It is quick and may get lost: whoever relies on it also looks. */
@Injectable()
export class RunNotices implements OnModuleDestroy {
  private readonly listeners = new Set<(run_id: string) => void>();
  private readonly subscription: Subscription;

  constructor(private readonly nats: Nats) {
    this.subscription = nats.connection.subscribe(runOverNotice, {
      callback: (error, message) => {
        if (!error) this.hear(message.json<RunRef>().run_id);
      },
    });
  }

  onModuleDestroy(): void {
    this.subscription.unsubscribe();
  }

  tellOver(run_id: string): void {
    this.hear(run_id);
    if (this.nats.connected) this.nats.connection.publish(runOverNotice, JSON.stringify({ run_id } satisfies RunRef), traced());
  }

  /** Until it is taken back by what this returns. A listener may hear of the same run twice. */
  onOver(listener: (run_id: string) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Resolves when the run is said to be over, or after `ms`. */
  async over(run_id: string, ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, ms);
      const forget = this.onOver((told) => told === run_id && done());
      function done(): void {
        clearTimeout(timer);
        forget();
        resolve();
      }
    });
  }

  private hear(run_id: string): void {
    for (const listener of [...this.listeners]) listener(run_id);
  }
}

import { type Msg } from '@nats-io/transport-node';
import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { countedNotice, type CountedNotice } from '#contracts/metrics.js';
import { Nats } from '#runtime/nats.js';

/** Notices may get lost: so often every model is looked at. */
const sweepMs = 60_000;

/** Of which models metrics has counted something since it was last asked here. */
@Injectable()
export class CountedModels implements OnModuleDestroy {
  private readonly noticed = new Set<string>();
  /** Null: any model may have been counted. */
  private sweptAt: number | null = null;
  private readonly subscription;

  constructor(nats: Nats) {
    nats.onReconnect(() => (this.sweptAt = null));
    this.subscription = nats.connection.subscribe(countedNotice, { callback: (error, message) => this.note(error ? null : message) });
  }

  /** Those of the models that were counted, which are forgotten with this. `now_ms` is of a clock that never goes back. */
  take(model_ids: readonly string[], now_ms: number): string[] {
    const isSweep = this.sweptAt === null || now_ms - this.sweptAt >= sweepMs;
    const taken = isSweep ? [...model_ids] : model_ids.filter((model_id) => this.noticed.has(model_id));
    if (isSweep) this.sweptAt = now_ms;
    this.noticed.clear();
    return taken;
  }

  /** They could not be asked about. */
  putBack(model_ids: readonly string[]): void {
    for (const model_id of model_ids) this.noticed.add(model_id);
  }

  onModuleDestroy(): void {
    this.subscription.unsubscribe();
  }

  /** What is thrown in a subscription costs the process its connection: a notice that cannot be read is one of any model. */
  private note(message: Msg | null): void {
    try {
      const { model_ids } = message!.json<CountedNotice>();
      for (const model_id of model_ids!) this.noticed.add(model_id);
    } catch {
      this.sweptAt = null;
    }
  }
}

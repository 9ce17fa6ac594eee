import { type Msg } from '@nats-io/transport-node';
import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { countedNotice, type CountedNotice, getMetrics, getPerformance, type Metrics, type Performance } from '#contracts/metrics.js';
import { type RequestContract } from '#contracts/request.js';
import { Bus } from '#runtime/bus.js';
import { currentCaller, runAs, system } from '#runtime/caller.js';
import { Nats } from '#runtime/nats.js';

const keptMs = 1_000;
const maxKept = 10_000;

interface Kept<Figure> {
  figure: Promise<Figure>;
  until_ms: number;
}

/**
 * What the metrics service said of models, kept until it says that it has counted something of theirs, and for a second at most. Whoever asks
 * while an answer is awaited gets the same one. Failures are not kept. The caller must have been found to be allowed to see the model.
 */
@Injectable()
export class Figures implements OnModuleDestroy {
  private readonly metrics = new Map<string, Kept<Metrics>>();
  private readonly performance = new Map<string, Kept<Performance>>();
  private readonly subscription;

  constructor(
    private readonly bus: Bus,
    { connection }: Nats,
  ) {
    this.subscription = connection.subscribe(countedNotice, {
      callback: (error, message) => this.drop(error ? null : modelsOf(message)),
    });
  }

  /** Over the model's whole life. */
  metricsOf(model_id: string): Promise<Metrics> {
    return this.kept(this.metrics, getMetrics, model_id);
  }

  performanceOf(model_id: string): Promise<Performance> {
    return this.kept(this.performance, getPerformance, model_id);
  }

  onModuleDestroy(): void {
    this.subscription.unsubscribe();
  }

  private kept<Figure extends object>(
    all: Map<string, Kept<Figure>>,
    contract: RequestContract<{ model_id: string }, Figure>,
    model_id: string,
  ): Promise<Figure> {
    const now = performance.now();
    const known = all.get(model_id);
    if (known && known.until_ms > now) return known.figure;
    if (all.size >= maxKept) all.clear();
    // In nobody's name: the answer is for whoever asks next, too.
    const caller = { ...system('gateway'), request_id: currentCaller().request_id };
    const figure = runAs(caller, () => this.bus.ask(contract, { model_id }));
    const entry = { figure, until_ms: now + keptMs };
    all.set(model_id, entry);
    figure.catch(() => all.get(model_id) === entry && all.delete(model_id));
    return figure;
  }

  private drop(model_ids: string[] | null): void {
    for (const all of [this.metrics, this.performance]) {
      if (model_ids) for (const model_id of model_ids) all.delete(model_id);
      else all.clear();
    }
  }
}

/** Null, which is any model, also for a notice that cannot be read: what is thrown in a subscription costs the process its connection. */
function modelsOf(message: Msg): string[] | null {
  try {
    const { model_ids } = message.json<CountedNotice>();
    return Array.isArray(model_ids) ? model_ids : null;
  } catch {
    return null;
  }
}

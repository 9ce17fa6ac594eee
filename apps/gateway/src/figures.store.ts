import { type Msg } from '@nats-io/transport-node';
import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { AppError } from '#contracts/errors.js';
import {
  countedNotice,
  type CountedNotice,
  getMetrics,
  getPerformance,
  type HealthStatus,
  healthView,
  type Metrics,
  type Performance,
} from '#contracts/metrics.js';
import { type RequestContract } from '#contracts/request.js';
import { Bus } from '#runtime/bus.js';
import { type Caller, system } from '#runtime/caller.js';
import { type Followed } from '#runtime/followed.js';
import { Nats } from '#runtime/nats.js';
import { Views } from '#runtime/views.js';
import { type SayAge } from './ages.decorator.js';

const keptMs = 1_000;
const maxKept = 10_000;
/** Metrics answers within a few milliseconds or not at all: so long it is waited for where its projection can tell. */
const patienceMs = 300;

interface Kept<Figure> {
  figure: Promise<Figure>;
  /** Undefined where the figure has not come, or not within the patience. */
  inTime: Promise<Figure | undefined>;
  until_ms: number;
}

/**
 * What the metrics service said of models, kept until it says that it has counted something of theirs, and for a second at most. Whoever asks
 * while an answer is awaited gets the same one. While metrics is away, or too slow, it is what metrics last published, which may lack what was
 * counted since: its age is told, by which it can be told from an answer. The caller must have been found to be allowed to see the model.
 */
@Injectable()
export class Figures implements OnModuleDestroy {
  private readonly metrics = new Map<string, Kept<Metrics>>();
  private readonly performance = new Map<string, Kept<Performance>>();
  private readonly subscription;
  private readonly published: Followed<Performance>;

  constructor(
    private readonly bus: Bus,
    { connection }: Nats,
    views: Views,
  ) {
    this.published = views.follow(healthView);
    this.subscription = connection.subscribe(countedNotice, {
      callback: (error, message) => this.drop(error ? null : modelsOf(message)),
    });
  }

  /** Over the model's whole life. */
  metricsOf(model_id: string, caller: Caller, say: SayAge): Promise<Metrics> {
    return this.orPublished(this.kept(this.metrics, getMetrics, model_id, caller), say, () => this.published.get(model_id)?.metrics);
  }

  performanceOf(model_id: string, caller: Caller, say: SayAge): Promise<Performance> {
    return this.orPublished(this.kept(this.performance, getPerformance, model_id, caller), say, () => this.published.get(model_id));
  }

  /** As metrics last published it, without asking. */
  healthOf(model_id: string): HealthStatus {
    return this.published.get(model_id)?.health_status ?? 'unknown';
  }

  /** Calls whenever `healthOf` says something else of a model. */
  onHealthChange(listener: () => void): void {
    this.published.onChange({
      put: ({ health_status }, before) => void (health_status !== before?.health_status && listener()),
      removed: listener,
    });
  }

  onModuleDestroy(): void {
    this.subscription.unsubscribe();
  }

  private async orPublished<Figure>({ figure, inTime }: Kept<Figure>, say: SayAge, look: () => Figure | undefined): Promise<Figure> {
    const answered = await inTime;
    if (answered !== undefined) return answered;
    const published = look();
    if (published === undefined) return figure;
    say({ ageMs: (now) => this.published.silenceMs(now) });
    return published;
  }

  private kept<Figure extends object>(
    all: Map<string, Kept<Figure>>,
    contract: RequestContract<{ model_id: string }, Figure>,
    model_id: string,
    { request_id }: Caller,
  ): Kept<Figure> {
    const now = performance.now();
    const known = all.get(model_id);
    if (known && known.until_ms > now) return known;
    if (all.size >= maxKept) all.clear();
    // In nobody's name: the answer is for whoever asks next, too.
    const figure = this.bus.ask(contract, { model_id }, { ...system('gateway'), request_id });
    const entry: Kept<Figure> = { figure, inTime: inTime(figure), until_ms: now + keptMs };
    all.set(model_id, entry);
    figure.then(
      // Late for whoever waited, in time for the next.
      () => (entry.inTime = figure),
      // Whether it is not found is asked again by the next.
      (error: unknown) => !isAway(error) && all.get(model_id) === entry && all.delete(model_id),
    );
    return entry;
  }

  private drop(model_ids: string[] | null): void {
    for (const all of [this.metrics, this.performance]) {
      if (model_ids) for (const model_id of model_ids) all.delete(model_id);
      else all.clear();
    }
  }
}

const isAway = (error: unknown): boolean => error instanceof AppError && error.code === 'SERVICE_UNAVAILABLE';

async function inTime<Figure>(figure: Promise<Figure>): Promise<Figure | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), patienceMs);
  });
  try {
    return await Promise.race([figure, patience]);
  } catch (error) {
    if (isAway(error)) return undefined;
    throw error;
  } finally {
    clearTimeout(timer);
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

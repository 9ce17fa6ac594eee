import { type KV, Kvm } from '@nats-io/kv';
import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { healthView, type Performance } from '#contracts/metrics.js';
import { type Model } from '#contracts/registry.js';
import { completeMarker } from '#contracts/view.js';
import { type Followed } from '#runtime/followed.js';
import { Logger } from '#runtime/logger.js';
import { Nats } from '#runtime/nats.js';
import { Views } from '#runtime/views.js';
import { KnownModels } from '../known-models.store.js';
import { metricsOf } from '../windows/model-metrics.js';
import { type ModelWindowEntity } from '../windows/model-window.entity.js';
import { WindowsStore } from '../windows/windows.store.js';
import { differenceOf, healthOf, type HealthState } from './health-view.js';

const retryMs = 250;
const putAtOnce = 100;
/** Of models of which only figures have changed: so many after an evaluation, in turn, so that ten thousand busy ones cost no core. */
const figuresAtOnce = 1_000;

type States = Map<string, HealthState>;

/**
 * Publishes health and figures of all models, for readers that must do without this service. Whoever has evaluated compares what is stored
 * with what the view says, and puts what differs: what a killed replica left undone, or NATS has lost, the next one makes good.
 */
@Injectable()
export class HealthViewRelay implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly published: Followed<Performance>;
  private bucket: Promise<KV> | undefined;
  /** Where the turn of models with new figures stopped. */
  private turn = 0;
  private stopped = false;
  private running: Promise<void> = Promise.resolve();

  constructor(
    private readonly database: DataSource,
    private readonly nats: Nats,
    private readonly windows: WindowsStore,
    private readonly known: KnownModels,
    private readonly logger: Logger,
    views: Views,
  ) {
    this.published = views.follow(healthView);
    nats.onReconnect(() => (this.bucket = undefined));
  }

  onApplicationBootstrap(): void {
    this.running = this.publishFirst();
  }

  async onModuleDestroy(): Promise<void> {
    this.stopped = true;
    await this.running;
  }

  /** After each evaluation. What could not be published is after the next. */
  async publish(): Promise<void> {
    if (!this.nats.connected || !this.known.areComplete) return;
    try {
      const bucket = await (this.bucket ??= new Kvm(this.nats.js).create(healthView.bucket, { history: 1, replicas: this.nats.replicas }));
      const states = await this.states();
      const models = [...this.known.all()];
      const differing = (kind: 'status' | 'figures'): Model[] =>
        models.filter(({ model_id }) => differenceOf(states.get(model_id), this.published.get(model_id)) === kind);
      await this.put(bucket, [...differing('status'), ...this.inTurn(differing('figures'))], states);
      const present = new Set(models.map(({ model_id }) => model_id));
      for (const model_id of [...this.published.keys()]) if (!present.has(model_id)) await bucket.delete(model_id);
      await bucket.put(completeMarker, '{}');
    } catch (error) {
      // The bucket may be gone with NATS's store.
      this.bucket = undefined;
      this.logger.failure('Could not publish the health of models; trying again after the next evaluation', error);
    }
  }

  /** Nobody who follows the view is ready before it is there. */
  private async publishFirst(): Promise<void> {
    while (!this.stopped && !this.published.ready) {
      await this.publish();
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  }

  private inTurn(models: Model[]): Model[] {
    if (models.length <= figuresAtOnce) return models;
    const from = this.turn % models.length;
    this.turn = from + figuresAtOnce;
    return [...models.slice(from), ...models.slice(0, from)].slice(0, figuresAtOnce);
  }

  private async states(): Promise<States> {
    const rows = await this.database.query<(Omit<HealthState, 'since'> & { model_id: string; since: Date | null })[]>(`
      SELECT model_id, coalesce(counted.total, 0)::float8 AS total, held.health_status, held.reasons, held.since
      FROM (
        SELECT model_id, sum(total) AS total FROM metrics.model_window
        WHERE flag_key = '' AND variant = '' AND NOT folded GROUP BY model_id
      ) AS counted FULL JOIN metrics.model_health AS held USING (model_id)`);
    return new Map(rows.map(({ model_id, since, ...state }) => [model_id, { ...state, since: since?.toISOString() ?? null }]));
  }

  private async put(bucket: KV, models: Model[], states: States): Promise<void> {
    const now = new Date().toISOString();
    for (let at = 0; at < models.length && !this.stopped; at += putAtOnce) {
      const part = models.slice(at, at + putAtOnce);
      const counted = await this.lifetimesOf(part.map(({ model_id }) => model_id).filter((model_id) => states.has(model_id)));
      const records = part.map((model): Performance => {
        const { model_id } = model;
        const metrics = metricsOf(model, null, counted.get(model_id) ?? []);
        return { model_id, metrics, ...healthOf(states.get(model_id), this.published.get(model_id), now) };
      });
      await Promise.all(records.map((record) => bucket.put(record.model_id, JSON.stringify(record))));
    }
  }

  private async lifetimesOf(model_ids: string[]): Promise<Map<string, ModelWindowEntity[]>> {
    const byModel = new Map<string, ModelWindowEntity[]>(model_ids.map((model_id) => [model_id, []]));
    if (model_ids.length) for (const row of await this.windows.lifetimesOfModels(model_ids)) byModel.get(row.model_id)?.push(row);
    return byModel;
  }
}

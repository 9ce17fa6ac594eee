import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { type Model } from '#contracts/registry.js';
import { KnownModels } from '../known-models.store.js';
import { MetricsConfig } from '../metrics.config.js';
import { type Health, judgeHealth, type Judgement, minimumInferences, recentMinutes } from './health.js';
import { hold } from './hysteresis.js';
import { ModelHealthEntity } from './model-health.entity.js';
import { RecentWindowsStore } from './recent-windows.store.js';
import { emptyStretch, type Stretch } from './stretch.js';

/** A stored status is believed for so many ticks; after them whoever evaluates is dead, or the model has no inferences. */
const believedTicks = 3;
const saveChunk = 1_000;

/** Judges the health of models and holds it, so that it does not flap. */
@Injectable()
export class HealthStore {
  constructor(
    private readonly database: DataSource,
    private readonly windows: RecentWindowsStore,
    private readonly known: KnownModels,
    private readonly config: MetricsConfig,
  ) {}

  /** The stored status; judged at once where there is none, none that can be believed, or none that says anything. */
  async healthOf(model: Model): Promise<Health> {
    const { manager } = this.database;
    const held = await manager.findOneBy(ModelHealthEntity, { model_id: model.model_id });
    const now = Date.now();
    const believed = held && now - Date.parse(held.evaluated_at) <= believedTicks * this.config.HEALTH_TICK_SECONDS * 1000;
    if (believed && held.health_status !== 'unknown') {
      return { health_status: held.health_status, reasons: held.reasons, since: held.since };
    }
    const recent = await this.windows.recent(manager, [model.model_id], recentMinutes, now);
    const judged = (await this.judge(manager, [model], recent, now)).get(model.model_id)!;
    return { ...judged, since: held?.health_status === judged.health_status ? held.since : new Date(now).toISOString() };
  }

  /**
   * One evaluation of every model that has inferences, or had when it was last evaluated, to be saved. `manager` must hold the evaluation's
   * lock; nothing is written.
   */
  async evaluate(manager: EntityManager, now: number): Promise<ModelHealthEntity[]> {
    const held = new Map((await manager.find(ModelHealthEntity)).map((row) => [row.model_id, row]));
    const models = [...this.known.all()];
    const recent = await this.windows.recent(
      manager,
      models.map(({ model_id }) => model_id),
      recentMinutes,
      now,
    );
    const isLive = ({ model_id }: Model): boolean => recent.has(model_id) || (held.get(model_id)?.health_status ?? 'unknown') !== 'unknown';
    const judged = await this.judge(manager, models.filter(isLive), recent, now);
    const at = new Date(now).toISOString();
    return [...judged].map(([model_id, { health_status, reasons }]): ModelHealthEntity => {
      const before = held.get(model_id) ?? null;
      const after = hold(before, health_status, at);
      const isHeldBack = before !== null && after.health_status === before.health_status && after.health_status !== health_status;
      return { model_id, ...after, reasons: isHeldBack ? before.reasons : reasons, evaluated_at: at };
    });
  }

  async save(manager: EntityManager, evaluated: ModelHealthEntity[]): Promise<void> {
    for (let from = 0; from < evaluated.length; from += saveChunk) {
      await manager.upsert(ModelHealthEntity, evaluated.slice(from, from + saveChunk), ['model_id']);
    }
  }

  private async judge(manager: EntityManager, models: Model[], recent: Map<string, Stretch>, now: number): Promise<Map<string, Judgement>> {
    const enough = models.filter(({ model_id }) => (recent.get(model_id)?.total ?? 0) >= minimumInferences);
    const baselines = await this.windows.baseline(
      manager,
      enough.map(({ model_id }) => model_id),
      recentMinutes,
      now,
    );
    const nothing = emptyStretch(recentMinutes);
    return new Map(
      models.map(({ model_id, objectives }) => [
        model_id,
        judgeHealth(recent.get(model_id) ?? nothing, baselines.get(model_id) ?? nothing, objectives),
      ]),
    );
  }
}

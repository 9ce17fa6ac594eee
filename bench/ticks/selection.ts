import { type DataSource } from 'typeorm';
import { type Model } from '#contracts/registry.js';
import { poolIdOf } from '#contracts/selection.js';
import { type FlagsConfig } from '#flags/flags.config.js';
import { isLive } from '#flags/selection/pool.js';
import { type ModelsStore } from '#flags/models.store.js';
import { type Counters, newState } from '#flags/selection/model-state.js';
import { BanditPoolEntity, ModelStateEntity } from '#flags/selection/selection.entity.js';
import { SelectionStore } from '#flags/selection/selection.store.js';
import { type Outbox } from '#runtime/outbox.js';

const modelsOfPool = 5;
/** As many pools as there may be. */
const mostPools = 200;
const nameOf = (model: number): string => `Name ${Math.floor(model / modelsOfPool)}`;

const modelOf = (at: number): Model =>
  ({
    ...{
      model_id: `model_${at}`,
      name: nameOf(at),
      version: '1.0.0',
      model_type: 'transformer',
      sport: 'MLB',
      status: 'stable',
      description: '',
    },
    ...{ deployment_target: null, feature_flag_id: null, rollout_percentage: 100, retention_days: 90, serving: null, objectives: null },
    ...{ created_at: '', updated_at: '', created_by: '', retired_at: null, rollout_id: null, revision: 1 },
  }) as unknown as Model;

/** As many models, in pools of five. */
export async function addPools(database: DataSource, models: number): Promise<void> {
  const now = new Date().toISOString();
  const states = Array.from({ length: models }, (_, at) => newState(`model_${at}`, Date.now()));
  await database.manager.insert(ModelStateEntity, states);
  const pools = Math.min(mostPools, Math.ceil(models / modelsOfPool));
  for (let at = 0; at < pools; at++) {
    const wanted = { name: nameOf(at * modelsOfPool), sport: null, model_type: null };
    await database.manager.insert(BanditPoolEntity, {
      ...{ pool_id: poolIdOf({ name: wanted.name }), ...wanted, arms: [], settled_at: now, used_at: now, revision: 2 },
    });
  }
}

/** One tick in which every model was counted and all weights are looked at, which is every fifth. */
export function selectionTick(database: DataSource, config: FlagsConfig, count: number): () => Promise<void> {
  const all = Array.from({ length: count }, (_, at) => modelOf(at));
  const byId = new Map(all.map((model) => [model.model_id, model]));
  const models = { live: () => all.filter(isLive), find: (id: string) => byId.get(id) } as unknown as ModelsStore;
  const outbox = { put: () => Promise.resolve(), publish: () => undefined, remove: () => Promise.resolve() } as unknown as Outbox;
  const store = new SelectionStore(database, outbox, models, config);
  let tick = 0;
  return async () => {
    tick += 5;
    const counted = all.map(({ model_id }, at): [string, Counters] => [
      model_id,
      { total: tick * 100, failures: tick * (1 + (at % modelsOfPool)), slow: tick, limit_ms: 5_000 },
    ]);
    await database.transaction((manager) => store.step(manager, { tick, now_ms: Date.now() }, new Map(counted)));
  };
}

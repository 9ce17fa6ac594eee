import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { type BanditPool, type BreakerState, breakersView, poolsView } from '#contracts/selection.js';
import { type Breaker, type BreakerSettings, envoySettings, peerRates } from '#evaluation/selection/breaker.js';
import { Outbox } from '#runtime/outbox.js';
import { FlagsConfig } from '../flags.config.js';
import { breakerOf, type Counters, type ModelState, newState, stepModel } from './model-state.js';
import { ModelsStore } from './models.store.js';
import { weighPool } from './pool.js';
import { BanditPoolEntity, ModelStateEntity } from './selection.entity.js';
import { type Turn } from './turn.store.js';

const saveChunk = 1_000;
/** Weights are looked at each so many ticks, and where a breaker changes. */
const weighEvery = 5;
/** A pool that no gateway has served for so long is let go. */
const unusedMs = 60 * 60_000;

/** Keeps what is known of models and what follows from it for selection, and tells gateways. */
@Injectable()
export class SelectionStore {
  private readonly settings: BreakerSettings;

  constructor(
    database: DataSource,
    private readonly outbox: Outbox,
    private readonly models: ModelsStore,
    { BREAKER_OPEN_SECONDS }: FlagsConfig,
  ) {
    const open_ms = BREAKER_OPEN_SECONDS * 1000;
    this.settings = { open_ms, longest_ms: (open_ms * envoySettings.longest_ms) / envoySettings.open_ms };
    outbox.publish(breakersView, async () => (await database.manager.find(ModelStateEntity)).map(breakerOf));
    outbox.publish(poolsView, async () => (await database.manager.find(BanditPoolEntity)).map(poolOf));
  }

  /** One tick. `manager` must hold its lock. */
  async step(manager: EntityManager, { tick, now_ms }: Turn, read: ReadonlyMap<string, Counters>): Promise<void> {
    const before = await lockStates(manager, [...read.keys()], now_ms);
    const peersOf = this.peers(before, now_ms);
    const states = new Map<string, ModelState>();
    const changed: ModelState[] = [];
    const told: ModelState[] = [];
    let isWeighed = tick % weighEvery === 0;
    for (const state of before) {
      const counters = read.get(state.model_id) ?? null;
      const isIdle = counters === null && state.breaker.state === 'closed';
      const peers = (): number[] => peersOf(state.model_id);
      const after = isIdle ? state : stepModel(state, { counters, peers, now_ms, jitter: Math.random() }, this.settings);
      states.set(state.model_id, after);
      if (after === state) continue;
      changed.push(after);
      isWeighed ||= after.breaker.state !== state.breaker.state;
      if (after.revision !== state.revision) told.push(after);
    }
    for (let from = 0; from < changed.length; from += saveChunk)
      await manager.upsert(ModelStateEntity, changed.slice(from, from + saveChunk), ['model_id']);
    // Gateways hear of the weights of the rest before of an opening, and of a closing before these are gone: users are moved once.
    await this.tell(manager, told, (state) => state === 'closed');
    await this.stepPools(manager, states, now_ms, isWeighed);
    await this.tell(manager, told, (state) => state !== 'closed');
  }

  private async tell(manager: EntityManager, states: readonly ModelState[], isMeant: (state: BreakerState) => boolean): Promise<void> {
    for (const state of states) if (isMeant(state.breaker.state)) await this.outbox.put(manager, breakersView, breakerOf(state));
  }

  private async stepPools(
    manager: EntityManager,
    states: ReadonlyMap<string, ModelState>,
    now_ms: number,
    isWeighed: boolean,
  ): Promise<void> {
    for (const pool of await manager.find(BanditPoolEntity, { lock: { mode: 'pessimistic_write' } })) {
      if (now_ms - Date.parse(pool.used_at) > unusedMs) {
        await manager.delete(BanditPoolEntity, { pool_id: pool.pool_id });
        await this.outbox.remove(manager, poolsView, pool.pool_id);
        continue;
      }
      if (!isWeighed && pool.arms.length > 0) continue;
      const after = weighPool(pool, this.models.all(), states, now_ms);
      if (after === pool) continue;
      await manager.save(BanditPoolEntity, { ...pool, ...after });
      await this.outbox.put(manager, poolsView, poolOf({ ...pool, ...after }));
    }
  }

  /** The failure rates of other live models of the same sport and type. */
  private peers(states: readonly ModelState[], now_ms: number): (model_id: string) => number[] {
    const kinds = new Map<string, Breaker[]>();
    const kindOf = (model_id: string): string | null => {
      const model = this.models.find(model_id);
      return model ? JSON.stringify([model.sport, model.model_type]) : null;
    };
    for (const { model_id, breaker } of states) {
      const kind = kindOf(model_id);
      if (kind !== null) kinds.set(kind, [...(kinds.get(kind) ?? []), breaker]);
    }
    const own = new Map(states.map(({ model_id, breaker }) => [model_id, breaker]));
    return (model_id) => {
      const others = (kinds.get(kindOf(model_id) ?? '') ?? []).filter((breaker) => breaker !== own.get(model_id));
      return peerRates(others, now_ms);
    };
  }
}

/** All states, locked, those of the models among them: each has one from now on. */
async function lockStates(manager: EntityManager, model_ids: readonly string[], now_ms: number): Promise<ModelState[]> {
  const lock = (): Promise<ModelState[]> =>
    manager.find(ModelStateEntity, { order: { model_id: 'ASC' }, lock: { mode: 'pessimistic_write' } });
  const states = await lock();
  const known = new Set(states.map(({ model_id }) => model_id));
  const missing = model_ids.filter((model_id) => !known.has(model_id));
  if (missing.length === 0) return states;
  await insertStates(manager, missing, now_ms);
  return lock();
}

/** For models that have none yet; a state is changed only under its lock. */
export async function insertStates(manager: EntityManager, model_ids: readonly string[], now_ms: number): Promise<void> {
  const states = model_ids.map((model_id) => newState(model_id, now_ms));
  await manager.createQueryBuilder().insert().into(ModelStateEntity).values(states).orIgnore().execute();
}

export const poolOf = ({ used_at: _, ...pool }: BanditPoolEntity): BanditPool => pool;

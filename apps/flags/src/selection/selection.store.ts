import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager, In } from 'typeorm';
import { type BanditPool, type BreakerState, breakersView, poolsView } from '#contracts/selection.js';
import { type Breaker, type BreakerSettings, envoySettings, peerRates } from '#evaluation/selection/breaker.js';
import { Outbox } from '#runtime/outbox.js';
import { FlagsConfig } from '../flags.config.js';
import { breakerOf, type Counters, type ModelState, newState, stepModel } from './model-state.js';
import { ModelsStore } from '../models.store.js';
import { isNew, weighPool } from './pool.js';
import { BanditPoolEntity, ModelStateEntity } from './selection.entity.js';
import { type Turn } from './turn.store.js';

const saveChunk = 1_000;
/** Weights are looked at each so many ticks, and where a breaker changes. */
const weighEvery = 5;
/** A count fades within a minute: what was last counted longer ago is none to compare with. */
const peersForMs = 3 * 60_000;
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
    const pools = await manager.find(BanditPoolEntity, { lock: { mode: 'pessimistic_write' } });
    if (pools.length === 0 || (!isWeighed && !pools.some(isNew))) return;
    const known = await this.withIdle(manager, states);
    for (const pool of pools) {
      if (now_ms - Date.parse(pool.used_at) > unusedMs) {
        await manager.delete(BanditPoolEntity, { pool_id: pool.pool_id });
        await this.outbox.remove(manager, poolsView, pool.pool_id);
        continue;
      }
      const after = weighPool(pool, this.models.all(), known, now_ms);
      if (after === pool) continue;
      await manager.save(BanditPoolEntity, { ...pool, ...after });
      await this.outbox.put(manager, poolsView, poolOf({ ...pool, ...after }));
    }
  }

  /** With those of live models that were not counted lately. */
  private async withIdle(manager: EntityManager, states: ReadonlyMap<string, ModelState>): Promise<ReadonlyMap<string, ModelState>> {
    const idle = this.models.live().filter(({ model_id }) => !states.has(model_id));
    if (idle.length === 0) return states;
    const found = await manager.findBy(ModelStateEntity, { model_id: In(idle.map(({ model_id }) => model_id)) });
    return new Map([...states, ...found.map((state): [string, ModelState] => [state.model_id, state])]);
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
      if (kind === null) continue;
      const alike = kinds.get(kind);
      if (alike) alike.push(breaker);
      else kinds.set(kind, [breaker]);
    }
    const own = new Map(states.map(({ model_id, breaker }) => [model_id, breaker]));
    return (model_id) => {
      const others = (kinds.get(kindOf(model_id) ?? '') ?? []).filter((breaker) => breaker !== own.get(model_id));
      return peerRates(others, now_ms);
    };
  }
}

/**
 * The states, locked, that a tick may change or compare with: of the models that were read, each of which has one from now on; of those whose
 * breaker is not closed; and of those that were counted lately, which are peers.
 */
async function lockStates(manager: EntityManager, model_ids: string[], now_ms: number): Promise<ModelState[]> {
  const lock = (): Promise<ModelState[]> =>
    manager
      .createQueryBuilder(ModelStateEntity, 'model')
      .where('model.model_id = ANY(:model_ids)', { model_ids })
      .orWhere(`model.breaker->>'state' <> 'closed'`)
      .orWhere(`(model.breaker->>'at_ms')::double precision > :lately`, { lately: now_ms - peersForMs })
      .orderBy('model.model_id')
      .setLock('pessimistic_write')
      .getMany();
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

import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager, In } from 'typeorm';
import { type Model } from '#contracts/registry.js';
import { type BanditPool, type BreakerState, breakersView, poolsView } from '#contracts/selection.js';
import { type BreakerSettings, envoySettings, peerRates } from '#evaluation/selection/breaker.js';
import { Outbox } from '#runtime/outbox.js';
import { FlagsConfig } from '../flags.config.js';
import { breakerOf, type Counters, type ModelState, newState, stepModel } from './model-state.js';
import { ModelsStore } from '../models.store.js';
import { isNew, weighPool } from './pool.js';
import { BanditPoolEntity, ModelStateEntity } from './selection.entity.js';
import { type Turn } from './turn.store.js';

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
    await saveStates(manager, changed);
    // Gateways hear of the weights of the rest before of an opening, and of a closing before these are gone: users are moved once.
    await this.tell(manager, told, (state) => state === 'closed');
    await this.stepPools(manager, states, now_ms, isWeighed);
    await this.tell(manager, told, (state) => state !== 'closed');
  }

  private async tell(manager: EntityManager, states: readonly ModelState[], isMeant: (state: BreakerState) => boolean): Promise<void> {
    await this.outbox.put(manager, breakersView, ...states.filter(({ breaker }) => isMeant(breaker.state)).map(breakerOf));
  }

  private async stepPools(
    manager: EntityManager,
    states: ReadonlyMap<string, ModelState>,
    now_ms: number,
    isWeighed: boolean,
  ): Promise<void> {
    const pools = await manager.find(BanditPoolEntity, { lock: { mode: 'pessimistic_write' } });
    if (pools.length === 0 || (!isWeighed && !pools.some(isNew))) return;
    const live = this.models.live();
    const known = await withIdle(manager, states, live);
    const changed: BanditPoolEntity[] = [];
    for (const pool of pools) {
      if (now_ms - Date.parse(pool.used_at) > unusedMs) {
        await manager.delete(BanditPoolEntity, { pool_id: pool.pool_id });
        await this.outbox.remove(manager, poolsView, pool.pool_id);
        continue;
      }
      const after = weighPool(pool, live, known, now_ms);
      if (after !== pool) changed.push({ ...pool, ...after });
    }
    if (changed.length) await manager.upsert(BanditPoolEntity, changed, ['pool_id']);
    await this.outbox.put(manager, poolsView, ...changed.map(poolOf));
  }

  /** The failure rates of other live models of the same sport and type. */
  private peers(states: readonly ModelState[], now_ms: number): (model_id: string) => number[] {
    const kinds = new Map<string | null, { model_id: string; rate: number }[]>();
    const kindOf = (model_id: string): string | null => {
      const model = this.models.find(model_id);
      return model ? JSON.stringify([model.sport, model.model_type]) : null;
    };
    for (const { model_id, breaker } of states) {
      const kind = kindOf(model_id);
      const [rate] = peerRates([breaker], now_ms);
      if (kind === null || rate === undefined) continue;
      const alike = kinds.get(kind);
      if (alike) alike.push({ model_id, rate });
      else kinds.set(kind, [{ model_id, rate }]);
    }
    return (model_id) => (kinds.get(kindOf(model_id)) ?? []).filter((peer) => peer.model_id !== model_id).map(({ rate }) => rate);
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

/** With those of live models that were not counted lately. */
async function withIdle(
  manager: EntityManager,
  states: ReadonlyMap<string, ModelState>,
  live: readonly Model[],
): Promise<ReadonlyMap<string, ModelState>> {
  const idle = live.filter(({ model_id }) => !states.has(model_id));
  if (idle.length === 0) return states;
  const found = await manager.findBy(ModelStateEntity, { model_id: In(idle.map(({ model_id }) => model_id)) });
  return new Map([...states, ...found.map((state): [string, ModelState] => [state.model_id, state])]);
}

/** What a tick changes of states that it has locked: as one document, since thousands of them each second are many parameters. */
async function saveStates(manager: EntityManager, states: readonly ModelState[]): Promise<void> {
  if (states.length === 0) return;
  await manager.query(
    `UPDATE flags.model_states AS kept SET counters = new.counters, breaker = new.breaker, evidence = new.evidence,
       expected_success = new.expected_success, revision = new.revision
     FROM jsonb_to_recordset($1) AS new
       (model_id text, counters jsonb, breaker jsonb, evidence jsonb, expected_success double precision, revision integer)
     WHERE kept.model_id = new.model_id`,
    [JSON.stringify(states)],
  );
}

/** For models that have none yet; a state is changed only under its lock. */
export async function insertStates(manager: EntityManager, model_ids: readonly string[], now_ms: number): Promise<void> {
  const states = model_ids.map((model_id) => newState(model_id, now_ms));
  await manager.createQueryBuilder().insert().into(ModelStateEntity).values(states).orIgnore().execute();
}

export const poolOf = ({ used_at: _, ...pool }: BanditPoolEntity): BanditPool => pool;

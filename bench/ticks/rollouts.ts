import { type DataSource } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { type ArmCounters, getTick } from '#contracts/metrics.js';
import { type FlagsConfig } from '#flags/flags.config.js';
import { FlagsStore } from '#flags/flags.store.js';
import { analysisWith, newAnalysis } from '#flags/rollouts/analysis.js';
import { Moves } from '#flags/rollouts/moves.store.js';
import { type PendingExecutor } from '#flags/rollouts/pending.executor.js';
import { planOf } from '#flags/rollouts/plan.js';
import { RolloutEntity } from '#flags/rollouts/rollout.entity.js';
import { slowerBy, ticksOf } from '#flags/rollouts/rollout.simulation.harness.js';
import { type RolloutEvents } from '#flags/rollouts/rollout-events.relay.js';
import { RolloutsSchedule } from '#flags/rollouts/rollouts.schedule.js';
import { RolloutsStore } from '#flags/rollouts/rollouts.store.js';
import { TickExecutor } from '#flags/rollouts/tick.executor.js';
import { AuditStore } from '#runtime/audit.store.js';
import { type Bus } from '#runtime/bus.js';
import { Logger } from '#runtime/logger.js';
import { type Outbox } from '#runtime/outbox.js';
import { Sketch } from '#statistics/sketch.js';

const ticksBefore = 30;
/** As many side by side as rollouts are. */
const atOnce = 5;
const due = 'UPDATE flags.rollouts SET next_tick_at = clock_timestamp()';

/** Running rollouts with all guardrails, each of which has seen 30 ticks. */
export async function addRollouts(database: DataSource, count: number): Promise<void> {
  const plan = planOf({});
  let analysis = newAnalysis(plan);
  let ticks = 0;
  for (const tick of ticksOf(slowerBy(1), 1)) {
    analysis = analysisWith(analysis, plan, tick.percentage, tick);
    if (++ticks === ticksBefore) break;
  }
  analysis = { ...analysis, limits: { latency_p50: 230, latency_p95: 271, latency_p99: 288 } };
  const now = new Date().toISOString();
  for (let at = 0; at < count; at++) {
    await database.manager.insert(RolloutEntity, {
      ...{ rollout_id: `rollout_${at.toString(16).padStart(12, '0')}`, flag_key: `flag_${at}`, status: 'running', step: 1, percentage: 5 },
      ...{ candidate_model_id: `candidate_${at}`, candidate_variant: 'new', control_model_id: `control_${at}`, control_variant: 'old' },
      ...{ control_status: 'stable', models: [], plan: plan as never, override: false, reason: uuidv7(), tick: ticksBefore },
      ...{ last_decision: null, analysis: analysis as never, first_counters: null, last_counters: { candidate: null, control: null } },
      ...{
        candidate_heard_at: now,
        control_heard_at: now,
        next_tick_at: now,
        sequence: 2,
        pending: null,
        next_try_at: null,
        outcome: null,
      },
      ...{ told: 2, held: [], created_at: now, created_by: 'a bench', started_at: now, step_started_at: now, ended_at: null },
    });
  }
}

/** What metrics answers: of every arm a hundred inferences more than the time before. */
function countingMetrics(): Bus {
  const timings = new Sketch();
  let asked = 0;
  const arm = (flag_key: string, variant: string, model: string, total: number): ArmCounters => {
    const model_id = flag_key.replace('flag', model);
    const sketch = Buffer.from(timings.serialise()).toString('base64');
    return {
      ...{ model_id, flag_key, variant, total_inferences: total, successful_inferences: total },
      ...{ sum_timing_ms: 0, error_types: {}, sketch },
    };
  };
  const ask = (contract: { subject: string }, { flag_key }: { flag_key: string }): Promise<unknown> => {
    if (contract.subject !== getTick.subject) throw new Error(`${contract.subject} is not asked here`);
    if (asked++ % 100 === 0) for (let ms = 50; ms < 150; ms++) timings.add(ms);
    const total = timings.count;
    const arms = [arm(flag_key, 'new', 'candidate', total), arm(flag_key, 'old', 'control', total)];
    return Promise.resolve({ at: new Date().toISOString(), arms });
  };
  return { ask } as unknown as Bus;
}

/** One tick of all rollouts, by the service's own schedule; metrics answers at once. */
export function rolloutTick(database: DataSource, config: FlagsConfig): () => Promise<void> {
  const audit = new AuditStore(database);
  const outbox = { put: () => Promise.resolve(), flush: () => undefined, publish: () => undefined } as unknown as Outbox;
  const events = { flush: () => undefined } as unknown as RolloutEvents;
  const rollouts = new RolloutsStore(database, audit);
  const moves = new Moves(rollouts, new FlagsStore(database, audit, outbox), events, config);
  const ticks = new TickExecutor(database, countingMetrics(), rollouts, moves);
  const pending = { make: () => Promise.reject(new Error('nothing is planned here')) } as unknown as PendingExecutor;
  const schedule = new RolloutsSchedule(database, ticks, pending, config, Logger.create('bench', 'error'));
  return async () => {
    await database.query(due);
    await schedule.look();
    const [left] = await database.query<{ due: number }[]>(
      'SELECT count(*)::int AS due FROM flags.rollouts WHERE next_tick_at <= clock_timestamp()',
    );
    if (left!.due > 0) throw new Error(`${left!.due} ticks were not taken`);
  };
}

/** The least that a tick must do to a row: lock it, and write to it, in a transaction of its own. */
export async function bareTransactions(database: DataSource): Promise<void> {
  const ids = (await database.query<{ rollout_id: string }[]>('SELECT rollout_id FROM flags.rollouts')).values();
  const worker = async (): Promise<void> => {
    for (const { rollout_id } of ids) {
      await database.transaction(async (manager) => {
        await manager.query('SELECT * FROM flags.rollouts WHERE rollout_id = $1 FOR UPDATE SKIP LOCKED', [rollout_id]);
        await manager.query('UPDATE flags.rollouts SET next_tick_at = clock_timestamp() WHERE rollout_id = $1', [rollout_id]);
      });
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { type Counter } from 'prom-client';
import { DataSource, type EntityManager } from 'typeorm';
import { type NightlyState, type NightlySummary } from '#contracts/validation.js';
import { type Model } from '#contracts/registry.js';
import { runAs, system } from '#runtime/caller.js';
import { isDatabaseAway } from '#runtime/database-fault.js';
import { Logger } from '#runtime/logger.js';
import { Telemetry } from '#runtime/telemetry.js';
import { KnownModels } from './known-models.store.js';
import { nightsBetween, nightsToHandle, onTimeMs } from './nights.js';
import { nightlySummary } from './regression.js';
import { NightlyEntity, NightWatchEntity } from './run.entity.js';
import { RunQueue } from './run-queue.consumer.js';
import { RunsStore } from './runs.store.js';
import { TestCasesStore } from './test-cases.store.js';
import { ValidationConfig } from './validation.config.js';

/** $1 lease in seconds. */
const takeStatement = `
  WITH taken AS (
    UPDATE validation.nightlies SET lease_until = statement_timestamp() + make_interval(secs => $1)
    WHERE unfinished AND NOT enqueued AND lease_until < statement_timestamp() RETURNING nightly_id
  ) SELECT nightly_id FROM taken`;
const renewStatement =
  'UPDATE validation.nightlies SET lease_until = statement_timestamp() + make_interval(secs => $1) WHERE nightly_id = $2';
/** A lease that nobody has. */
const free = new Date(0).toISOString();

/**
 * Validates every canary and stable model. A round is a row and one run for each model: who holds the round's lease writes those runs down, and
 * whoever finds that the lease ran out goes on with the models that have none yet. They are run as all others are; when the last is over, the
 * round is closed. A unique index lets one round be unfinished at a time, another one have each model once.
 */
@Injectable()
export class NightlyExecutor implements OnModuleDestroy {
  private working: Promise<void> = Promise.resolve();
  private stopped = false;
  private readonly missed: Counter;

  constructor(
    private readonly database: DataSource,
    private readonly known: KnownModels,
    private readonly cases: TestCasesStore,
    private readonly runs: RunsStore,
    private readonly queue: RunQueue,
    private readonly config: ValidationConfig,
    private readonly logger: Logger,
    telemetry: Telemetry,
  ) {
    this.missed = telemetry.counter(
      'emr_validation_nights_missed_total',
      'Nights that had no validation, since no replica was there in time. Counted by one of the replicas.',
      [],
    );
  }

  async onModuleDestroy(): Promise<void> {
    this.stopped = true;
    await this.working;
  }

  /** Starts a round, or answers with the one that is under way. Null: that one ended in this moment. */
  async start(nightly_id: string): Promise<NightlyEntity | null> {
    const begun = await insertRound(this.database.manager, newRound(nightly_id, null, false));
    if (begun) await this.goOn();
    return this.database.manager.findOneBy(NightlyEntity, begun ? { nightly_id } : { unfinished: true });
  }

  find(nightly_id: string): Promise<NightlyEntity | null> {
    return this.database.manager.findOneBy(NightlyEntity, { nightly_id });
  }

  /**
   * Begins the night's round when its time has come, late where nobody was there in time. Nights that are over are counted as missed. The
   * watch's row is locked, so that one replica does this; a round that is under way is awaited.
   */
  async lookAtNights(now: number): Promise<void> {
    const { NIGHTLY_CRON, NIGHTLY_CATCH_UP_HOURS } = this.config;
    const since = (watch: NightWatchEntity): number[] => nightsBetween(NIGHTLY_CRON, Date.parse(watch.handled_until), now);
    if (since(await this.database.manager.findOneByOrFail(NightWatchEntity, { watch: true })).length === 0) return;
    const handled = await this.database.transaction(async (manager) => {
      const watch = await manager.findOneOrFail(NightWatchEntity, { where: { watch: true }, lock: { mode: 'pessimistic_write' } });
      const nights = since(watch);
      const newest = nights.at(-1);
      if (newest === undefined) return null;
      const { begin, missed } = nightsToHandle(nights, now, NIGHTLY_CATCH_UP_HOURS * 3_600_000);
      const late = begin !== null && begin < now - onTimeMs;
      if (begin !== null) {
        const round = newRound(`night_${secondOf(begin)}`, begin, late);
        const has = (await insertRound(manager, round)) || (await manager.existsBy(NightlyEntity, { nightly_id: round.nightly_id }));
        if (!has) return null;
      }
      await manager.update(NightWatchEntity, { watch: true }, { handled_until: new Date(newest).toISOString() });
      return { begin, late, missed };
    });
    if (!handled) return;
    const { begin, late, missed } = handled;
    if (missed.length) {
      this.missed.inc(missed.length);
      this.logger.warn(`${missed.length} nights had no validation, the last of them ${secondOf(missed.at(-1)!)}`, 'nightly');
    }
    if (begin === null) return;
    if (late) this.logger.warn(`The validation of the night ${secondOf(begin)} was missed and begins late`, 'nightly');
    await this.goOn();
  }

  /** Goes on with a round whose runs are not all written down and which nobody holds. */
  async goOn(): Promise<void> {
    const [taken] = await this.database.query<{ nightly_id: string }[]>(takeStatement, [this.config.leaseMs / 1000]);
    if (!taken) return;
    this.working = runAs(system('nightly'), () => this.work(taken.nightly_id)).catch((error: unknown) => {
      this.logger.failure('The nightly validation was interrupted; it goes on when its lease has run out', error, taken);
    });
  }

  /** Closes the round that is under way once the last of its runs is over. */
  async closeOver(): Promise<void> {
    const nightly = await this.database.manager.findOneBy(NightlyEntity, { unfinished: true, enqueued: true });
    if (!nightly) return;
    const { nightly_id } = nightly;
    const finished: { status: 'passed' | 'failed' | 'error'; regression_detected: boolean }[] = [];
    for (const { status, regression_detected } of await this.runs.ofNightly(nightly_id)) {
      if (status === 'running') return;
      finished.push({ status, regression_detected });
    }
    await this.database.manager.update(NightlyEntity, { nightly_id, unfinished: true }, { unfinished: false, ...nightlySummary(finished) });
  }

  private async work(nightly_id: string): Promise<void> {
    const { manager } = this.database;
    let renewed = Date.now();
    for (const model of await this.known.active()) {
      if (this.stopped) return void (await manager.update(NightlyEntity, { nightly_id }, { lease_until: free }));
      if (Date.now() - renewed > this.config.leaseMs / 3) {
        renewed = Date.now();
        await this.database.query(renewStatement, [this.config.leaseMs / 1000, nightly_id]);
      }
      await this.enqueue(model, nightly_id).catch((error: unknown) => {
        if (isDatabaseAway(error)) throw error;
        this.logger.failure('A model was left out of the nightly validation', error, { model_id: model.model_id });
      });
    }
    await manager.update(NightlyEntity, { nightly_id }, { enqueued: true });
    await this.closeOver();
  }

  /** A model that cannot be judged, for want of an address or of cases, is one of the round's errors. */
  private async enqueue(model: Model, nightly_id: string): Promise<void> {
    const cases = await this.cases.ofRun(model, undefined);
    const { run_id } = await this.runs.enqueue({ model, cases, trigger: 'nightly', nightly_id });
    this.queue.put(run_id);
  }
}

const secondOf = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z');

/** False: another round is under way, or this one has been. */
async function insertRound(manager: EntityManager, round: NightlyEntity): Promise<boolean> {
  const inserted = await manager
    .createQueryBuilder()
    .insert()
    .into(NightlyEntity)
    .values(round)
    .orIgnore()
    .returning('nightly_id')
    .execute();
  return (inserted.raw as unknown[]).length > 0;
}

const newRound = (nightly_id: string, planned_at: number | null, late: boolean): NightlyEntity => ({
  nightly_id,
  unfinished: true,
  started_at: new Date().toISOString(),
  planned_at: planned_at === null ? null : new Date(planned_at).toISOString(),
  late,
  enqueued: false,
  lease_until: free,
  ...nightlySummary([]),
});

export const stateOf = ({ nightly_id, unfinished, models_processed, results_summary }: NightlyEntity): NightlyState => ({
  nightly_id,
  completed: !unfinished,
  result: { models_processed, results_summary: inOrder(results_summary) },
});

/** As the API document shows it; jsonb keeps an order of its own. */
const inOrder = ({ passed, failed, errors, regressions_detected }: NightlySummary): NightlySummary => ({
  passed,
  failed,
  errors,
  regressions_detected,
});

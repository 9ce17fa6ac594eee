import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { LessThan, Repository } from 'typeorm';
import { type NightlyState, type NightlySummary } from '#contracts/validation.js';
import { runAs, system } from '#runtime/caller.js';
import { Logger } from '#runtime/logger.js';
import { KnownModels } from './known-models.store.js';
import { nightlySummary } from './regression.js';
import { NightlyEntity } from './run.entity.js';
import { RunExecutor } from './run.executor.js';
import { leaseFrom, leaseMs, RunsStore } from './runs.store.js';
import { TestCasesStore } from './test-cases.store.js';

/**
 * Validates every canary and stable model. A unique index lets one round be unfinished at a time, and one have each id, however many replicas
 * there are; a round whose process died or stops is closed with what it has.
 */
@Injectable()
export class NightlyExecutor implements OnModuleDestroy {
  private working: Promise<void> = Promise.resolve();

  constructor(
    @InjectRepository(NightlyEntity, 'validation') private readonly nightlies: Repository<NightlyEntity>,
    private readonly known: KnownModels,
    private readonly cases: TestCasesStore,
    private readonly runs: RunsStore,
    private readonly executor: RunExecutor,
    private readonly logger: Logger,
  ) {}

  async onModuleDestroy(): Promise<void> {
    await this.executor.stop();
    await this.working;
  }

  /** Starts the round of this id, or answers with the one that is under way. Null: this id has had its round. */
  async start(nightly_id: string): Promise<NightlyEntity | null> {
    const now = Date.now();
    const nightly: NightlyEntity = {
      nightly_id,
      unfinished: true,
      started_at: new Date(now).toISOString(),
      lease_until: leaseFrom(now),
      ...nightlySummary([]),
    };
    const inserted = await this.nightlies.createQueryBuilder().insert().values(nightly).orIgnore().returning('nightly_id').execute();
    if ((inserted.raw as unknown[]).length === 0) return this.nightlies.findOneBy({ unfinished: true });
    this.working = runAs(system('nightly'), () => this.work(nightly));
    return nightly;
  }

  find(nightly_id: string): Promise<NightlyEntity | null> {
    return this.nightlies.findOneBy({ nightly_id });
  }

  /** Closes rounds whose process died. */
  async giveUpLost(): Promise<void> {
    const lost = await this.nightlies.findBy({ unfinished: true, lease_until: LessThan(new Date().toISOString()) });
    for (const nightly of lost) await this.close(nightly);
  }

  private async work(nightly: NightlyEntity): Promise<void> {
    const { nightly_id } = nightly;
    const renew = (): Promise<unknown> => this.nightlies.update({ nightly_id, unfinished: true }, { lease_until: leaseFrom(Date.now()) });
    const alive = setInterval(() => void renew().catch(() => undefined), leaseMs / 3);
    try {
      for (const { model_id } of await this.known.active()) {
        if (this.executor.isStopping) break;
        await this.validate(model_id, nightly_id).catch((error: unknown) => {
          this.logger.failure('A model was left out of the nightly validation', error, { model_id });
        });
      }
      await this.close(nightly);
    } catch (error) {
      this.logger.failure('The nightly validation could not be closed; its lease will run out', error, { nightly_id });
    } finally {
      clearInterval(alive);
    }
  }

  /** A model that cannot be judged, for want of an address or of cases, is one of the round's errors. */
  private async validate(model_id: string, nightly_id: string): Promise<void> {
    const model = await this.known.current(model_id);
    const cases = await this.cases.ofRun(model, undefined);
    const run = await this.executor.start(model, cases, 'nightly', nightly_id);
    await this.executor.finished(run.run_id);
  }

  private async close({ nightly_id }: NightlyEntity): Promise<void> {
    const runs = await this.runs.ofNightly(nightly_id);
    const finished = runs.flatMap(({ status, regression_detected }) => (status === 'running' ? [] : [{ status, regression_detected }]));
    await this.nightlies.update({ nightly_id, unfinished: true }, { unfinished: false, ...nightlySummary(finished) });
  }
}

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

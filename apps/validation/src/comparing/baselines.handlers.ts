import { Controller } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import {
  type Baseline,
  type BaselineFilter,
  type BaselinePin,
  type BaselineRef,
  type BaselineUnpin,
  listBaselines,
  pinBaseline,
  type Unpinned,
  unpinBaseline,
} from '#contracts/baseline.js';
import { type CaseResult } from '#contracts/case-result.js';
import { AppError, raise } from '#contracts/errors.js';
import { type Page } from '#contracts/page.js';
import { Answers } from '#runtime/answers.js';
import { AuditStore } from '#runtime/audit.store.js';
import { currentCaller } from '#runtime/caller.js';
import { cursorParts, cursorText, fillPage } from '#runtime/cursor.js';
import { KnownModels } from '../known-models.store.js';
import { type RunEntity } from '../run.entity.js';
import { runNotFound, RunsStore } from '../runs.store.js';
import { TestCaseEntity } from '../test-case.entity.js';
import { testCaseNotFound } from '../test-cases.store.js';
import { BaselineEntity } from './baseline.entity.js';
import { BaselinesStore } from './baselines.store.js';

/** A baseline is seen by those who see the version that it is of. */
@Controller()
export class BaselinesHandlers {
  constructor(
    private readonly database: DataSource,
    private readonly audit: AuditStore,
    private readonly known: KnownModels,
    private readonly runs: RunsStore,
    private readonly baselines: BaselinesStore,
  ) {}

  /** In the order of names, then test cases. */
  @Answers(listBaselines)
  async listBaselines(filter: BaselineFilter): Promise<Page<Baseline>> {
    const { name, test_case_id, cursor } = filter;
    const query = this.database.manager
      .createQueryBuilder(BaselineEntity, 'baseline')
      .orderBy('baseline.name')
      .addOrderBy('baseline.test_case_id');
    const visible = this.known.idsInScope();
    if (visible) query.andWhere('baseline.model_id = ANY(:visible)', { visible });
    if (name !== undefined) query.andWhere('baseline.name = :name', { name });
    if (test_case_id !== undefined) query.andWhere('baseline.test_case_id = :test_case_id', { test_case_id });
    if (cursor !== undefined) {
      const [after_name, after_case] = cursorParts(cursor, 2);
      query.andWhere('(baseline.name, baseline.test_case_id) > (:after_name, :after_case)', { after_name, after_case });
    }
    return fillPage(
      filter,
      async (rows) => (await query.take(rows).getMany()).map(shown),
      (baseline) => cursorText([baseline.name, baseline.test_case_id]),
    );
  }

  @Answers(pinBaseline)
  async pinBaseline({ name, test_case_id, run_id, reason }: BaselinePin): Promise<Baseline> {
    const run = await this.visibleRun(run_id);
    const result = passedResult(run, test_case_id);
    const { model } = run;
    if (model.name !== name) throw notABaseline(`Run ${run_id} is of ${model.name}`, `a run of a version of ${name}`);
    return this.database.transaction(async (manager) => {
      const isThere = await manager.existsBy(TestCaseEntity, { test_case_id });
      if (!isThere) throw testCaseNotFound(test_case_id);
      const before = await lock(manager, { name, test_case_id });
      const now = new Date().toISOString();
      const after: BaselineEntity = {
        ...{ name, test_case_id, type: result.type ?? 'unit', revision: result.revision ?? 1 },
        ...{ data_set_id: result.rows_judged?.data_set_id ?? null, measured: result.measured ?? null },
        ...{ run_id, model_id: run.model_id, run_started_at: run.started_at, stored_at: now },
        ...{ pinned_at: now, pinned_by: currentCaller().actor.name, pin_reason: reason },
      };
      await manager.upsert(BaselineEntity, after as never, ['name', 'test_case_id']);
      await this.write(manager, 'baseline.pinned', reason, before, after);
      return shown(after);
    });
  }

  /** It follows the stable version again; one that does already is left as it is. */
  @Answers(unpinBaseline)
  async unpinBaseline({ name, test_case_id, reason }: BaselineUnpin): Promise<Unpinned> {
    return this.database.transaction(async (manager) => {
      const before = (await lock(manager, { name, test_case_id })) ?? raise(baselineNotFound(name, test_case_id));
      await this.known.require(before.model_id, currentCaller()).catch(asAbsent(baselineNotFound(name, test_case_id)));
      if (before.pinned_at === null) return { name, test_case_id, baseline: shown(before) };
      await manager.delete(BaselineEntity, { name, test_case_id });
      await this.baselines.follow(name, manager);
      const after = await manager.findOneBy(BaselineEntity, { name, test_case_id });
      await this.write(manager, 'baseline.unpinned', reason, before, after);
      return { name, test_case_id, baseline: after && shown(after) };
    });
  }

  private async visibleRun(run_id: string): Promise<RunEntity & { model: { name: string } }> {
    const run = (await this.runs.find(run_id)) ?? raise(runNotFound(run_id));
    const model = await this.known.require(run.model_id, currentCaller()).catch(asAbsent(runNotFound(run_id)));
    return { ...run, model };
  }

  private async write(
    manager: EntityManager,
    action: string,
    reason: string,
    before: BaselineEntity | null,
    after: BaselineEntity | null,
  ): Promise<void> {
    const subject_id = (after ?? before)!.test_case_id;
    const [was, is] = [before && shown(before), after && shown(after)];
    await this.audit.write(manager, { action, subject_type: 'baseline', subject_id, reason, before: was, after: is });
  }
}

const lock = (manager: EntityManager, where: BaselineRef): Promise<BaselineEntity | null> =>
  manager.findOne(BaselineEntity, { where, lock: { mode: 'pessimistic_write' } });

const baselineNotFound = (name: string, test_case_id: string): AppError =>
  new AppError('BASELINE_NOT_FOUND', `${name} has no baseline of ${test_case_id}`);

const notABaseline = (message: string, accepted: string): AppError => new AppError('NOT_A_BASELINE', message, { accepted });

/** What belongs to a model outside a narrowed key's scope is as good as absent. */
const asAbsent =
  (absent: AppError) =>
  (error: unknown): never => {
    throw error instanceof AppError && error.code === 'MODEL_NOT_FOUND' ? absent : error;
  };

function passedResult({ run_id, results }: RunEntity, test_case_id: string): CaseResult {
  const result = results.find((one) => one.test_case_id === test_case_id);
  if (!result) throw notABaseline(`Run ${run_id} did not judge ${test_case_id}`, 'a run that judged the case');
  if (result.outcome === 'passed') return result;
  throw notABaseline(`The outcome of ${test_case_id} in run ${run_id} is ${result.outcome}`, 'a run in which the case passed');
}

const shown = ({ measured: _, run: __, ...baseline }: BaselineEntity): Baseline => baseline;

import { Controller } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { type AuditEntry, type AuditFilter, listAuditOf } from '#contracts/audit.js';
import { AppError, assertRevision, invalidInput, raise } from '#contracts/errors.js';
import { type Page } from '#contracts/page.js';
import { type Removed } from '#contracts/request.js';
import {
  type AppliesTo,
  changeTestCase,
  createTestCase,
  getTestCase,
  listTestCases,
  type NewTestCase,
  removeTestCase,
  type TestCase,
  type TestCaseChange,
  type TestCaseFilter,
  type TestCaseRemoval,
  type TestCaseRequest,
} from '#contracts/test-case.js';
import { Answers } from '#runtime/answers.js';
import { AuditStore } from '#runtime/audit.store.js';
import { changesAnything } from '#runtime/changes.js';
import { currentCaller } from '#runtime/caller.js';
import { cursorParts, cursorText, fillPage } from '#runtime/cursor.js';
import { isUniqueViolation } from '#runtime/database-fault.js';
import { insertRow } from '#runtime/rows.js';
import { caseProblems } from './case-rules.js';
import { isWithin } from './case-selection.js';
import { BaselineEntity } from './comparing/baseline.entity.js';
import { DataSetsStore } from './data-sets/data-sets.store.js';
import { KnownModels } from './known-models.store.js';
import { CaseRevisionEntity, TestCaseEntity } from './test-case.entity.js';
import { testCaseNotFound, TestCasesStore } from './test-cases.store.js';

/**
 * Test cases carry no secret of a model; keys narrowed to some models see all of them, and may write those that can be for no other models.
 */
@Controller()
export class TestCasesHandlers {
  constructor(
    private readonly database: DataSource,
    private readonly audit: AuditStore,
    private readonly known: KnownModels,
    private readonly cases: TestCasesStore,
    private readonly dataSets: DataSetsStore,
  ) {}

  /** In the order of their ids. */
  @Answers(listTestCases)
  async listTestCases(filter: TestCaseFilter): Promise<Page<TestCase>> {
    const query = this.cases.inOrder();
    if (filter.model_id !== undefined) this.cases.applicable(query, await this.known.require(filter.model_id, currentCaller()));
    if (filter.cursor !== undefined) query.andWhere('test_case.test_case_id > :after', { after: cursorParts(filter.cursor, 1)[0] });
    return fillPage(
      filter,
      (rows) => query.take(rows).getMany(),
      ({ test_case_id }) => cursorText([test_case_id]),
    );
  }

  @Answers(getTestCase)
  async getTestCase({ test_case_id, revision }: TestCaseRequest): Promise<TestCase> {
    const { manager } = this.database;
    if (revision === undefined) return (await manager.findOneBy(TestCaseEntity, { test_case_id })) ?? raise(testCaseNotFound(test_case_id));
    const kept = await manager.findOneBy(CaseRevisionEntity, { test_case_id, revision });
    return kept?.test_case ?? raise(testCaseNotFound(`${test_case_id} at revision ${revision}`));
  }

  @Answers(createTestCase)
  async createTestCase(input: NewTestCase): Promise<TestCase> {
    const now = new Date().toISOString();
    const testCase: TestCaseEntity = {
      test_case_id: input.test_case_id,
      type: input.type ?? 'unit',
      description: input.description ?? '',
      applies_to: input.applies_to ?? {},
      input: input.input ?? null,
      expectations: input.expectations ?? [],
      max_duration_ms: input.max_duration_ms ?? null,
      steps: input.steps ?? [],
      load: input.load ?? null,
      data: input.data ?? null,
      created_at: now,
      updated_at: now,
      created_by: currentCaller().actor.name,
      revision: 1,
    };
    assertUsable(testCase);
    await this.assertMayApplyTo(testCase.applies_to);
    return this.database.transaction(async (manager) => {
      await this.assertData(manager, testCase);
      // Of a case of this id that was removed the revisions are still referred to.
      const created = { ...testCase, revision: (await lastRevision(manager, testCase.test_case_id)) + 1 };
      await insertRow(manager, TestCaseEntity, created).catch((error: unknown) => {
        if (!isUniqueViolation(error)) throw error;
        throw new AppError('TEST_CASE_EXISTS', `Test case ${created.test_case_id} exists already`, {
          accepted: 'a test_case_id that is not in use',
        });
      });
      await this.write(manager, 'test_case.created', null, created);
      return created;
    });
  }

  @Answers(changeTestCase)
  async changeTestCase({ test_case_id, if_match, ...change }: TestCaseChange): Promise<TestCase> {
    if (change.applies_to) await this.assertMayApplyTo(change.applies_to);
    return this.database.transaction(async (manager) => {
      const before = await this.lock(manager, test_case_id, if_match);
      if (!changesAnything(before, change)) return before;
      const after: TestCaseEntity = { ...before, ...change, updated_at: new Date().toISOString(), revision: before.revision + 1 };
      assertUsable(after);
      await this.assertData(manager, after);
      await manager.save(TestCaseEntity, after);
      await this.write(manager, 'test_case.changed', before, after);
      return after;
    });
  }

  @Answers(removeTestCase)
  async removeTestCase({ test_case_id, if_match }: TestCaseRemoval): Promise<Removed> {
    await this.database.transaction(async (manager) => {
      const before = await this.lock(manager, test_case_id, if_match);
      await manager.delete(TestCaseEntity, { test_case_id });
      await manager.delete(BaselineEntity, { test_case_id });
      await this.write(manager, 'test_case.removed', before, null);
    });
    return { removed: true };
  }

  @Answers(listAuditOf('validation'))
  async listAudit(filter: AuditFilter): Promise<Page<AuditEntry>> {
    return this.audit.list(filter);
  }

  private async lock(manager: EntityManager, test_case_id: string, if_match: number[] | undefined): Promise<TestCaseEntity> {
    const row = await manager.findOne(TestCaseEntity, { where: { test_case_id }, lock: { mode: 'pessimistic_write' } });
    const testCase = row ?? raise(testCaseNotFound(test_case_id));
    if (!(await this.isInScope(testCase.applies_to))) {
      throw new AppError('OUT_OF_SCOPE', `Test case ${test_case_id} is also for models outside the scope of this key`);
    }
    assertRevision(`Test case ${test_case_id}`, testCase.revision, if_match);
    return testCase;
  }

  /** A model that is not visible, or not there yet, is outside: it may turn out to be anybody's. */
  private async isInScope(applies_to: AppliesTo): Promise<boolean> {
    const { scope } = currentCaller().actor;
    if (isWithin(scope, applies_to)) return true;
    if (!applies_to.model_id) return false;
    return this.known.require(applies_to.model_id, currentCaller()).then(
      () => true,
      (error: unknown) => {
        if (error instanceof AppError && error.code === 'MODEL_NOT_FOUND') return false;
        throw error;
      },
    );
  }

  private async assertMayApplyTo(applies_to: AppliesTo): Promise<void> {
    if (await this.isInScope(applies_to)) return;
    const { sports, names } = currentCaller().actor.scope;
    const needed = [...(sports ? [`a sport of ${sports.join(', ')}`] : []), ...(names ? [`a name of ${names.join(', ')}`] : [])];
    throw invalidInput([
      { field: 'applies_to', value: applies_to, accepted: `for this key: ${needed.join(' and ')}; or a model_id in its scope` },
    ]);
  }

  private async assertData(manager: EntityManager, { data }: TestCaseEntity): Promise<void> {
    if (data) await this.dataSets.assertThere(manager, 'data.data_set_id', data.data_set_id);
  }

  private async write(manager: EntityManager, action: string, before: TestCaseEntity | null, after: TestCaseEntity | null): Promise<void> {
    if (after) {
      const { test_case_id, revision } = after;
      await insertRow(manager, CaseRevisionEntity, { test_case_id, revision, test_case: after });
    }
    const subject_id = (after ?? before)?.test_case_id ?? '';
    await this.audit.write(manager, { action, subject_type: 'test_case', subject_id, before, after });
  }
}

async function lastRevision(manager: EntityManager, test_case_id: string): Promise<number> {
  return (await manager.maximum(CaseRevisionEntity, 'revision', { test_case_id })) ?? 0;
}

function assertUsable(testCase: TestCaseEntity): void {
  const problems = caseProblems(testCase);
  if (problems.length) throw invalidInput(problems);
}

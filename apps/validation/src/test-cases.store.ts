import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { In, Repository, type SelectQueryBuilder } from 'typeorm';
import { AppError, invalidInput, raise } from '#contracts/errors.js';
import { type Model } from '#contracts/registry.js';
import { maxRunCases } from '#contracts/validation.js';
import { type TestCase } from '#contracts/test-case.js';
import { appliesTo } from './case-selection.js';
import { CaseRevisionEntity, TestCaseEntity } from './test-case.entity.js';

export const testCaseNotFound = (test_case_id: string): AppError =>
  new AppError('TEST_CASE_NOT_FOUND', `Test case ${test_case_id} not found`);

@Injectable()
export class TestCasesStore {
  constructor(@InjectRepository(TestCaseEntity, 'validation') private readonly cases: Repository<TestCaseEntity>) {}

  /** The cases of a run: all that apply to the model, or those of `ids`, each of which must exist and apply. */
  async ofRun(model: Model, ids: string[] | undefined): Promise<TestCaseEntity[]> {
    if (ids) return this.named(model, [...new Set(ids)]);
    const found = await this.applicable(this.inOrder(), model)
      .take(maxRunCases + 1)
      .getMany();
    if (found.length <= maxRunCases) return found;
    const accepted = `1 to 1000 ids, since more than ${maxRunCases} cases apply to model ${model.model_id}`;
    throw invalidInput([{ field: 'test_case_ids', accepted }]);
  }

  /** Cases as they were at the revisions that a run was asked with, in their order; also of cases that are no more. */
  async atRevisions(wanted: { test_case_id: string; revision: number }[]): Promise<TestCase[]> {
    const ids = wanted.map(({ test_case_id }) => test_case_id);
    const found = await this.cases.manager
      .createQueryBuilder(CaseRevisionEntity, 'kept')
      .where('(kept.test_case_id, kept.revision) IN (SELECT * FROM unnest(CAST(:ids AS text[]), CAST(:revisions AS integer[])))', {
        ids,
        revisions: wanted.map(({ revision }) => revision),
      })
      .getMany();
    const byId = new Map(found.map(({ test_case_id, test_case }) => [test_case_id, test_case]));
    return ids.map((id) => byId.get(id) ?? raise(testCaseNotFound(id)));
  }

  /** In the order of their ids. */
  inOrder(): SelectQueryBuilder<TestCaseEntity> {
    return this.cases.createQueryBuilder('test_case').orderBy('test_case.test_case_id');
  }

  /** Only cases for this model, as `appliesTo` says of one. */
  applicable(
    query: SelectQueryBuilder<TestCaseEntity>,
    { model_id, name, sport, model_type, status }: Model,
  ): SelectQueryBuilder<TestCaseEntity> {
    // No case names the empty sport, so a model without one is matched only by cases that name none.
    for (const [field, value] of Object.entries({ model_id, name, sport: sport ?? '', model_type, status })) {
      query.andWhere(`coalesce(test_case.applies_to->>'${field}', :${field}) = :${field}`, { [field]: value });
    }
    return query;
  }

  private async named(model: Model, ids: string[]): Promise<TestCaseEntity[]> {
    const found = await this.cases.findBy({ test_case_id: In(ids) });
    const byId = new Map(found.map((testCase) => [testCase.test_case_id, testCase]));
    return ids.map((id) => {
      const testCase = byId.get(id);
      if (!testCase) throw testCaseNotFound(id);
      if (!appliesTo(model, testCase.applies_to)) {
        throw invalidInput([{ field: 'test_case_ids', value: id, accepted: `cases that apply to ${model.model_id}` }]);
      }
      return testCase;
    });
  }
}

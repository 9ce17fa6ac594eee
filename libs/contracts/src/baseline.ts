import { DataSetId } from './data-set.js';
import { Instant, OneOf, Part, Text, Whole } from './fields.js';
import { pageOf, PageRequest } from './page.js';
import { request } from './request.js';
import { TestCaseRef, testCaseTypes, type TestCaseType } from './test-case.js';
import { RunId } from './validation.js';

const ModelName = (optional = false): PropertyDecorator =>
  Text({ max: 200, optional, description: 'The name of the model, of any version.' });

/** A case of the versions of one name. */
export class BaselineRef extends TestCaseRef {
  @ModelName()
  name!: string;
}

const Reason = (): PropertyDecorator => Text({ max: 1000 });

export class BaselinePin extends BaselineRef {
  @RunId()
  run_id!: string;

  @Reason()
  reason!: string;
}

export class BaselineUnpin extends BaselineRef {
  @Reason()
  reason!: string;
}

/** What the runs of a name are held against in one case. */
export class Baseline extends BaselineRef {
  @OneOf(testCaseTypes)
  type!: TestCaseType;

  @Whole({ min: 1, description: 'Of the case, as the run judged it. Runs of another revision are not compared.' })
  revision!: number;

  @DataSetId({ nullable: true })
  data_set_id!: string | null;

  @Text({ max: 120 })
  run_id!: string;

  @Text({ max: 64, description: 'The version that the run judged.' })
  model_id!: string;

  @Instant({ description: 'When the run started.' })
  run_started_at!: string;

  @Instant()
  stored_at!: string;

  @Instant({ nullable: true, description: 'null: it follows the stable version.' })
  pinned_at!: string | null;

  @Text({ max: 100, nullable: true })
  pinned_by!: string | null;

  @Text({ max: 1000, nullable: true })
  pin_reason!: string | null;
}

export class Unpinned extends BaselineRef {
  @Part(() => Baseline, { nullable: true, description: 'What it is now; null: no version is stable, or it has not passed the case.' })
  baseline!: Baseline | null;
}

export class BaselineFilter extends PageRequest {
  @ModelName(true)
  name?: string;

  @Text({ max: 100, optional: true })
  test_case_id?: string;
}

export class BaselinePage extends pageOf(Baseline) {}

export const listBaselines = request('validation.list_baselines', { input: BaselineFilter, output: BaselinePage });
export const pinBaseline = request('validation.pin_baseline', { input: BaselinePin, output: Baseline });
export const unpinBaseline = request('validation.unpin_baseline', { input: BaselineUnpin, output: Unpinned });

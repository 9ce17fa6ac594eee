import { Expectation } from './expectation.js';
import { Decimal, Instant, Json, type JsonValue, OneOf, Part, Parts, Text, Whole } from './fields.js';
import { pageOf, PageRequest } from './page.js';
import { IfMatch, modelTypes, type ModelType, Sport } from './registry.js';
import { Removed, request } from './request.js';

const TestCaseId = (): PropertyDecorator =>
  Text({
    max: 100,
    pattern: /^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/,
    accepted: '1 to 100 letters, digits, _, . and -',
    example: 'mlb_basic_prediction',
  });

export class TestCaseRef {
  @TestCaseId()
  test_case_id!: string;
}

/** Which models a case is for: all that fit every field given. */
export class AppliesTo {
  @Text({ max: 64, optional: true, nullable: true })
  model_id?: string | null;

  @Text({ max: 200, optional: true, nullable: true })
  name?: string | null;

  @Sport({ optional: true, nullable: true })
  sport?: string | null;

  @OneOf(modelTypes, { optional: true, nullable: true })
  model_type?: ModelType | null;
}

const maxInputBytes = 256_000;

export class NewTestCase extends TestCaseRef {
  @Text({ min: 0, max: 1000, optional: true })
  description?: string;

  @Part(() => AppliesTo, { optional: true, description: 'Default: every model.' })
  applies_to?: AppliesTo;

  @Json({ max_bytes: maxInputBytes, description: '`oip_v2`: the request body, or its `inputs` list. `http_json`: the request body.' })
  input!: JsonValue;

  @Parts(() => Expectation, { min_items: 1, max_items: 50 })
  expectations!: Expectation[];

  @Decimal({ min: 0.001, max: 30_000, optional: true, nullable: true, description: 'The call may not take longer, in milliseconds.' })
  max_duration_ms?: number | null;
}

export class TestCaseChange extends TestCaseRef {
  @Text({ min: 0, max: 1000, optional: true })
  description?: string;

  @Part(() => AppliesTo, { optional: true })
  applies_to?: AppliesTo;

  @Json({ max_bytes: maxInputBytes, optional: true })
  input?: JsonValue;

  @Parts(() => Expectation, { min_items: 1, max_items: 50, optional: true })
  expectations?: Expectation[];

  @Decimal({ min: 0.001, max: 30_000, optional: true, nullable: true })
  max_duration_ms?: number | null;

  @IfMatch()
  if_match?: number[];
}

export class TestCaseRemoval extends TestCaseRef {
  @IfMatch()
  if_match?: number[];
}

export class TestCase extends TestCaseRef {
  @Text({ min: 0, max: 1000 })
  description!: string;

  @Part(() => AppliesTo)
  applies_to!: AppliesTo;

  @Json({ max_bytes: maxInputBytes })
  input!: JsonValue;

  @Parts(() => Expectation, { min_items: 1, max_items: 50 })
  expectations!: Expectation[];

  @Decimal({ min: 0.001, max: 30_000, nullable: true })
  max_duration_ms!: number | null;

  @Instant()
  created_at!: string;

  @Instant()
  updated_at!: string;

  @Text({ max: 100 })
  created_by!: string;

  @Whole({ min: 1 })
  revision!: number;
}

export class TestCaseFilter extends PageRequest {
  @Text({ max: 64, optional: true, description: 'Only cases that apply to this model.' })
  model_id?: string;
}

export class TestCasePage extends pageOf(TestCase) {}

export const listTestCases = request('validation.list_test_cases', { input: TestCaseFilter, output: TestCasePage });
export const getTestCase = request('validation.get_test_case', { input: TestCaseRef, output: TestCase });
export const createTestCase = request('validation.create_test_case', { input: NewTestCase, output: TestCase });
export const changeTestCase = request('validation.change_test_case', { input: TestCaseChange, output: TestCase });
export const removeTestCase = request('validation.remove_test_case', { input: TestCaseRemoval, output: Removed });
